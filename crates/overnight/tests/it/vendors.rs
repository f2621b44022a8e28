//! The main job with the other vendors' real CLIs, offline: their models are scripted. Where a CLI is not installed, each test
//! says so and passes.

mod acp;
pub(crate) mod cli;
mod codex;
mod gemini;
mod listed;
mod matrix;
mod opencode;
mod qwen;
mod settings;

use overnight_testkit::model::{Action, Scenario};

use crate::harness::model::{KEY, run, sessions, start};
use crate::harness::{Place, eventually};
use cli::{Vendor, model, place};

/// The usual job, done right, after what was there before.
fn finish(scenario: Scenario) -> Scenario {
    scenario
        .shell("echo 42 > answer && git commit --quiet --all --message='Correct it'")
        .say("The answer is 42 now.")
}

fn published(place: &Place) {
    place.expect_reason("ended", "published");
    assert_eq!(place.branches().len(), 1);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    assert_eq!(place.job()["attempt"], 1);
}

/// One turn, a commit of the agent's own, and no key of the model anywhere in what is kept.
fn does_its_job(vendor: Vendor, test: &str) -> Option<Place> {
    let mut place = place(vendor, test)?;
    let model = model(vendor, &mut place, finish(Scenario::new()));
    run(&place, &[]).expect_code(0);
    published(&place);
    let branch = place.branches()[0].clone();
    assert_eq!(place.git(&["log", "-1", "--format=%B", &branch]), "Correct it", "as the agent wrote it");
    assert_eq!(model.count(), 2);
    let job = place.job();
    assert_eq!(job["used"]["turns"], 2, "{job:#}");
    assert_eq!(
        (&job["used"]["input_tokens"], &job["used"]["output_tokens"]),
        (&200.into(), &40.into()),
        "{job:#}"
    );
    place.expect_not_stored(KEY);
    Some(place)
}

/// A failed verification goes on in the same session, and each turn is charged for itself.
fn goes_on_in_its_session(vendor: Vendor, test: &str) {
    let Some(mut place) = place(vendor, test) else { return };
    let wrong = Scenario::new().shell("echo 40 > answer").say("The first answer.");
    let model = model(vendor, &mut place, finish(wrong));
    run(&place, &[]).expect_code(0);
    assert_eq!(model.count(), 4);
    let turns = sessions(&place);
    assert_eq!((turns[0].0.as_str(), turns[1].0.as_str()), ("fresh", "resume"), "{turns:?}");
    let asked = model.asked();
    let (first, second) = (asked[0].body.to_string(), asked[2].body.to_string());
    assert!(!first.contains("The first answer."));
    assert!(
        second.contains("The first answer.") && second.contains("answer is 40, not 42"),
        "it remembers: {second}"
    );
    let job = place.job();
    assert_eq!((&job["used"]["input_tokens"], &job["used"]["turns"]), (&400.into(), &4.into()), "{job:#}");
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}

/// The runner is killed while a command of the agent runs: the job goes on, in the session where the CLI kept one, and no
/// second agent works beside the first.
fn goes_on_after_a_kill(vendor: Vendor, test: &str) {
    let Some(mut place) = place(vendor, test) else { return };
    let command = "touch started; while [ ! -e go ]; do sleep 0.05; done";
    let model = model(vendor, &mut place, finish(Scenario::new().shell(command)));
    let live = start(&place);
    let workspace = || place.job_dir().map(|dir| dir.join("workspace").join("started"));
    eventually("the agent's command runs", || workspace().filter(|file| file.exists()));
    let kept = place.home().join(vendor.sessions());
    let remembered = vendor.kept("touch started", "Make the check pass");
    eventually("the CLI's own record of the session", || {
        (!crate::harness::job::files_with(&kept, remembered.as_bytes()).is_empty()).then_some(())
    });
    live.kill();
    place.overnight(&["resume"]).expect_code(0);
    published(&place);
    let turns = sessions(&place);
    assert_eq!(turns.len(), 2, "{turns:?}");
    assert_eq!(turns[1].0, "resume", "{turns:?}");
    assert!(model.asked()[1].body.to_string().contains(remembered), "it goes on where it was");
    place.finish();
}

/// Trouble of the vendor's uses up no attempt; afterwards the job goes on to its end.
fn waits(vendor: Vendor, test: &str, first: Action, code: i32, reason: &str) {
    let Some(mut place) = place(vendor, test) else { return };
    let steps = Scenario::new().then(first);
    // Some CLIs ask several times before they give up.
    let model = model(vendor, &mut place, steps);
    run(&place, &[]).expect_code(code).expect_said(&["overnight resume"]);
    let job = place.expect_reason("parked", reason);
    assert_eq!(job["attempt"], 1, "{job:#}");
    assert!(place.events_of("attempt_failed").is_empty());
    assert!(place.branches().is_empty());
    drop(model);
    let _model = cli::model(vendor, &mut place, finish(Scenario::new()));
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    published(&place);
    place.finish();
}

/// A model that the vendor does not have is a matter of settings: asked again, it would be refused again.
fn has_no_such_model(vendor: Vendor, test: &str, words: &str) {
    let Some(mut place) = place(vendor, test) else { return };
    let refusal =
        Action::Http { status: 404, retry_after: None, reset_at: None, message: Some(words.to_owned()) };
    let model = model(vendor, &mut place, Scenario::new().then(refusal));
    run(&place, &[]).expect_code(2).expect_said(&["--model"]);
    let job = place.expect_reason("ended", "config_invalid");
    assert!(job["detail"].as_str().unwrap().contains(words), "the vendor's words: {job:#}");
    assert_eq!((place.events_of("turn_announced").len(), model.count()), (1, 1));
    place.finish();
}

fn status(status: u16) -> Action {
    Action::Http { status, retry_after: None, reset_at: None, message: None }
}
