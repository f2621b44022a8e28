//! Settings of a job: which section of the configuration gives what, that the worker's configuration is the one that counts,
//! and that it counts once.

use serde_json::{Value, json};

use crate::harness::Place;
use crate::harness::fleet::{FIX, hasten, held_until};

fn place() -> Place {
    let mut place = Place::new();
    hasten(&mut place);
    place
}

impl Place {
    /// The settings of a job, as `show --json` tells them.
    #[track_caller]
    fn settings(&self, key: &str) -> Value {
        self.overnight(&["show", key, "--json"]).expect_code(0).json()["data"]["settings"].clone()
    }

    /// How long a job's agent may be silent: a setting that changes nothing about the scripted one's way.
    #[track_caller]
    fn silence(&self, key: &str) -> Value {
        self.settings(key)["silence"].clone()
    }
}

fn is(value: &str, origin: &str) -> Value {
    json!({"value": value, "origin": origin})
}

const SECTIONS: &str = "\
    [agent]\nsilence = '5m'\nbilling = 'key'\n[limits]\nattempts = 5\ntokens = 500\n\
    [agent.rehearsal]\nsilence = '6m'\nlimits.turns = 60\n\
    [kind.implement]\nsilence = '7m'\nbackup_agent = 'rehearsal'\nbackup_patience = '3h'\nlimits.time = '7h'\n\
    [kind.plan]\nsilence = '1m'\n\
    [repository.repo]\nlimits.time = '8h'\n[repository.other]\nsilence = '1m'\n";

#[test]
fn each_section_gives_what_it_says_and_the_strongest_one_wins() {
    let place = place();
    place.configure(SECTIONS);
    let key = place.add("repo", &[FIX], &["--max-tokens", "70k"]);
    let settings = place.settings(&key);
    let wanted = [
        ("agent", is("rehearsal", "job")),
        ("limits.tokens", is("70000", "job")),
        ("limits.time", is("8h", "repository")),
        ("silence", is("7m", "kind")),
        ("backup_agent", is("rehearsal", "kind")),
        ("backup_patience", is("3h", "kind")),
        ("limits.turns", is("60", "agent")),
        ("limits.attempts", is("5", "default")),
        ("billing", is("key", "default")),
        ("grace", is("1s", "default")),
        ("model", json!({"value": null, "origin": "default"})),
    ];
    for (name, wanted) in wanted {
        assert_eq!(settings[name], wanted, "{name} of {settings:#}");
    }
    let page = place.overnight(&["show", &key]).expect_code(0).stdout;
    for line in ["silence            7m  (kind)", "limits.time        8h  (repository)"] {
        assert!(page.contains(line), "{line:?} in {page}");
    }
    place.work_off().expect_code(0);
    assert_eq!(place.until_ended(&key), "published");
    assert!(place.shown(&key).first("configured").is_none(), "the worker has the same configuration");
    place.finish();
}

#[test]
fn what_a_job_would_get_can_be_asked_for() {
    let place = place();
    place.configure(SECTIONS);
    let ask = |more: &[&str]| {
        let args = [&["config", "show", "--kind", "plan", "--json"], more].concat();
        place.overnight(&args).expect_code(0).json()["data"].clone()
    };
    let plan = ask(&["--agent", "claude"]);
    assert_eq!(plan["settings"]["silence"], is("1m", "kind"), "{plan:#}");
    assert_eq!(plan["settings"]["effort"], is("xhigh", "default"));
    assert_eq!(plan["settings"]["limits.turns"], is("20", "default"));
    let other = ask(&["--agent", "rehearsal", "--repository", "other"]);
    assert_eq!(other["settings"]["silence"], is("1m", "repository"));
    assert_eq!(other["settings"]["limits.turns"], is("60", "agent"));
    assert_eq!(other["settings"]["effort"], json!({"value": null, "origin": "default"}), "it has no levels");
    place.overnight(&["config", "show", "--repository", "repo"]).expect_code(2).expect_said(&["--kind"]);
    place.overnight(&["config", "show", "--kind", "plam"]).expect_code(2).expect_said(&["plan"]);
    let told = place.overnight(&["config", "get", "kind.plan.silence"]).expect_code(0).stdout;
    assert_eq!(told, "1m\n");
    place.overnight(&["config", "get", "kind.plan.model"]).expect_code(0);
    place.finish();
}

#[test]
fn the_configuration_at_the_first_claim_counts_and_no_later_one() {
    let place = place();
    place.configure("[agent]\nsilence = '5m'\n[kind.implement]\nlimits.attempts = 4\n");
    let gate = place.path("go");
    let key = place.add("repo", &[&held_until(gate.to_str().unwrap())], &["--max-turns", "50"]);
    assert_eq!(place.silence(&key), is("5m", "default"));

    place.configure("[repository.repo]\nsilence = '6m'\nlimits.turns = 5\nlimits.attempts = 9\n");
    let mut worker = place.worker(&[]);
    place.until_at_gate(&key);
    let settings = place.settings(&key);
    assert_eq!(settings["silence"], is("6m", "repository"), "{settings:#}");
    assert_eq!(settings["limits.attempts"], is("4", "kind"), "never loosened");
    assert_eq!(settings["limits.turns"], is("50", "job"), "asked for");
    let told = place.until_event(&key, "configured");
    assert_eq!(told["settings"]["agent"]["silence_ms"], 360_000, "{told:#}");
    assert_eq!(told["settings"]["choice"]["origins"]["silence"], "repository");

    // Killed, changed, taken up again: what was frozen stays.
    worker.kill();
    place.configure("[repository.repo]\nsilence = '7m'\n");
    std::fs::write(&gate, "").unwrap();
    place.work_off().expect_code(0);
    assert_eq!(place.until_ended(&key), "published");
    assert_eq!(place.silence(&key), is("6m", "repository"));
    let events = place.shown(&key).events;
    assert_eq!(events.iter().filter(|event| event["type"] == "configured").count(), 1);

    // The same order again is a new job: it asks for the same, and the rest is resolved anew.
    place.overnight(&["retry", &key]).expect_code(0);
    let again = place.settings("repo-2");
    assert_eq!(again["silence"], is("7m", "repository"), "{again:#}");
    assert_eq!(again["limits.turns"], is("50", "job"));
    assert_eq!(again["limits.attempts"], is("3", "default"));
    place.finish();
}

#[test]
fn a_worker_takes_a_changed_configuration_over_for_later_claims() {
    let place = place();
    place.configure("[agent]\nsilence = '5m'\n");
    let worker = place.worker(&[]);
    worker.until_said("at a time");
    place.configure("[agent]\nsilence = '5m'\n[kind.implement]\nsilence = '6m'\n");
    worker.signal("HUP");
    worker.until_said("from now on: kind.implement.silence");
    // Ordered where nothing is configured.
    let key = place.add("repo", &[FIX], &["--no-config"]);
    assert_eq!(place.until_ended(&key), "published");
    assert_eq!(place.silence(&key), is("6m", "kind"));
    worker.stop().expect_code(0);
    place.finish();
}

#[test]
fn settings_that_the_workers_agent_cannot_keep_end_the_job() {
    let place = place();
    let script = ["add", "--command", "true", "Make the check pass"];
    place.overnight(&script).expect_code(0);
    place.configure("[limits]\ncost = 1\n");
    place.work_off().expect_code(0);
    let job = place.expect_reason("ended", "config_invalid");
    assert!(job["detail"].as_str().unwrap().contains("--max-cost"), "{job:#}");
    assert_eq!(job["turns"], 0, "no agent was started");
    place
        .overnight(&script)
        .expect_code(2)
        .expect_said(&["the command agent gives no way to keep --max-cost"]);
    place.finish();
}

#[test]
fn who_takes_over_is_checked_when_the_job_is_ordered() {
    let place = place();
    let script = place.script(&[FIX]);
    let refused = |more: &[&str], said: &str| {
        let args = [&["run", "--agent", "rehearsal", "--script", &script], more, &["x"]].concat();
        place.overnight(&args).expect_code(2).expect_said(&[said]);
    };
    refused(&["--backup-model", "m"], "no agent is to take over");
    refused(&["--backup-agent", "nobody"], "expected one of claude");
    refused(&["--backup-agent", "command"], "needs a command");
    refused(&["--backup-agent", "codex", "--backup-effort", "max"], "no effort max");
    refused(
        &["--backup-agent", "codex", "--max-cost", "1"],
        "the codex agent gives no way to keep --max-cost",
    );
    assert!(place.keys().is_empty(), "nothing was queued");
    place.finish();
}

#[test]
fn a_key_stands_for_the_same_order_whatever_the_configuration_makes_of_it() {
    let place = place();
    let key = place.add("repo", &[FIX], &["--key", "mine"]);
    place.configure("[kind.implement]\nsilence = '6m'\n");
    place.work_off().expect_code(0);
    assert_eq!(place.silence(&key), is("6m", "kind"));
    let script = place.path("scripts/0.toml");
    let again = |more: &[&str]| {
        let args = ["add", "--agent", "rehearsal", "--script", script.to_str().unwrap(), "--key", "mine"];
        place.overnight(&[&args, more, &["Make the check pass"]].concat())
    };
    assert_eq!(again(&[]).expect_code(0).stdout, format!("{key}\n"));
    again(&["--max-turns", "9"]).expect_code(2).expect_said(&["used before, for another order"]);
    place.finish();
}
