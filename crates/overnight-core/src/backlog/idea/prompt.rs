//! What an agent is told that is to write a document: how it works, what the document must have, and what was known before.

use std::fmt::Write as _;
use std::path::Path;

use super::{DocumentOrder, DocumentPart, RESULT_MAX};

/// The task; `idea`: what is known of the idea, `result`: where the document is to be written.
pub(crate) fn task(idea: &str, order: &DocumentOrder, result: Option<&Path>) -> String {
    let mut text = format!("# Task\n\n{}\n\n# The idea\n\n{}\n", asked(order), idea.trim());
    if let Some(plan) = &order.plan {
        // Four spaces in front: whatever the plan says, it stays a quotation.
        text.push_str("\n# The plan as it is now\n\n");
        for line in plan.lines() {
            let _ = writeln!(text, "    {line}");
        }
    }
    text.push_str("\n# The document\n\n");
    let form: &[&str] = match order.part {
        DocumentPart::Grill => &[GRILL],
        DocumentPart::Plan => &[PLAN_INTRO, PLAN_FORM, PLAN_RULES],
        DocumentPart::Review => &[REVIEW_FORM, PLAN_FORM, PLAN_RULES],
    };
    text.extend(form.iter().copied());
    text.push_str(&how(result, order.part));
    text
}

fn asked(order: &DocumentOrder) -> String {
    match order.part {
        DocumentPart::Grill => "Question the idea below until it is clear what it comes to, and write that down. Read the code that it is \
             about. Where the answer is not in the code and matters, ask a person: one sharp question at a time, with the answers that \
             you can think of. You are done when the scope is clear and you have at least three points of acceptance, the risks, and \
             the open ends."
            .to_owned(),
        DocumentPart::Plan => "Make a plan of the idea below: an epic with stories and tasks that agents can carry out one by one, each in a \
             clean copy of the repository. Read the code that it is about. Do it in one go and ask nobody: what is unclear becomes an \
             assumption that you write down."
            .to_owned(),
        DocumentPart::Review => format!(
            "Review the plan of the idea below, and rewrite it where it has to be better. This is round {} of at most {}: {}. Compare it \
             with the code and not only with itself. Do not rewrite what is good: the review is over when the plan stays as it is. \
             Decide by yourself and ask nobody.",
            order.round.max(1),
            order.rounds.max(1),
            focus(order.round),
        ),
    }
}

/// What a round looks at.
fn focus(round: u32) -> &'static str {
    match round {
        0 | 1 => {
            "look at the structure: whether the stories and tasks are complete, in the right order, and each small enough for one change"
        }
        2 => {
            "look at the logic: whether each task does what its story wants, fits the way this code is written, and names the right files"
        }
        _ => {
            "look at the risks: what can break, edge cases, what depends on code that is changed or removed, and how it would be noticed"
        }
    }
}

const GRILL: &str = "Markdown with these sections, each with its own heading:

    ## Scope
    what belongs to it, and what does not
    ## Acceptance
    - at least three points, each something that can be seen or tested
    ## Risks
    - at least one
    ## Open ends
    - what nobody knows yet, and what you assumed; \"none\" where there is nothing
";

const PLAN_INTRO: &str = "YAML between two lines `---`:\n";

const REVIEW_FORM: &str = "Two parts, one after the other. First your verdict:

    ---
    verdict: changes_requested
    issues:
      - severity: error
        text: what is wrong with the plan as you leave it, or what you cannot mend
    ---

The verdict is approved, changes_requested or rejected (it should not be done at all); a severity is error, warning or note. What you
have mended is no issue any more. Then the whole plan, rewritten or as it was:
";

const PLAN_FORM: &str = "
    ---
    epic:
      title: one line
      description: |
        what it is for, and what was assumed
    stories:
      - title: one line
        description: what it is for
        acceptance:
          - what has to be so when it is done
        tasks:
          - title: one line
            id: a-name
            description: what is to be done
            acceptance:
              - what has to be so when it is done
            plan: |
              How, step by step. Name each file to be changed in back-ticks, as in `src/lib.rs`.
            after:
              - the id of a task that has to be done first
    ---
";

const PLAN_RULES: &str = "
Usually two to six stories with two to five tasks each; fewer where the idea is small. A title has at most 200 characters and a plan at
most 16,000. A task has no other fields, but for `verify_only: true` where it only looks at something. Put texts that hold `: ` or ` #`
into quotes or below `|`. Where something is removed or renamed, search the code for everything that depends on it first.
";

fn how(result: Option<&Path>, part: DocumentPart) -> String {
    let place = result.map_or_else(
        || "the file that the environment variable OVERNIGHT_RESULT names".to_owned(),
        |path| {
            format!(
                "this file (the environment variable OVERNIGHT_RESULT names it):\n\n    {}\n",
                path.display()
            )
        },
    );
    let alone = match part {
        DocumentPart::Grill => "",
        DocumentPart::Plan | DocumentPart::Review => " Nobody watches.",
    };
    format!(
        "\n# How this works\n\nYou work in a private clone of the repository, to read.{alone} Nothing that you change there is kept; only the \
         document counts. Write it as a plain text file in UTF-8, at most {RESULT_MAX} characters, to {place}\n\
         It is read by a program when you end: what does not have the form above (without the blanks before each of its lines) is given back to you.\n"
    )
}
