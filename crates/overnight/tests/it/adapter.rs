//! Agents that are described in the configuration: a shell script stands for a CLI that nobody programmed a driver for.

use std::os::unix::fs::PermissionsExt;

use crate::harness::Place;
use crate::harness::fleet::hasten;
use crate::harness::model::{run, sessions};

/// Writes a wrong answer first; in a session that goes on it corrects what it is told.
const WORKER: &str = r#"
prompt=$(cat)
[ "$1" = --model ] && model=$2 && shift 2
echo "{\"session\": {\"id\": \"s-1\"}, \"model\": \"$model\"}"
echo 'this is no JSON {'
if [ "$1" = --resume ]; then
  [ "$2" = s-1 ] || exit 8
  printf '%s' "$prompt" | grep -q 'answer is 40, not 42' || exit 9
  echo 42 > answer
else
  echo 40 > answer
fi
[ -z "$WORKER_KEY" ] || echo "{\"key\": \"$WORKER_KEY\"}"
echo '{"usage": {"input": 100, "output": 20}, "turns": 1, "usd": 0.25, "unknown": [1]}'
echo '{"result": "429 Too Many Requests: authentication failed"}'
"#;

const DESCRIPTION: &str = r#"
[agent.adapters.worker]
argv = ["worker", "--model", "{model}"]
resume = ["worker", "--resume", "{session}"]
output = "jsonl"
env = ["WORKER_KEY"]
fields.session = ["session_id", "session.id"]
fields.model = "model"
fields.result = "result"
fields.input_tokens = "usage.input"
fields.output_tokens = "usage.output"
fields.turns = "turns"
fields.cost = "usd"
exits.75 = "overloaded"
exits.76 = "login_expired"
"#;

/// A place with a program called `worker`, described like this.
fn place(script: &str, description: &str) -> Place {
    let mut place = Place::new();
    let file = place.write("bin/worker", &format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    place.write("home/.config/overnight/config.toml", description);
    let path = std::env::join_paths(
        [place.path("bin")].into_iter().chain(std::env::split_paths(&crate::harness::path_variable())),
    );
    place.env("PATH", path.unwrap());
    place
}

#[test]
fn a_described_cli_goes_on_in_its_session_until_the_work_is_right() {
    let mut place = place(WORKER, DESCRIPTION);
    place.env("WORKER_KEY", "canary-8e1f");
    run(&place, &["--agent", "worker", "--model", "m-7"]).expect_code(0);
    let job = place.expect_reason("ended", "published");
    assert_eq!((&job["agent"], &job["attempt"]), (&"worker".into(), &2.into()), "{job:#}");
    let used = &job["used"];
    assert_eq!(
        (&used["input_tokens"], &used["output_tokens"], &used["turns"]),
        (&200.into(), &40.into(), &2.into())
    );
    assert_eq!(used["cost_microdollars"], 500_000, "{used:#}");
    let turns = sessions(&place);
    assert_eq!((turns[0].0.as_str(), &turns[1]), ("fresh", &("resume".to_owned(), "s-1".to_owned())));
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    assert!(place.log("turn-1.out.jsonl").contains("m-7"), "the model was filled in");
    place.expect_not_stored("canary-8e1f");
    place.finish();
}

#[test]
fn a_key_reaches_a_described_cli_where_a_key_pays() {
    let script = "cat > /dev/null\necho \"key $WORKER_KEY\"\n[ \"$WORKER_KEY\" = canary-77e0c1 ] && [ -z \"$GITHUB_TOKEN\" ] && echo 42 > answer";
    let mut place = place(script, "[agent.adapters.worker]\nargv = ['worker']\nenv = 'WORKER_KEY'\n");
    place
        .env("WORKER_KEY", "canary-77e0c1")
        .env("OVERNIGHT_AGENT_DEFAULT", "worker")
        .env("OVERNIGHT_AGENT_BILLING", "key");
    run(&place, &[]).expect_code(0);
    place.expect_reason("ended", "published");
    place.expect_not_stored("canary-77e0c1");
    place.finish();
}

#[test]
fn an_exit_status_means_what_was_said_of_it() {
    for (status, code, reason) in [(75, 7, "overloaded"), (76, 4, "agent_login")] {
        let place = place(&format!("cat > /dev/null; exit {status}"), DESCRIPTION);
        run(&place, &["--agent", "worker"]).expect_code(code);
        let job = place.expect_reason("parked", reason);
        assert_eq!(job["attempt"], 1, "{job:#}");
        assert!(place.events_of("attempt_failed").is_empty());
        place.finish();
    }
}

#[test]
fn a_described_cli_is_stopped_in_the_middle_of_its_turn() {
    let script = "cat > /dev/null\necho '{\"usage\": {\"input\": 900}}'\nsleep 1000\ntouch ../canary";
    let place = place(script, DESCRIPTION);
    run(&place, &["--agent", "worker", "--max-tokens", "500"]).expect_code(7).expect_said(&["--max-tokens"]);
    let job = place.expect_reason("ended", "budget_tokens");
    assert_eq!(job["used"]["input_tokens"], 900, "{job:#}");
    place.finish();
}

#[test]
fn half_a_line_and_a_death_are_a_failed_attempt() {
    let script = "cat > /dev/null\necho 42 > answer\nprintf '{\"result\": \"don'\nkill -9 $$";
    let place = place(script, DESCRIPTION);
    run(&place, &["--agent", "worker", "--attempts", "1"]);
    let job = place.job();
    assert_eq!(job["state"], "ended", "{job:#}");
    assert!(place.branches().is_empty(), "{job:#}");
    place.finish();
}

#[test]
fn what_a_description_does_not_give_is_refused() {
    let plain =
        "[agent.adapters.worker]\nargv = ['worker']\n[agent.adapters.gone]\nargv = ['no-such-program']\n";
    let mut place = place("exit 0", plain);
    for (flags, said) in [
        (
            &["--agent", "worker", "--max-tokens", "500"][..],
            "the worker agent gives no way to keep --max-tokens",
        ),
        (&["--agent", "worker", "--model", "m"], "no setting for model"),
        (&["--agent", "wroker"], "did you mean worker?"),
        (&["--agent", "gone"], "no-such-program"),
        (&["--agent", "worker", "--command", "x"], "--command belongs to the command agent"),
        (&["--agent", "acp"], "--acp"),
        (&["--acp", "'open"], "never closed"),
    ] {
        run(&place, flags).expect_code(2).expect_said(&[said]);
    }
    let listed = place.overnight(&["agent", "ls", "--json"]).expect_code(0).json();
    let of = |name: &str| {
        listed["data"].as_array().unwrap().iter().find(|agent| agent["agent"] == name).cloned().unwrap()
    };
    assert_eq!(of("worker")["program"], place.path("bin/worker").to_str().unwrap());
    assert!(of("gone")["program"].is_null() && of("gone")["command"] == "no-such-program");
    place.overnight(&["agent", "doctor", "worker"]).expect_code(0);
    let page = place.overnight(&["agent", "doctor", "gone"]).expect_code(1);
    assert!(page.stdout.contains("no-such-program is not in PATH"), "{}", page.stdout);
    let config = place.overnight(&["config", "show"]).expect_code(0);
    assert!(config.stdout.contains("agent.adapters.gone"), "{}", config.stdout);
    place.env("OVERNIGHT_AGENT_DEFAULT", "wroker");
    run(&place, &[]).expect_code(2).expect_said(&["OVERNIGHT_AGENT_DEFAULT", "did you mean worker?"]);
}

#[test]
fn sections_name_described_agents_who_work_and_take_over() {
    let sections = "[agent.adapters.broken]\nargv = ['sh', '-c', 'cat > /dev/null; exit 1']\n\
                    [kind.implement]\nagent = 'broken'\nlimits.attempts = 2\n\
                    [repository.repo]\nbackup_agent = 'worker'\nbackup_model = 'm-8'\n";
    let place = place(WORKER, &format!("{DESCRIPTION}{sections}"));
    run(&place, &["--max-tokens", "500"])
        .expect_code(2)
        .expect_said(&["the broken agent gives no way to keep --max-tokens"]);
    run(&place, &[]).expect_code(0).expect_said(&["worker (m-8) takes over"]);
    let job = place.expect_reason("ended", "published");
    let taken = &place.events_of("taken_over")[0];
    assert_eq!((&taken["backend"], &taken["adapter"]), (&"adapter".into(), &"worker".into()), "{taken:#}");
    let shown = place.overnight(&["show", job["key"].as_str().unwrap(), "--json"]).expect_code(0).json();
    let settings = &shown["data"]["settings"];
    let is = |value: &str, origin: &str| serde_json::json!({"value": value, "origin": origin});
    assert_eq!(settings["agent"], is("broken", "kind"), "{settings:#}");
    assert_eq!(settings["backup_agent"], is("worker", "repository"), "{settings:#}");
    assert_eq!(place.show(&place.branches()[0], "answer"), "42");
    place.finish();
}

#[test]
fn a_worker_starts_what_was_described_when_the_job_was_ordered() {
    let mut place = place(WORKER, DESCRIPTION);
    hasten(&mut place);
    let repo = place.path("repo");
    let order = ["add", "-C", repo.to_str().unwrap(), "--agent", "worker", "--model", "m-7", "Answer 42"];
    place.overnight(&order).expect_code(0);
    place.configure(
        "[agent.adapters.worker]\nargv = ['no-such-program', '{model}']\n\
         [kind.implement]\nagent = 'worker'\nmodel = 'm-8'\nsilence = '6m'\n",
    );
    place.work_off().expect_code(0);
    assert_eq!(place.until_ended("repo-1"), "published");
    let shown = place.overnight(&["show", "repo-1", "--json"]).expect_code(0).json();
    let settings = &shown["data"]["settings"];
    assert_eq!((&settings["agent"]["value"], &settings["model"]["value"]), (&"worker".into(), &"m-7".into()));
    assert_eq!(settings["silence"]["value"], "6m", "what the worker says of every agent holds: {settings:#}");
    place.finish();
}
