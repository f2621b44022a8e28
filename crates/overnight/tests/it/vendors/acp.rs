//! Real CLIs over the Agent Client Protocol, with our own client between them and the runner.

use overnight_testkit::model::{Action, Scenario};

use super::cli::{self, Vendor, one_file};
use super::{finish, published, status};
use crate::harness::model::{KEY, run, sessions, start};
use crate::harness::{Place, eventually, skipped};

/// How the CLI is told to speak the protocol.
fn words(vendor: Vendor) -> &'static [&'static str] {
    match vendor {
        Vendor::Gemini => &["--acp", "--model", "{model}"],
        Vendor::Qwen => &["--acp", "--approval-mode", "yolo", "--model", "{model}"],
        Vendor::Opencode | Vendor::Codex => &["acp"],
    }
}

/// A place whose agent is described in the configuration; `None`, and said so, where the CLI is not installed.
fn place(vendor: Vendor, test: &str) -> Option<Place> {
    let program = vendor.program().inspect_err(|reason| skipped(test, reason)).ok()?;
    let mut place = Place::new();
    let program = one_file(&place, vendor.name(), &program);
    let argv: Vec<String> =
        [program.to_str().unwrap()].iter().chain(words(vendor)).map(|word| format!("{word:?}")).collect();
    let adapter = format!("[agent.adapters.spoken]\nprotocol = \"acp\"\nargv = [{}]\n", argv.join(", "));
    place.write("home/.config/overnight/config.toml", &adapter);
    place.env("OVERNIGHT_AGENT_DEFAULT", "spoken").env("OVERNIGHT_AGENT_GRACE", "8s");
    place.env("OVERNIGHT_AGENT_BILLING", "key");
    if words(vendor).contains(&"{model}") {
        place.env("OVERNIGHT_AGENT_MODEL", vendor.model());
    }
    Some(place)
}

/// One turn, a commit of the agent's own, and no key of the model anywhere in what is kept.
fn does_its_job(vendor: Vendor, test: &str, tokens: Option<(u64, u64)>) {
    let Some(mut place) = place(vendor, test) else { return };
    let model = cli::model(vendor, &mut place, finish(Scenario::new()));
    run(&place, &[]).expect_code(0);
    published(&place);
    let branch = place.branches()[0].clone();
    assert_eq!(place.git(&["log", "-1", "--format=%B", &branch]), "Correct it", "as the agent wrote it");
    assert_eq!(model.count(), 2);
    let job = place.job();
    assert_eq!((&job["agent"], &job["used"]["turns"]), (&"spoken".into(), &2.into()), "{job:#}");
    if let Some((input, output)) = tokens {
        let used = (&job["used"]["input_tokens"], &job["used"]["output_tokens"]);
        assert_eq!(used, (&input.into(), &output.into()), "{job:#}");
    }
    place.expect_not_stored(KEY);
    place.finish();
}

#[test]
fn gemini_does_its_job_over_acp() {
    does_its_job(Vendor::Gemini, "gemini_does_its_job_over_acp", Some((200, 40)));
}

#[test]
fn qwen_does_its_job_over_acp() {
    does_its_job(Vendor::Qwen, "qwen_does_its_job_over_acp", Some((200, 40)));
}

#[test]
fn opencode_does_its_job_over_acp() {
    does_its_job(Vendor::Opencode, "opencode_does_its_job_over_acp", None);
}

/// An agent may be named by its command line alone.
#[test]
fn an_agent_over_acp_needs_no_configuration() {
    let Some(mut place) = place(Vendor::Gemini, "an_agent_over_acp_needs_no_configuration") else { return };
    let model = cli::model(Vendor::Gemini, &mut place, finish(Scenario::new()));
    let command = format!("{} --acp --model {}", place.path("bin/gemini").display(), Vendor::Gemini.model());
    place.env("OVERNIGHT_AGENT_DEFAULT", "claude").env("OVERNIGHT_AGENT_MODEL", Vendor::Gemini.model());
    run(&place, &["--acp", &command]).expect_code(0);
    published(&place);
    assert_eq!(place.job()["agent"], "acp-gemini");
    drop(model);
    place.finish();
}

/// A failed verification goes on in the same session, where the agent can load one.
fn goes_on_in_its_session(vendor: Vendor, test: &str) {
    let Some(mut place) = place(vendor, test) else { return };
    let wrong = Scenario::new().shell("echo 40 > answer").say("The first answer.");
    let model = cli::model(vendor, &mut place, finish(wrong));
    run(&place, &[]).expect_code(0);
    let turns = sessions(&place);
    assert_eq!((turns[0].0.as_str(), turns[1].0.as_str(), turns.len()), ("fresh", "resume", 2), "{turns:?}");
    let second = model.asked()[2].body.to_string();
    assert!(
        second.contains("The first answer.") && second.contains("answer is 40, not 42"),
        "it remembers: {second}"
    );
    assert_eq!(place.job()["used"]["turns"], 4);
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}

#[test]
fn qwen_goes_on_in_its_session_over_acp() {
    goes_on_in_its_session(Vendor::Qwen, "qwen_goes_on_in_its_session_over_acp");
}

#[test]
fn opencode_goes_on_in_its_session_over_acp() {
    goes_on_in_its_session(Vendor::Opencode, "opencode_goes_on_in_its_session_over_acp");
}

/// Waits for the first half of a minute of the clock: what begins then and takes seconds ends within that minute.
fn early_in_a_minute() {
    let second = || std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() % 60;
    while second() >= 30 {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

/// Within the minute in which it began a session this one cannot load it, and throws its record away (seen with 0.61.0, whose
/// records are named by the minute): the job goes on in a fresh one.
#[test]
fn gemini_goes_on_without_a_session_of_the_same_minute_over_acp() {
    let vendor = Vendor::Gemini;
    let test = "gemini_goes_on_without_a_session_of_the_same_minute_over_acp";
    let Some(mut place) = place(vendor, test) else { return };
    let wrong = Scenario::new().shell("echo 40 > answer").say("The first answer.");
    let model = cli::model(vendor, &mut place, finish(wrong));
    early_in_a_minute();
    run(&place, &[]).expect_code(0);
    let kinds: Vec<String> = sessions(&place).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["fresh", "resume", "fresh"]);
    let job = place.job();
    assert_eq!((&job["attempt"], &job["used"]["turns"]), (&2.into(), &4.into()), "{job:#}");
    assert!(model.asked()[2].body.to_string().contains("answer is 40, not 42"));
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}

/// A refused key waits for a person and uses up no attempt.
fn waits_for_a_login(vendor: Vendor, test: &str) {
    let Some(mut place) = place(vendor, test) else { return };
    let model = cli::model(vendor, &mut place, Scenario::new().then(status(401)));
    run(&place, &[]).expect_code(4).expect_said(&["overnight resume"]);
    place.expect_reason("parked", "agent_login");
    assert!(place.events_of("attempt_failed").is_empty());
    drop(model);
    let _model = cli::model(vendor, &mut place, finish(Scenario::new()));
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    published(&place);
    place.finish();
}

#[test]
fn a_refused_key_of_gemini_over_acp_waits_for_a_person() {
    waits_for_a_login(Vendor::Gemini, "a_refused_key_of_gemini_over_acp_waits_for_a_person");
}

#[test]
fn a_refused_key_of_qwen_over_acp_waits_for_a_person() {
    waits_for_a_login(Vendor::Qwen, "a_refused_key_of_qwen_over_acp_waits_for_a_person");
}

/// This one has nothing but a sentence for it, in which nothing is looked for: a failure like any other.
#[test]
fn a_refused_key_of_opencode_over_acp_is_a_failure() {
    let vendor = Vendor::Opencode;
    let Some(mut place) = place(vendor, "a_refused_key_of_opencode_over_acp_is_a_failure") else { return };
    let _model = cli::model(vendor, &mut place, Scenario::new().then(status(401)));
    run(&place, &["--attempts", "1"]);
    place.expect_reason("ended", "agent_failed");
    place.finish();
}

/// A model that never answers: the agent is asked to stop, does so and leaves by itself.
fn stops_when_it_is_asked(vendor: Vendor, test: &str) {
    let Some(mut place) = place(vendor, test) else { return };
    let model = cli::model(vendor, &mut place, Scenario::new().then(Action::Hang));
    let live = start(&place);
    eventually("the model is asked", || (model.count() > 0).then_some(()));
    place.overnight(&["cancel", "repo-1"]);
    live.wait();
    place.expect_reason("ended", "cancelled");
    let log = place.log("turn-1.out.jsonl");
    assert!(log.contains("\"stopReason\":\"cancelled\""), "{log}");
    place.finish();
}

#[test]
fn gemini_stops_when_it_is_asked_over_acp() {
    stops_when_it_is_asked(Vendor::Gemini, "gemini_stops_when_it_is_asked_over_acp");
}

#[test]
fn qwen_stops_when_it_is_asked_over_acp() {
    stops_when_it_is_asked(Vendor::Qwen, "qwen_stops_when_it_is_asked_over_acp");
}

#[test]
fn opencode_stops_when_it_is_asked_over_acp() {
    stops_when_it_is_asked(Vendor::Opencode, "opencode_stops_when_it_is_asked_over_acp");
}

/// The runner is killed while a command of the agent runs. Client, agent and command die with it, and the job goes on.
fn goes_on_after_a_kill(vendor: Vendor, test: &str) {
    let Some(mut place) = place(vendor, test) else { return };
    let command = "touch started; while [ ! -e go ]; do sleep 0.05; done";
    let _model = cli::model(vendor, &mut place, finish(Scenario::new().shell(command)));
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
    assert_eq!(turns[1].0, "resume", "{turns:?}");
    place.finish();
}

#[test]
fn gemini_goes_on_after_a_kill_over_acp() {
    goes_on_after_a_kill(Vendor::Gemini, "gemini_goes_on_after_a_kill_over_acp");
}

#[test]
fn qwen_goes_on_after_a_kill_over_acp() {
    goes_on_after_a_kill(Vendor::Qwen, "qwen_goes_on_after_a_kill_over_acp");
}

#[test]
fn opencode_goes_on_after_a_kill_over_acp() {
    goes_on_after_a_kill(Vendor::Opencode, "opencode_goes_on_after_a_kill_over_acp");
}
