//! The gate: from the verdicts of one commit to publish, retry with feedback, or fail.

use crate::failure;
use crate::job::{EndReason, FailedCheck, Feedback, Ground, JobSpec, Trail, VerifyRequest};
use crate::verdict::{CheckedPair, Standing};

/// Characters of a failing check's output that the agent is shown.
const FEEDBACK_TAIL: usize = 6_000;

/// What follows from a verification.
#[derive(Debug, Clone, PartialEq)]
pub enum Gate {
    Publish,
    Retry {
        feedback: Feedback,
        class: Option<String>,
        detail: String,
    },
    /// `feedback`: what another agent would have to know.
    Fail {
        reason: EndReason,
        class: Option<String>,
        detail: String,
        feedback: Option<Feedback>,
    },
}

/// Decides on the verdicts of one commit.
///
/// A check that failed on the base as well is reported and not held against the change, but it proves nothing either:
/// where not one check passed, the change is published only if the person accepted that beforehand.
#[must_use]
pub fn decide(pairs: &[CheckedPair], trail: &Trail, ground: &Ground, spec: &JobSpec) -> Gate {
    if pairs.is_empty() && spec.verify == VerifyRequest::Nothing {
        return Gate::Publish;
    }
    let with = |standing: Standing| pairs.iter().filter(move |pair| pair.standing() == standing);
    if let Some(pair) = with(Standing::CouldNotRun).next() {
        return Gate::Fail {
            reason: EndReason::ChecksCouldNotRun,
            class: None,
            feedback: None,
            detail: format!(
                "check {:?} could not run, on the base either: {}",
                pair.tip.check,
                reason_text(pair)
            ),
        };
    }
    let broken: Vec<&CheckedPair> = with(Standing::Broken).chain(with(Standing::FailedBaseUnknown)).collect();
    if !broken.is_empty() {
        return held_against(&broken, trail, ground);
    }
    let before: Vec<&CheckedPair> = with(Standing::FailedBefore).collect();
    let proven = with(Standing::Passed).next().is_some();
    if proven || (spec.accept_base_failures && !before.is_empty()) {
        return Gate::Publish;
    }
    if before.is_empty() {
        return Gate::Fail {
            reason: EndReason::ChecksCouldNotRun,
            class: None,
            feedback: None,
            detail: "no check was run, so nothing is known about the change".to_owned(),
        };
    }
    held_against(&before, trail, ground)
}

fn held_against(pairs: &[&CheckedPair], trail: &Trail, ground: &Ground) -> Gate {
    let failures: Vec<FailedCheck> = pairs.iter().map(|pair| failed_check(pair, ground)).collect();
    let class = failures.iter().find_map(|failure| failure.class.clone());
    // Where the base passes, the change is to blame, and whoever made it can mend it.
    let hard = pairs.iter().any(|pair| {
        pair.standing() != Standing::Broken
            && failure::classify(&pair.tip).class.is_some_and(|class| class.hard)
    });
    let names: Vec<&str> = failures.iter().map(|failure| failure.check.as_str()).collect();
    let names = names.join(", ");
    if hard {
        let detail = format!("{names}: trying again cannot help{}", named(class.as_deref()));
        return failed_for_good(class, detail, failures);
    }
    if class.is_some() && class == trail.last_class {
        let detail = format!("{names}: the same kind of failure twice in a row{}", named(class.as_deref()));
        return failed_for_good(class, detail, failures);
    }
    let detail = if failures.iter().all(|failure| failure.failed_on_base) {
        format!("{names} still fails, as it did before the change; no check passed")
    } else {
        format!("{names} failed{}", named(class.as_deref()))
    };
    Gate::Retry { feedback: Feedback::ChecksFailed { failures }, class, detail }
}

fn failed_for_good(class: Option<String>, detail: String, failures: Vec<FailedCheck>) -> Gate {
    let feedback = Some(Feedback::ChecksFailed { failures });
    Gate::Fail { reason: EndReason::VerificationFailed, class, detail, feedback }
}

fn named(class: Option<&str>) -> String {
    class.map(|class| format!(" ({class})")).unwrap_or_default()
}

fn reason_text(pair: &CheckedPair) -> String {
    let classified = failure::classify(&pair.tip);
    match classified.class {
        Some(class) => class.hint.to_owned(),
        None => classified.evidence,
    }
}

fn failed_check(pair: &CheckedPair, ground: &Ground) -> FailedCheck {
    let classified = failure::classify(&pair.tip);
    let command = ground.checks.iter().find(|check| check.name == pair.tip.check);
    FailedCheck {
        check: pair.tip.check.clone(),
        command: command.map(|check| check.command.clone()).unwrap_or_default(),
        class: classified.class.map(|class| class.id.to_owned()),
        hint: classified.class.map(|class| class.hint.to_owned()),
        evidence: classified.evidence,
        output_tail: crate::text::tail_chars(&pair.tip.output_tail, FEEDBACK_TAIL).to_owned(),
        failed_on_base: pair.standing() == Standing::FailedBefore,
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
