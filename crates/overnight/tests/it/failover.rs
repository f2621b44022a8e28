//! Another agent takes over when the first gives up, on its commits and with a note of what was tried.

use overnight_testkit::model::{Action, Scenario};

use crate::harness::Place;
use crate::harness::model::{self, KEY};
use crate::vendors::cli::{self, Vendor};

const WRONG: &str = "{ write = { path = \"answer\", content = \"40\\n\" } }, { write = { path = \"notes\", content = \"kept\\n\" } }, \
                     { commit = { message = \"A guess\" } }, { say = \"I think it is 40.\" }";

/// The first agent is the scripted one; the backup is a program that keeps what it is told.
fn with_backup(place: &Place, first: &[&str], more: &[&str]) -> crate::harness::Outcome {
    let script = place.script(first);
    let told = place.path("told");
    place.configure(&format!(
        "[agent.adapters.fixer]\nargv = [\"sh\", \"-c\", \"cat > {}; echo 42 > answer\"]\nprompt = \"stdin\"\noutput = \"text\"\n",
        told.display()
    ));
    let args = ["run", "--agent", "rehearsal", "--script", &script, "--backup-agent", "fixer"];
    place.overnight(&[&args[..], more, &["Make the check pass"]].concat())
}

#[test]
fn after_its_last_attempt_the_first_agent_hands_its_work_over() {
    let place = Place::new();
    with_backup(&place, &[WRONG, WRONG], &["--attempts", "2"]).expect_code(0).expect_said(&["takes over"]);
    let branch = place.branches()[0].clone();
    assert_eq!((place.show(&branch, "answer"), place.show(&branch, "notes")), ("42".into(), "kept".into()));
    let over = place.events_of("taken_over");
    assert_eq!((over.len(), &over[0]["backend"]), (1, &"adapter".into()), "{over:?}");
    let told = std::fs::read_to_string(place.path("told")).unwrap();
    for words in [
        "Make the check pass",
        "Another agent worked on this",
        "Attempt 2",
        "I think it is 40.",
        "answer is 40, not 42",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let shown = place.overnight(&["show", "repo-1"]).expect_code(0);
    assert!(shown.stdout.contains("fixer took over"), "{}", shown.stdout);
    place.finish();
}

#[test]
fn what_was_stopped_for_its_cost_is_not_handed_over() {
    let place = Place::new();
    let spends = "{ usage = { output = 900 } }, { usage = { output = 900 } }, \"hang\"";
    with_backup(&place, &[spends], &["--max-tokens", "1000"])
        .expect_code(2)
        .expect_said(&["fixer", "--max-tokens"]);
    let place = Place::new();
    let hangs = "{ write = { path = \"notes\", content = \"kept\\n\" } }, \"hang\"";
    with_backup(&place, &[hangs], &["--max-time", "3s"]).expect_code(7);
    assert!(place.events_of("taken_over").is_empty());
    place.expect_reason("ended", "budget_time");
    place.finish();
}

#[test]
fn a_vendor_that_does_not_answer_for_too_long_is_replaced_by_another() {
    let test = "a_vendor_that_does_not_answer_for_too_long";
    let Some(mut place) = model::place(test) else { return };
    let Some(codex) = cli::place(Vendor::Codex, test) else { return };
    let program = codex.environment()[std::ffi::OsStr::new("OVERNIGHT_AGENT_PROGRAM_CODEX")].clone();
    place.env("OVERNIGHT_AGENT_PROGRAM_CODEX", program).env("OVERNIGHT_AGENT_CODEX_BILLING", "key");
    // With its own login the CLI says when the quota comes back.
    place
        .env("OVERNIGHT_AGENT_CLAUDE_BILLING", "subscription")
        .env("CLAUDE_CODE_OAUTH_TOKEN", "dummy-login-7c1d");
    let far =
        Action::Http { status: 429, retry_after: Some(7_200), reset_at: Some(1_900_000_000), message: None };
    let begun =
        Scenario::new().shell("echo kept > notes && git add notes && git commit --quiet --message=Notes");
    let steps = begun
        .then(far)
        .shell("echo 42 > answer && git commit --quiet --all --message='Correct it'")
        .say("Done.");
    let behind = cli::model(Vendor::Codex, &mut place, steps);
    place.env("ANTHROPIC_BASE_URL", behind.url());
    let args = ["--backup-agent", "codex", "--backup-model", "gpt-5.5", "--backup-patience", "30m"];
    model::run(&place, &args).expect_code(0);
    let branch = place.branches()[0].clone();
    assert_eq!((place.show(&branch, "answer"), place.show(&branch, "notes")), ("42".into(), "kept".into()));
    let job = place.job();
    assert_eq!(job["attempt"], 1, "no attempt was used up: {job:#}");
    assert!(place.events_of("parked").is_empty(), "it is known to last longer than the patience");
    let backends: Vec<String> =
        place.events_of("turn_announced").iter().map(|event| event["backend"].to_string()).collect();
    assert_eq!(backends, ["\"claude\"", "\"codex\""]);
    let asked = behind.asked();
    let first_of_codex = asked.iter().find(|request| request.path.ends_with("/responses")).unwrap();
    assert!(first_of_codex.body.to_string().contains("Another agent worked on this"));
    place.expect_not_stored(KEY);
    place.finish();
}
