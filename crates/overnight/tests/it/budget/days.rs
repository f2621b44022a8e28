//! Budgets beyond one job: attempts, sessions, tasks, days, and repositories that publish nothing; and the accounts.

use serde_json::Value;

use super::{FIX, LONG, canary, run};
use crate::harness::{Outcome, Place, eventually};

/// Half a dollar and a token.
const HALF: &str = "{ usage = { output = 1, cost = 0.5 } }";

fn spends(dollars: &str) -> String {
    format!("{{ usage = {{ output = 1, cost = {dollars} }} }}")
}

impl Place {
    #[track_caller]
    fn accounts(&self, by: &str) -> Value {
        self.overnight(&["cost", "--by", by, "--json"]).expect_code(0).json()["data"].clone()
    }

    /// Each limit by its budget's name: what was spent, and what is left.
    #[track_caller]
    fn budget(&self, name: &str) -> (u64, u64) {
        let shown = self.overnight(&["budget", "--json"]).expect_code(0).json();
        let all = shown["data"]["budgets"].as_array().unwrap().clone();
        let found = all.iter().find(|budget| budget["budget"] == name).unwrap_or_else(|| panic!("{shown:#}"));
        (found["spent"].as_u64().unwrap(), found["left"].as_u64().unwrap())
    }

    #[track_caller]
    fn reasons(&self) -> Vec<String> {
        let listed = self.overnight(&["ls", "--all", "--json"]).expect_code(0).json();
        let jobs = listed["data"].as_array().unwrap().clone();
        let mut all: Vec<String> =
            jobs.iter().map(|job| format!("{}: {}", job["key"], job["reason"])).collect();
        all.sort();
        all.iter().map(|line| line.replace('"', "")).collect()
    }
}

fn run_more(place: &Place, script: &str, more: &[&str]) -> Outcome {
    let args =
        [&["run", "--agent", "rehearsal", "--script", script], more, &["Make the check pass"]].concat();
    place.overnight(&args)
}

#[test]
fn of_nine_dollars_that_would_be_streamed_five_are_spent() {
    let place = Place::new();
    let steps = format!("{FIX}, {}, {}", [HALF; 18].join(", { wait = { ms = 100 } }, "), canary(&place));
    run(&place, &[&steps], &["--max-cost", "5.00"]).expect_code(7).expect_said(&["$5.00", "--max-cost"]);
    let job = place.expect_reason("ended", "budget_cost");
    let used = job["used"]["cost_microdollars"].as_i64().unwrap();
    assert!((5_000_000..=5_500_000).contains(&used), "{job:#}");
    assert!(!place.path("canary").exists());
    let accounts = place.accounts("day");
    assert_eq!(accounts["total"]["cost_microdollars"], used, "{accounts:#}");
    place.finish();
}

#[test]
fn each_attempt_has_a_limit_of_its_own() {
    let place = Place::new();
    let miss = "{ write = { path = \"answer\", content = \"40\\n\" } }";
    let first = format!("{miss}, {}", spends("0.9"));
    let second = format!("{FIX}, {}, {LONG}, {}", spends("1.1"), canary(&place));
    run(&place, &[&first, &second], &["--attempt-max-cost", "1.00"])
        .expect_code(7)
        .expect_said(&["the attempt", "--attempt-max-cost"]);
    let job = place.expect_reason("ended", "budget_cost");
    assert_eq!(
        (&job["attempt"], &job["used"]["cost_microdollars"]),
        (&2.into(), &2_000_000.into()),
        "{job:#}"
    );
    assert!(!place.path("canary").exists());
    place.finish();
}

#[test]
fn a_job_starts_its_agent_no_more_often_than_it_may() {
    let place = Place::new();
    let miss = "{ write = { path = \"answer\", content = \"40\\n\" } }";
    run(&place, &[miss, &canary(&place)], &["--max-sessions", "1"])
        .expect_code(7)
        .expect_said(&["--max-sessions"]);
    place.expect_reason("ended", "budget_sessions");
    assert!(!place.path("canary").exists());
    place.finish();
}

#[test]
fn a_retry_belongs_to_the_task_of_the_job_that_it_repeats() {
    let place = Place::new();
    let miss = "{ write = { path = \"answer\", content = \"40\\n\" } }";
    let steps = format!("{miss}, {}", spends("0.6"));
    run(&place, &[&steps], &["--attempts", "1", "--task-max-cost", "1.00"]).expect_code(5);
    place.overnight(&["retry", "repo-1"]).expect_code(5);
    assert_eq!(place.reasons(), ["repo-1: verification_failed", "repo-2: verification_failed"]);
    let third = place.overnight(&["retry", "repo-2"]).expect_code(7);
    third.expect_said(&["$1.00 of the task", "$1.20 used", "--task-max-cost"]);
    assert_eq!(place.reasons()[2], "repo-3: budget_cost");
    let more = place.overnight(&["retry", "repo-3", "--task-max-cost", "5.00"]).expect_code(5);
    assert!(!more.stderr.contains("the task"), "{}", more.stderr);
    place.finish();
}

#[test]
fn a_used_up_day_parks_jobs_until_the_next_one_or_until_it_is_raised() {
    let mut place = Place::new();
    place.env("OVERNIGHT_BUDGET_DAY_COST", "1.00");
    let go = place.path("go");
    let steps = format!("{FIX}, {}, {{ wait_for_file = {{ path = {go:?} }} }}", spends("1.2"));
    place.add("repo", &[&steps], &[]);
    place.work_off().expect_code(0);
    let job = place.expect_reason("parked", "daily_budget");
    let detail = job["detail"].as_str().unwrap();
    assert!(detail.contains("$1.00 of the day") && detail.contains("overnight budget raise day"), "{detail}");
    assert_eq!((&job["attempt"], &job["turns"]), (&1.into(), &1.into()), "{job:#}");
    let wake = job["wake_ms"].as_i64().unwrap();
    let midnight = job["updated_at_ms"].as_i64().unwrap() / 86_400_000 * 86_400_000 + 86_400_000;
    assert!((midnight..midnight + 600_000).contains(&wake), "{job:#}");
    assert_eq!(place.budget("day"), (1_200_000, 0));

    place.overnight(&["resume", "repo-1"]).expect_code(7);
    let job = place.expect_reason("parked", "daily_budget");
    assert_eq!((&job["attempt"], &job["turns"]), (&1.into(), &1.into()), "nothing was started: {job:#}");

    place
        .overnight(&["budget", "raise", "day", "--cost", "5", "--for", "1h"])
        .expect_code(0)
        .expect_said(&["1 job"]);
    assert_eq!(place.budget("day"), (1_200_000, 4_800_000));
    place.write("go", "");
    place.work_off().expect_code(0);
    place.expect_reason("ended", "published");
    assert!(place.events_of("attempt_failed").is_empty());
    place.finish();
}

#[test]
fn a_raise_ends_by_itself() {
    let mut place = Place::new();
    place.env("OVERNIGHT_BUDGET_REPOSITORY_DAY_SESSIONS", "1");
    let script = place.script(&[FIX]);
    run_more(&place, &script, &[]).expect_code(0);
    run_more(&place, &script, &[]).expect_code(7);
    let raise = ["budget", "raise", "day", "--repo", "repo", "--sessions", "9", "--for", "2s"];
    place.overnight(&raise).expect_code(0);
    eventually("the end of the raise", || (place.budget("repository_day").1 == 0).then_some(()));
    place.overnight(&["resume", "repo-2"]).expect_code(7);
    assert_eq!(place.reasons(), ["repo-1: published", "repo-2: daily_budget"]);
    let refused = place.overnight(&["budget", "raise", "day", "--cost", "9", "--for", "2s"]).expect_code(2);
    refused.expect_said(&["budget.day.cost is not limited"]);
    place
        .overnight(&["budget", "raise", "day", "--sessions", "9", "--for", "1h", "--repo", "repp"])
        .expect_code(2);
    place.overnight(&["budget", "raise", "day", "--for", "1h"]).expect_code(2);
    place.finish();
}

#[test]
fn workers_share_the_budget_of_a_day() {
    let mut place = Place::new();
    place.env("OVERNIGHT_BUDGET_DAY_COST", "1.00").env("OVERNIGHT_BUDGET_REPORT", "1s");
    let steps = format!("{FIX}, {}, {LONG}, {}", spends("0.6"), canary(&place));
    let script = place.script(&[&steps]);
    let add = ["add", "--agent", "rehearsal", "--script", &script, "Make the check pass"];
    for _ in 0..2 {
        place.overnight(&add).expect_code(0);
    }
    // Neither of them uses it up alone.
    let workers = [place.worker(&["--slots", "1"]), place.worker(&["--slots", "1"])];
    eventually("both jobs waiting for the next day", || {
        (place.reasons() == ["repo-1: daily_budget", "repo-2: daily_budget"]).then_some(())
    });
    assert_eq!(place.budget("day"), (1_200_000, 0));
    assert!(!place.path("canary").exists());
    for worker in workers {
        worker.stop();
    }
    place.finish();
}

#[test]
fn a_crash_in_the_middle_of_a_turn_leaves_what_was_known() {
    let mut place = Place::new();
    place.env("OVERNIGHT_BUDGET_REPORT", "1s");
    let go = place.path("go");
    let steps = format!("{FIX}, {}, {{ wait_for_file = {{ path = {go:?} }} }}", spends("0.7"));
    let script = place.script(&[&steps]);
    let mut live =
        place.start(&["run", "--agent", "rehearsal", "--script", &script, "--events", "Make the check pass"]);
    live.until("turn_started");
    let known = |place: &Place| {
        let total = place.accounts("backend")["total"].clone();
        (total["sessions"].as_u64().unwrap(), total["cost_microdollars"].as_i64().unwrap_or_default())
    };
    eventually("the running session in the accounts", || (known(&place) == (1, 700_000)).then_some(()));
    live.kill();
    assert_eq!(known(&place), (1, 700_000));
    place.write("go", "");
    place.overnight(&["resume", "repo-1"]).expect_code(0);
    assert_eq!(known(&place), (2, 1_400_000), "{:#}", place.accounts("backend"));
    let accounts = place.accounts("repo");
    assert_eq!(
        (&accounts["lines"][0]["name"], &accounts["lines"][0]["published"]),
        (&"repo".into(), &1.into())
    );
    assert_eq!(accounts["total"]["cost_per_published_microdollars"], 1_400_000);
    place.finish();
}

#[test]
fn a_repository_that_publishes_nothing_is_stopped_until_somebody_looks() {
    let mut place = Place::new();
    place.env("OVERNIGHT_BUDGET_VELOCITY_SESSIONS", "2");
    let miss = "{ write = { path = \"answer\", content = \"40\\n\" } }";
    run(&place, &[miss, miss], &["--attempts", "2"]).expect_code(5);
    place.add("repo", &[FIX], &[]);
    place.work_off().expect_code(0);
    let shown = place.overnight(&["show", "repo-2"]).expect_code(0).stdout;
    assert!(shown.contains("2 sessions of the repository since its last published job"), "{shown}");
    assert_eq!(place.reasons(), ["repo-1: verification_failed", "repo-2: velocity"]);
    place
        .overnight(&["budget", "clear", "velocity", "--repo", "repo"])
        .expect_code(0)
        .expect_said(&["1 job"]);
    place.work_off().expect_code(0);
    assert_eq!(place.reasons(), ["repo-1: verification_failed", "repo-2: published"]);
    assert_eq!(place.budget("velocity"), (0, 2), "what was published is not held against it");
    place.finish();
}

#[test]
fn people_are_told_once_when_a_budget_is_nearly_used_up() {
    let mut place = Place::new();
    place.env("OVERNIGHT_BUDGET_DAY_COST", "1.00");
    let steps = format!("{FIX}, {}", spends("0.85"));
    run(&place, &[&steps], &["--max-cost", "100"]).expect_code(0);
    let warnings = |place: &Place, key: &str| {
        let shown = place.overnight(&["show", key, "--events", "--json"]).expect_code(0).events();
        shown.into_iter().filter(|event| event["notice"]["code"] == "budget_warning").collect::<Vec<_>>()
    };
    let told = warnings(&place, "repo-1");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0]["notice"]["detail"], "$0.85 of $1.00 of the day are used");
    let script = place.script(&[&format!("{FIX}, {}", spends("0.01"))]);
    run_more(&place, &script, &[]).expect_code(0);
    assert_eq!(warnings(&place, "repo-2"), Vec::<Value>::new());
    place.finish();
}

#[test]
fn what_tells_nothing_is_unaccounted_and_cannot_have_a_budget_of_dollars() {
    let mut place = Place::new();
    let args = ["run", "--command", "sh -c 'echo 42 > answer'", "Make the check pass"];
    place.overnight(&args).expect_code(0);
    let total = place.accounts("model")["total"].clone();
    assert_eq!((&total["sessions"], &total["sessions_unaccounted"]), (&1.into(), &1.into()), "{total:#}");
    assert!(total["cost_microdollars"].is_null(), "{total:#}");
    let csv = place.overnight(&["cost", "--by", "backend", "--csv"]).expect_code(0).stdout;
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert!(
        lines[0].starts_with("backend,jobs,published,sessions,") && lines[1].starts_with("command,1,1,1,0,"),
        "{csv}"
    );
    place.overnight(&["cost"]).expect_code(0);
    place.overnight(&["cost", "--since", "never"]).expect_code(2);

    place.env("OVERNIGHT_BUDGET_DAY_COST", "5.00");
    place.overnight(&args).expect_code(2).expect_said(&["budget.day.cost", "command"]);
    place.env("OVERNIGHT_BUDGET_DAY_COST", "none");
    let limited = [&args[..3], &["--attempt-max-tokens", "1k", "--task-max-cost", "1", "Fix it"]].concat();
    place.overnight(&limited).expect_code(2).expect_said(&["--attempt-max-tokens", "--task-max-cost"]);
    place.finish();
}

/// An order from where the budget does not hold is refused by the worker that cannot keep it.
#[test]
fn a_worker_does_not_begin_what_it_cannot_keep_a_budget_of() {
    let mut place = Place::new();
    place.overnight(&["add", "--command", "true", "Make the check pass"]).expect_code(0);
    place.env("OVERNIGHT_BUDGET_DAY_TOKENS", "1M");
    place.work_off().expect_code(0);
    let job = place.expect_reason("ended", "config_invalid");
    assert!(job["detail"].as_str().unwrap().contains("budget.day.tokens"), "{job:#}");
    assert_eq!(job["turns"], 0);
    place.finish();
}

/// Dollars of a session that tells tokens and no money cannot be counted.
#[test]
fn tokens_of_unknown_price_end_the_turn_where_dollars_are_limited() {
    let place = Place::new();
    let steps = format!("{FIX}, {{ usage = {{ output = 7 }} }}, {LONG}, {}", canary(&place));
    run(&place, &[&steps], &["--max-cost", "5.00"]).expect_code(7).expect_said(&["price is not known"]);
    place.expect_reason("ended", "budget_cost");
    assert!(!place.path("canary").exists());
    let total = place.accounts("day")["total"].clone();
    assert_eq!((&total["sessions_unknown_cost"], &total["tokens"]), (&1.into(), &7.into()), "{total:#}");
    place.finish();
}
