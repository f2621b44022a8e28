//! Processes that do not want to end.

use std::time::{Duration, Instant};

use super::{FIX, arrived};
use crate::harness::{Place, eventually, skipped};

/// A number that no other test's `sleep` has, so that a process can be found wherever it went.
fn mark(place: &Place) -> String {
    let digits: String =
        place.home().display().to_string().bytes().map(|b| char::from(b'0' + b % 10)).collect();
    format!("9{}", &digits[digits.len() - 9..])
}

/// Command lines of all processes that sleep for `mark` seconds.
fn sleepers(mark: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(&format!("sleep {mark} ")))
        .collect()
}

/// Starts sleepers of every kind, and waits until they sleep.
fn leave_behind(mark: &str) -> String {
    format!(
        "cd /; nohup sleep {mark} & setsid sleep {mark} & (setsid sh -c 'trap \"\" TERM HUP INT; sleep {mark} & wait' & )\n\
         (sleep {mark} <&- >&- 2>&- & ); until [ $(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'sleep {mark}' | wc -l) -ge 5 ]; do :; done\n"
    )
}

/// The agent that runs this script, as an argument.
fn agent(place: &Place, script: &str) -> String {
    format!("sh {}", place.write("agent.sh", script).display())
}

#[test]
fn what_an_agent_leaves_running_is_ended_and_told() {
    let place = Place::new();
    let mark = mark(&place);
    let agent = agent(&place, &format!("echo 42 >answer\n{}", leave_behind(&mark)));
    place.overnight(&["run", "--command", &agent, "Leave"]).expect_code(0).expect_said(&["left behind"]);
    assert_eq!(sleepers(&mark), [""; 0]);
    assert!(place.only_job().noticed("processes_killed"));
    arrived(&place);
    place.finish();
}

#[test]
fn what_a_check_leaves_running_is_ended_and_told() {
    let place = Place::new();
    let mark = mark(&place);
    place.rehearse(&[FIX], &["--verify", &leave_behind(&mark)]).expect_code(0);
    assert_eq!(sleepers(&mark), [""; 0]);
    assert!(place.only_job().noticed("processes_killed"));
    place.finish();
}

/// TERM, the grace, KILL: also for what ignores TERM in a session of its own.
#[test]
fn an_agent_that_ignores_term_is_gone_soon_after_the_grace() {
    let mut place = Place::new();
    place.env("OVERNIGHT_AGENT_GRACE", "1s");
    let mark = mark(&place);
    let ready = place.path("ready");
    let left = leave_behind(&mark);
    let stubborn =
        format!("trap '' TERM\n{left}touch '{}'\nwhile :; do sleep {mark}; done\n", ready.display());
    let agent = agent(&place, &stubborn);
    let live = place.start(&["run", "--command", &agent, "Stay"]);
    eventually("the agent ignores TERM", || ready.exists().then_some(()));
    let began = Instant::now();
    place.overnight(&["cancel", "repo-1"]).expect_code(0);
    live.wait().expect_code(3);
    let took = began.elapsed();
    assert!(took > Duration::from_millis(900), "it was given its grace: {took:?}");
    assert!(took < Duration::from_secs(8), "it took {took:?}");
    assert_eq!(sleepers(&mark), [""; 0]);
    assert_eq!(place.only_job().reason(), "cancelled");
    place.finish();
}

#[test]
fn an_agent_that_hangs_in_silence_is_ended() {
    let mut place = Place::new();
    place.env("OVERNIGHT_AGENT_SILENCE", "1s").env("OVERNIGHT_AGENT_GRACE", "1s");
    place.rehearse(&[r#"{ say = "thinking" }, "hang""#, FIX], &[]).expect_code(0);
    let job = place.only_job();
    let ended = job.first("turn_ended").unwrap();
    assert_eq!(ended["result"]["outcome"], "timed_out", "{ended:#}");
    arrived(&place);
    place.finish();
}

/// Where the system grants no namespaces, the person is told, and processes are still ended.
#[test]
fn weak_containment_is_said_and_still_ends_every_process() {
    let place = Place::new();
    let mark = mark(&place);
    let agent = agent(&place, &format!("echo 42 >answer\n{}", leave_behind(&mark)));
    let forbid = "for kind in pid user mnt; do echo 0 >/proc/sys/user/max_${kind}_namespaces || exit 99; done; exec \"$@\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", forbid, "sh", env!("CARGO_BIN_EXE_overnight")]);
    command
        .args(["run", "--command", &agent, "Leave"])
        .current_dir(place.repo())
        .env_clear()
        .envs(place.environment());
    let outcome = crate::harness::Outcome::of(command);
    if outcome.code == Some(99) || outcome.stderr.contains("unshare failed") {
        return skipped("weak containment", "a user namespace with limits of its own cannot be made");
    }
    outcome.expect_code(0).expect_said(&["weak containment", "overnight doctor"]);
    let job = place.only_job();
    assert!(!job.guarded() && job.noticed("weak_containment"));
    assert_eq!(sleepers(&mark), [""; 0]);
    arrived(&place);
    place.finish();
}
