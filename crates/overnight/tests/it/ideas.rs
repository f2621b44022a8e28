//! Ideas, from a wish to an epic that is worked on: what agents write is read as what it is, judged by rule, and given back where it
//! cannot be used.

mod killed;
mod misuse;

use serde_json::Value;

use crate::harness::fleet::{Engine, FIX, hasten, place_on};
use crate::harness::{Outcome, Place, eventually};

pub(crate) const GRILL: &str =
    "## Scope\nOnly CSV.\n\n## Acceptance\n- one\n- two\n- three\n\n## Risks\n- slow\n\n## Open ends\nnone\n";
pub(crate) const PLAN: &str = "---
epic:
  title: Export rows
stories:
  - title: CSV
    tasks:
      - title: Write rows
        id: rows
      - title: Quote them
        after: [rows]
---
";

pub(crate) fn review(verdict: &str, plan: &str) -> String {
    format!("---\nverdict: {verdict}\nissues: []\n---\n{plan}")
}

/// An agent that writes what stands in files of the place: `grill-1.md` in the first turn of that part, and so on; without a number,
/// whenever there is none with one. Where there is nothing to be written, nothing is.
pub(crate) fn script(place: &Place) -> String {
    let root = place.path("agent");
    std::fs::create_dir_all(&root).unwrap();
    let text = format!(
        "cd {root}\npart=$(basename \"$OVERNIGHT_RESULT\" | cut -d- -f2)\nn=$(($(cat count-$part 2>/dev/null || echo 0) + 1))\n\
         echo $n > count-$part\nfile=$part-$n.md\n[ -e $file ] || file=$part.md\n[ ! -e $file ] || cp $file \"$OVERNIGHT_RESULT\"\n",
        root = root.display()
    );
    let writer = place.write("agent/write.sh", &text);
    place.script(&[&format!("{{ run = {{ command = \"sh {}\" }} }}", writer.display())])
}

/// A place with an idea, `repo-1`, and an agent that has these documents.
pub(crate) fn place(documents: &[(&str, &str)]) -> (Place, String) {
    let mut place = Place::new();
    hasten(&mut place);
    with_idea(place, documents)
}

fn with_idea(place: Place, documents: &[(&str, &str)]) -> (Place, String) {
    let script = script(&place);
    for (name, text) in documents {
        place.write(&format!("agent/{name}.md"), text);
    }
    place.overnight(&["idea", "add", "Export", "--wish", "People want their rows."]).expect_code(0);
    (place, script)
}

impl Place {
    pub(crate) fn idea(&self, what: &str, script: &str, more: &[&str]) -> Outcome {
        let kind = ["idea", what, "repo-1", "--agent", "rehearsal", "--script", script];
        self.overnight(&[&kind, more].concat())
    }

    pub(crate) fn idea_state(&self) -> String {
        self.states("idea").pop().unwrap().replace("repo-1 ", "")
    }

    /// Part and revision of everything that was written.
    pub(crate) fn written(&self) -> Vec<String> {
        let listed = self.overnight(&["idea", "documents", "repo-1", "--json"]).expect_code(0).json();
        let line = |one: &Value| format!("{} {}", one["facts"]["part"].as_str().unwrap(), one["revision"]);
        listed["data"].as_array().unwrap().iter().map(line).collect()
    }

    fn reason(&self, key: &str) -> String {
        self.shown(key).reason().to_owned()
    }
}

/// Everything that goes well.
pub(crate) fn good() -> Vec<(&'static str, String)> {
    vec![("grill", GRILL.to_owned()), ("plan", PLAN.to_owned()), ("review", review("approved", PLAN))]
}

pub(crate) fn texts<'a>(all: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    all.iter().map(|(name, text)| (*name, text.as_str())).collect()
}

#[test]
fn an_idea_becomes_an_epic_that_is_worked_on() {
    let all = good();
    let (place, script) = place(&texts(&all));
    assert_eq!(place.idea_state(), "draft");
    place.overnight(&["idea", "accept", "repo-1"]).expect_code(2).expect_said(&["has no plan"]);
    place.idea("review", &script, &[]).expect_code(2).expect_said(&["has no plan", "idea plan repo-1"]);
    place.idea("run", &script, &[]).expect_code(0);
    assert_eq!(place.idea_state(), "grilling");
    place.idea("plan", &script, &[]).expect_code(2).expect_said(&["has not ended"]);
    place.overnight(&["idea", "accept", "repo-1"]).expect_code(2);
    place.work_off().expect_code(0);
    assert_eq!(place.idea_state(), "plan_reviewed");
    let parts = ["grill 1", "plan 1", "plan 2", "plan 3", "review 1", "review 2"];
    assert_eq!(place.written(), parts, "two rounds that changed nothing are enough");
    for (key, title) in [
        ("repo-2", "Grill: Export"),
        ("repo-3", "Plan: Export"),
        ("repo-4", "Review 1: Export"),
        ("repo-5", "Review 2: Export"),
    ] {
        let shown = place.shown(key);
        assert_eq!((shown.reason(), shown.job["title"].as_str().unwrap()), ("delivered", title));
    }
    let prompt = place.overnight(&["show", "repo-5", "--json"]).expect_code(0).json();
    let prompt = prompt["data"]["prompt"].as_str().unwrap().to_owned();
    assert!(prompt.contains("People want their rows.") && prompt.contains("Only CSV."), "{prompt}");
    let page = place.overnight(&["idea", "show", "repo-1"]).expect_code(0).expect_plain().stdout;
    for text in ["plan_reviewed", "round 2, approved", "Only CSV.", "title: Quote them"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(place.overnight(&["idea", "documents", "repo-1", "plan"]).expect_code(0).stdout, PLAN);
    place.overnight(&["idea", "documents", "repo-1", "grill", "--revision", "2"]).expect_code(2);
    place.idea("run", &script, &[]).expect_code(2).expect_said(&["idea accept repo-1"]);
    assert!(place.branches().is_empty(), "no code goes anywhere");

    let epic = place.overnight(&["idea", "accept", "repo-1"]).expect_code(0);
    assert_eq!(epic.stdout, "repo-6\n");
    assert!(!epic.stderr.contains("did not come out of a review"), "{}", epic.stderr);
    let again = place.overnight(&["idea", "accept", "repo-1"]).expect_code(0).expect_said(&["not again"]);
    assert_eq!(again.stdout, "repo-6\n");
    place.overnight(&["idea", "accept", "repo-1", "--revision", "1"]).expect_code(2).expect_said(&["repo-6"]);
    assert_eq!(place.idea_state(), "planned");
    place.idea("grill", &script, &[]).expect_code(2).expect_said(&["became repo-6"]);
    place.starts(&[FIX], &["repo-6"]).expect_code(0);
    place.work_off().expect_code(0);
    assert_eq!(place.states("task"), ["repo-8 review", "repo-9 review"]);
    place.finish();
}

#[test]
fn several_workers_make_one_job_of_each_part() {
    for engine in Engine::BOTH {
        let Some(place) = place_on(engine, "several_workers_make_one_job_of_each_part") else { continue };
        let all = good();
        let (place, script) = with_idea(place, &texts(&all));
        let workers = [place.worker(&[]), place.worker(&[]), place.worker(&[])];
        place.idea("run", &script, &[]).expect_code(0);
        eventually("the end of the review", || (place.idea_state() == "plan_reviewed").then_some(()));
        let accepting: Vec<Option<i32>> = std::thread::scope(|scope| {
            let accept = || place.overnight(&["idea", "accept", "repo-1"]).code;
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(accept)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(accepting, [Some(0); 3], "the second one is told of the same epic");
        drop(workers);
        assert_eq!(place.states("epic").len(), 1);
        assert_eq!(place.keys().len(), 4);
        assert_eq!(place.written().len(), 6);
        place.check_fleet();
    }
}

#[test]
fn a_plan_with_mistakes_is_given_back_with_their_lines() {
    let wrong = PLAN.replace("[rows]", "[row]");
    let (place, script) = place(&[("plan-1", &wrong), ("plan", PLAN)]);
    place.idea("plan", &script, &[]).expect_code(0);
    place.work_off().expect_code(0);
    assert_eq!((place.idea_state().as_str(), place.reason("repo-2").as_str()), ("plan_ready", "delivered"));
    assert_eq!(place.written(), ["plan 1"], "what was refused is no revision");
    let second = place.log("turn-2.prompt.md");
    assert!(
        second.contains("line 10: no task of this plan has the id \"row\"; did you mean rows?"),
        "{second}"
    );
    assert!(place.log("turn-1.result.md").contains("[row]"), "and is kept with the logs");
    let first = place.log("turn-1.prompt.md");
    assert!(first.contains("People want their rows.") && !first.contains("Commit your work"), "{first}");
    place.overnight(&["continue", "repo-2", "-m", "more"]).expect_code(2).expect_said(&["idea plan repo-1"]);
    place.finish();
}

#[test]
fn a_plan_that_is_wrong_again_and_again_has_failed() {
    let (place, script) = place(&[("plan", "no plan")]);
    place.idea("run", &script, &[]).expect_code(0);
    // Without a grill that can be read nothing follows.
    place.work_off().expect_code(0);
    assert_eq!(
        (place.idea_state().as_str(), place.reason("repo-2").as_str()),
        ("grill_failed", "document_refused")
    );
    place.idea("plan", &script, &[]).expect_code(0);
    place.work_off().expect_code(0);
    assert_eq!(
        (place.idea_state().as_str(), place.reason("repo-3").as_str()),
        ("plan_failed", "document_refused")
    );
    let job = place.shown("repo-3").job;
    assert_eq!(job["attempt"], 3, "{job:#}");
    assert!(job["detail"].as_str().unwrap().contains("line 1"), "{job:#}");
    // A person helps out.
    let file = place.write("by-hand.md", PLAN);
    place.overnight(&["idea", "edit", "repo-1", "--plan", file.to_str().unwrap()]).expect_code(0);
    assert_eq!(place.idea_state(), "plan_ready");
    let accepted = place.overnight(&["idea", "accept", "repo-1"]).expect_code(0);
    accepted.expect_said(&["did not come out of a review"]);
    place.finish();
}

#[test]
fn a_review_that_never_settles_ends_with_its_rounds() {
    let tasks = |count: usize| {
        let more: String = (0..count).map(|number| format!("      - title: More {number}\n")).collect();
        PLAN.replace("        after: [rows]\n", &format!("        after: [rows]\n{more}"))
    };
    let (one, two, three) =
        (review("approved", &tasks(3)), review("approved", &tasks(9)), review("approved", &tasks(30)));
    let (place, script) =
        place(&[("plan", PLAN), ("review-1", &one), ("review-2", &two), ("review", &three)]);
    place.idea("plan", &script, &[]).expect_code(0);
    place.work_off().expect_code(0);
    place.idea("review", &script, &[]).expect_code(0);
    place.work_off().expect_code(0);
    assert_eq!(
        place.idea_state(),
        "plan_review_failed",
        "an agent's approval of what it keeps rewriting is none"
    );
    assert_eq!(place.written(), ["plan 1", "plan 2", "plan 3", "plan 4", "review 1", "review 2", "review 3"]);
    let third = place.overnight(&["show", "repo-5", "--json"]).expect_code(0).json();
    assert_eq!(third["data"]["job"]["reason"], "delivered", "{third:#}");
    place.finish();
}

#[test]
fn a_review_without_a_verdict_or_against_the_plan_approves_nothing() {
    let none = format!("---\nissues: []\n---\n{PLAN}");
    let (place, script) = place(&[("plan", PLAN), ("review", &none)]);
    place.idea("plan", &script, &[]).expect_code(0);
    place.work_off().expect_code(0);
    place.idea("review", &script, &[]).expect_code(0);
    place.work_off().expect_code(0);
    assert_eq!(
        (place.idea_state().as_str(), place.reason("repo-3").as_str()),
        ("plan_review_failed", "document_refused")
    );
    assert!(place.shown("repo-3").job["detail"].as_str().unwrap().contains("no verdict"));
    place.write("agent/review.md", &review("rejected", PLAN));
    place.idea("review", &script, &[]).expect_code(0);
    place.work_off().expect_code(0);
    assert_eq!(
        (place.idea_state().as_str(), place.reason("repo-4").as_str()),
        ("plan_review_failed", "delivered")
    );
    assert_eq!(place.written(), ["plan 1", "plan 2", "review 1"], "nothing follows what was rejected");
    place.finish();
}

#[test]
fn a_grill_asks_a_person_and_goes_on_with_the_answer() {
    let (place, _) = place(&[("grill", GRILL)]);
    let write = place.path("agent/write.sh");
    let turns = format!(
        "[[turn]]\nsteps = [{{ ask = {{ question = \"CSV or JSON?\", options = [\"CSV\", \"JSON\"] }} }}]\n\
         [[turn]]\nsteps = [{{ run = {{ command = \"sh {}\" }} }}]\n",
        write.display()
    );
    let script = place.write("turns.toml", &turns).to_str().unwrap().to_owned();
    place.idea("grill", &script, &[]).expect_code(0);
    let worker = place.worker(&[]);
    eventually("a question", || (place.job()["reason"] == "answer").then_some(()));
    assert_eq!(place.idea_state(), "grilling");
    place.overnight(&["answer", "repo-2", "--option", "1"]).expect_code(0);
    assert_eq!(place.until_ended("repo-2"), "delivered");
    drop(worker);
    assert_eq!(place.idea_state(), "grilled");
    assert_eq!(place.job()["attempt"], 1);
    assert!(place.log("turn-2.prompt.md").contains("    CSV"));
    place.finish();
}

#[test]
fn a_question_that_nobody_answers_ends_the_grill_by_policy() {
    let (mut place, _) = place(&[]);
    place.env("OVERNIGHT_QUESTIONS_EXPIRE", "1s").env("OVERNIGHT_QUESTIONS_ON_EXPIRY", "end");
    let ask = "[[turn]]\nsteps = [{ ask = { question = \"CSV or JSON?\" } }]\n";
    let script = place.write("turns.toml", ask).to_str().unwrap().to_owned();
    place.idea("run", &script, &[]).expect_code(0);
    let worker = place.worker(&[]);
    assert_eq!(place.until_ended("repo-2"), "needs_input");
    drop(worker);
    assert_eq!(place.idea_state(), "grill_failed");
    place.finish();
}
