//! Quotas and logins of vendors: what one worker is told, all know; no attempt is lost, nobody asks in vain, and the work goes on by itself.

mod logins;

use std::time::Duration;

use overnight_testkit::model::{Action, Scenario};
use serde_json::Value;

use crate::harness::fleet::hasten;
use crate::harness::model::{KEY, Model, model, place};
use crate::harness::{Place, eventually};

/// 2030: hours and more from now, as a vendor says it.
const FAR: u64 = 1_900_000_000;
/// How often a used-up quota is looked at in these tests.
const WINDOW: Duration = Duration::from_secs(3);

fn refusal() -> Action {
    Action::Http { status: 429, retry_after: Some(7_200), reset_at: Some(FAR), message: None }
}

fn work() -> Action {
    Action::Work {
        command: "echo 42 > answer && git commit --quiet --all --message='Correct it'".to_owned(),
        text: "The answer is 42 now.".to_owned(),
    }
}

/// The real Claude CLI with its own login, a quota that is looked at every few seconds, and a queue that is quick.
fn with_quota(test: &str, scenario: Scenario) -> Option<(Place, Model)> {
    let mut place = place(test)?;
    hasten(&mut place);
    place.env("OVERNIGHT_AGENT_BILLING", "subscription").env("CLAUDE_CODE_OAUTH_TOKEN", "dummy-login-7c1d");
    place.env("OVERNIGHT_QUOTA_LONGEST_WAIT", format!("{}s", WINDOW.as_secs()));
    place.env("OVERNIGHT_QUOTA_BACKOFF_START", "1s").env("OVERNIGHT_QUOTA_BACKOFF_MAX", "1s");
    place.env("OVERNIGHT_QUOTA_RELEASE", "1s");
    let model = model(&mut place, scenario);
    Some((place, model))
}

fn order(place: &Place, jobs: usize) {
    let lines: String =
        (1..=jobs).map(|n| format!("{{\"prompt\": \"Make the check pass, {n}\"}}\n")).collect();
    let batch = place.write("backlog.jsonl", &lines);
    place.overnight(&["add", "--batch", batch.to_str().unwrap()]).expect_code(0);
}

/// (time, event) of all jobs, oldest first.
fn history(place: &Place) -> Vec<(i64, Value)> {
    let rows = place.tables().rows("SELECT CAST(at AS TEXT), event FROM events ORDER BY at, job_id, number");
    let event = |row: Vec<Option<String>>| {
        let text = |at: usize| row[at].clone().unwrap_or_default();
        (text(0).parse().unwrap(), serde_json::from_str(&text(1)).unwrap())
    };
    rows.into_iter().map(event).collect()
}

fn count(history: &[(i64, Value)], kind: &str) -> usize {
    history.iter().filter(|(_, event)| event["type"] == kind).count()
}

/// When turns that were refused had begun.
fn refused_turns(place: &Place) -> Vec<i64> {
    let sql = "SELECT CAST(at AS TEXT), job_id, event FROM events ORDER BY job_id, number";
    let mut begun = 0;
    let mut refused = Vec::new();
    for row in place.tables().rows(sql) {
        let event: Value = serde_json::from_str(row[2].as_deref().unwrap()).unwrap();
        match event["type"].as_str().unwrap() {
            "turn_announced" => begun = row[0].as_deref().unwrap().parse().unwrap(),
            "turn_ended" if event["result"]["outcome"] == "rate_limited" => refused.push(begun),
            _ => {}
        }
    }
    refused.sort_unstable();
    refused
}

#[test]
fn fifty_jobs_wait_for_a_vendor_without_losing_an_attempt_and_ask_once_a_window() {
    let refusals = 4;
    let scenario = (0..refusals).fold(Scenario::new(), |steps, _| steps.then(refusal())).then(work());
    let test = "fifty_jobs_wait_for_a_vendor";
    let Some((place, model)) = with_quota(test, scenario) else { return };
    order(&place, 50);
    let workers = [place.worker(&["--slots", "2"]), place.worker(&["--slots", "2"])];
    until_published(&place, 50);
    for worker in workers {
        worker.stop().expect_code(0);
    }
    let history = history(&place);
    assert_eq!(count(&history, "attempt_failed"), 0);
    let attempts = place.tables().rows("SELECT CAST(SUM(attempts) AS TEXT) FROM jobs");
    assert_eq!(attempts, [[Some("50".to_owned())]], "one attempt each");

    let refused = refused_turns(&place);
    assert_eq!(refused.len(), refusals, "every refusal is a turn that was told of it");
    assert_eq!(model.count(), refusals + 2 * 50, "and nobody asked beside them");
    // Those that were under way when the first was refused, at most one for each slot; from then on one for each window.
    let burst = refused.iter().filter(|at| **at - refused[0] < millis(WINDOW)).count();
    assert!(burst <= 4, "{refused:?}");
    let probes = &refused[burst - 1..];
    for pair in probes.windows(2) {
        // The window is counted from the refusal, which comes after the beginning.
        assert!(pair[1] - pair[0] >= millis(WINDOW), "two in one window: {refused:?}");
    }
    place.check_fleet();
    place.finish();
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap()
}

/// Fifty jobs of a real CLI take longer than what tests usually wait for: as long as one more is done, the next is waited for.
fn until_published(place: &Place, jobs: usize) {
    let mut tables = place.tables();
    for wanted in 1..=jobs {
        eventually(&format!("{wanted} published jobs"), || {
            let ends = tables.jobs().into_iter().filter_map(|job| job.end_reason);
            (ends.filter(|end| end == "published").count() >= wanted).then_some(())
        });
    }
}

#[test]
fn while_a_vendor_refuses_a_job_is_not_even_begun_and_a_person_may_try_all_the_same() {
    let test = "while_a_vendor_refuses_a_job_is_not_even_begun";
    let scenario = Scenario::new().then(refusal()).then(work());
    let Some((mut place, model)) = with_quota(test, scenario) else { return };
    place.env("OVERNIGHT_QUOTA_LONGEST_WAIT", "6h");
    order(&place, 2);
    place.worker(&["--exit-when-idle", "--slots", "1"]).wait().expect_code(0);
    let states: Vec<String> = place.tables().jobs().into_iter().map(|job| job.state).collect();
    assert_eq!((states, model.count()), (vec!["parked".to_owned(), "queued".to_owned()], 1));
    let waits = place.status();
    let circuit = &waits["circuits"][0];
    assert_eq!(
        (&circuit["account"], &circuit["cause"]),
        (&"claude".into(), &"rate_limited".into()),
        "{waits:#}"
    );
    let shown = place.overnight(&["status"]);
    assert!(shown.stdout.contains("claude is not asked until"), "{}", shown.stdout);

    place.overnight(&["resume", "repo-1"]).expect_code(0);
    assert_eq!(place.shown("repo-1").job["attempt"], 1);
    // Which has shown that the vendor answers.
    place.work_off().expect_code(0);
    assert_eq!(place.until_ended("repo-2"), "published");
    place.check_fleet();
    place.finish();
}

#[test]
fn a_quota_that_is_kept_for_people_is_not_touched() {
    let test = "a_quota_that_is_kept_for_people_is_not_touched";
    let Some((mut place, model)) = with_quota(test, Scenario::new().then(work())) else { return };
    place.env("OVERNIGHT_QUOTA_LONGEST_WAIT", "6h");
    let left = place.write("left.json", "{\"left\": 12.5, \"reset\": 1900000000}");
    let probe = format!("[\"cat\", {:?}]", left.to_str().unwrap());
    place.configure(&format!("[agent.accounts.claude.mine]\nmin_quota = 20\nprobe = {probe}\n"));
    order(&place, 1);
    place.work_off().expect_code(0);
    let job = place.shown("repo-1").job;
    assert_eq!((&job["reason"], model.count()), (&"rate_limited".into(), 0), "{job:#}");
    assert!(job["detail"].as_str().unwrap().contains("12 % of the quota is left"), "{job:#}");
    std::fs::write(left, "{\"left\": 80}").unwrap();
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    assert_eq!(place.until_ended("repo-1"), "published");
    place.check_fleet();
    place.finish();
}

#[test]
fn a_conversation_that_is_compacted_goes_on_as_a_fresh_one_that_knows_what_was() {
    let test = "a_conversation_that_is_compacted";
    let first = Scenario::new().shell("echo 40 > answer").say("I think it is 40.");
    let Some((mut place, model)) = with_quota(test, first.then(refusal()).then(work())) else { return };
    place.env("OVERNIGHT_QUOTA_LONGEST_WAIT", "6h");
    order(&place, 1);
    place.work_off().expect_code(0);
    assert_eq!(place.shown("repo-1").state(), "parked");
    place.overnight(&["compact", "repo-1"]).expect_code(0).expect_said(&["fresh conversation"]);
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    let asked = model.asked();
    let fresh = asked[3].body.to_string();
    assert!(!fresh.contains("\"type\":\"tool_result\""), "a fresh conversation: {fresh}");
    for known in ["Tried so far", "answer is 40, not 42", "I think it is 40."] {
        assert!(fresh.contains(known), "{known}: {fresh}");
    }
    place.overnight(&["compact", "repo-1"]).expect_code(2).expect_said(&["has ended", "continue"]);
    assert!(!fresh.contains(KEY));
    place.check_fleet();
    place.finish();
}
