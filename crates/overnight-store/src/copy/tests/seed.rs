//! Rows as a busy database has them: every state, orders of a megabyte, words of many languages, effects, dependencies,
//! limits, and jobs that somebody holds.

use std::time::Duration;

use overnight_core::agent::{AgentSettings, BackendId, TurnOutcome, TurnReport, Usage};
use overnight_core::git::{BranchName, CommitId};
use overnight_core::job::{
    Base, Choice, End, EndReason, Ground, JobEvent, JobLimits, JobSpec, JobState, Label, ParkReason,
    Publication, Queueing, Trail, VerifyRequest,
};
use overnight_core::policy::budget::JobBudget;
use overnight_core::units::{MicroDollars, Timestamp};
use overnight_core::verdict::{CheckSource, DiffStat};

use crate::copy::tables::{TABLES, Table};
use crate::placement::{COLUMNS, Phase, Placement};
use crate::sql::{Value, sql};
use crate::store::Store;

/// Words that an engine or an encoding might trip over.
const WORDS: [&str; 4] =
    ["plain", "für „Übermut“ 日本語 🌙\u{301}", "'; DROP TABLE jobs; -- \\ \" %", "line\nbreak\ttab\u{7f}"];
const START: i64 = 1_700_000_000_000;

fn ground() -> Ground {
    Ground {
        base: CommitId::parse(&"a".repeat(40)).unwrap(),
        base_branch: Some("main".to_owned()),
        check_source: CheckSource::None,
        checks: Vec::new(),
        line: None,
    }
}

fn trail() -> Trail {
    let used = Usage { input_tokens: 12, cost: Some(MicroDollars(345)), ..Usage::default() };
    Trail { attempt: 2, turns: 3, used, final_text: Some(WORDS[1].to_owned()), ..Trail::default() }
}

fn working() -> JobState {
    JobState::Working { trail: trail(), ground: ground(), turn: None }
}

fn end(reason: EndReason) -> End {
    End { reason, detail: WORDS[2].to_owned(), tip: None, published: None }
}

/// Each state, each reason to wait, each end.
pub(super) fn states() -> Vec<JobState> {
    let (tip, diff) =
        (CommitId::parse(&"b".repeat(40)).unwrap(), DiffStat { files: 1, insertions: 2, deletions: 3 });
    let report = TurnReport {
        asked: None,
        options: Vec::new(),
        outcome: TurnOutcome::Completed,
        session: None,
        usage: Usage::default(),
        final_text: None,
    };
    let branch = BranchName::parse("overnight/app-1").unwrap();
    let mut states = vec![
        JobState::Queued,
        JobState::Preparing { trail: trail() },
        working(),
        JobState::Collecting { trail: trail(), ground: ground(), report },
        JobState::Verifying { trail: trail(), ground: ground(), tip: tip.clone(), diff, inspected: None },
        JobState::Publishing {
            trail: trail(),
            ground: ground(),
            tip,
            diff,
            pairs: Vec::new(),
            branch,
            taken: 1,
            pushed: true,
            approval: overnight_core::job::Approval::NotNeeded,
        },
        JobState::Cleaning { trail: trail(), end: end(EndReason::NoChanges) },
        JobState::Cascading { trail: trail(), end: end(EndReason::AgentFailed), cascade: Box::default() },
    ];
    for (reason, number) in ParkReason::ALL.into_iter().zip(0..) {
        let timed = number % 2 == 0 && reason != ParkReason::Dependency;
        let wake = timed.then_some(Timestamp(START + number));
        let (detail, then) = (WORDS[3].to_owned(), Box::new(working()));
        states.push(JobState::Parked { reason, detail, wake, then });
    }
    states.extend(EndReason::ALL.map(|reason| JobState::Ended { trail: trail(), end: end(reason) }));
    states
}

fn spec(number: usize) -> JobSpec {
    let prompt =
        if number % 900 == 7 { "日".repeat(350_000) } else { format!("{} {number}", WORDS[number % 4]) };
    JobSpec {
        title: WORDS[number % 4].to_owned(),
        prompt,
        source: "/repo".to_owned(),
        ordered_in: None,
        base: Base::RemoteDefault,
        publication: Publication::LocalBranch { repository: "/repo".to_owned() },
        verify: VerifyRequest::Nothing,
        accept_base_failures: false,
        agent: AgentSettings::new(BackendId::Rehearsal),
        choice: Choice::default(),
        follows: None,
        task: None,
        line: None,
        limits: JobLimits::default(),
        budget: JobBudget::default(),
        author: "A <a@example.org>".to_owned(),
    }
}

fn json(value: &impl serde::Serialize) -> Value {
    serde_json::to_string(value).unwrap().into()
}

/// The id of the nth job. Their order is that of the numbers.
pub(super) fn job_id(number: usize) -> String {
    format!("01890000-0000-7000-8000-{number:012}")
}

/// A row from pairs of column and value; what is not named is empty.
fn row(table: &Table, named: &[(&str, Value)]) -> Vec<Value> {
    let value = |(column, kind): &(&str, &str)| match (named.iter().find(|(name, _)| name == column), *kind) {
        (Some((_, value)), _) => value.clone(),
        (None, "TEXT") => Value::Text(None),
        (None, "BOOLEAN") => Value::Flag(false),
        (None, _) => Value::Number(None),
    };
    table.into.columns.iter().map(value).collect()
}

fn job(table: &Table, number: usize, states: &[JobState]) -> Vec<Value> {
    let state = &states[number % states.len()];
    let mut named: Vec<(&str, Value)> =
        COLUMNS.into_iter().zip(Placement::of(state, number.is_multiple_of(2)).unwrap().values()).collect();
    let at = Value::from(START + number as i64);
    let queueing = Queueing { group: Some(Label::parse("g").unwrap()), ..Queueing::default() };
    named.extend([
        ("id", job_id(number).into()),
        ("repository_id", format!("r{}", number % 2).into()),
        ("number", (number as i64).into()),
        ("key", key(number).into()),
        ("fence", (number as i64 % 5).into()),
        ("cancel", if number.is_multiple_of(11) { "command".into() } else { Value::Text(None) }),
        ("last_event", 2.into()),
        ("created_at", at.clone()),
        ("updated_at", at.clone()),
        ("lane_id", "lane".into()),
        ("position", at.clone()),
        ("priority", (number as i64 % 7 - 3).into()),
        ("queueing", json(&queueing)),
        ("blocked_by", 1.into()),
        ("dependents", number.is_multiple_of(10).into()),
        ("lost", 1.into()),
        ("place", if number.is_multiple_of(2) { "p".into() } else { "".into() }),
        ("claimed_at", if number.is_multiple_of(4) { at.clone() } else { Value::Number(None) }),
        ("ended_at", if state.is_ended() { at } else { Value::Number(None) }),
    ]);
    row(table, &named)
}

fn job_spec(number: usize) -> Vec<Value> {
    let request = number.is_multiple_of(3).then(|| format!("{} {number}", WORDS[number % 4]));
    vec![job_id(number).into(), key(number).into(), request.into(), json(&spec(number))]
}

fn key(number: usize) -> String {
    format!("app-{}", number + 1)
}

fn events(number: usize) -> [Vec<Value>; 2] {
    let event =
        |n: i64, event: JobEvent| vec![job_id(number).into(), n.into(), (START + n).into(), json(&event)];
    [
        event(1, JobEvent::Queued { title: WORDS[number % 4].to_owned() }),
        event(
            2,
            JobEvent::StageFinished {
                stage: overnight_core::job::Stage::Prepare,
                elapsed: Duration::from_secs(1),
            },
        ),
    ]
}

fn session(table: &Table, number: usize) -> Vec<Value> {
    let mut named: Vec<(&str, Value)> = table
        .into
        .columns
        .iter()
        .filter(|(column, kind)| *kind == "BIGINT" && !matches!(*column, "ended_at" | "cost"))
        .map(|(column, _)| (*column, Value::from(number as i64)))
        .collect();
    named.extend([
        ("job_id", job_id(number).into()),
        ("task_id", job_id(number / 2).into()),
        ("repository_id", "r0".into()),
        ("backend", "rehearsal".into()),
        ("model", if number.is_multiple_of(2) { WORDS[1].into() } else { Value::Text(None) }),
        ("account", "".into()),
        ("billing", "unknown".into()),
    ]);
    row(table, &named)
}

fn rows(table: &Table, jobs: usize) -> Vec<Vec<Value>> {
    let text = |text: &str| Value::from(text);
    let every = |step: usize| (0..jobs).step_by(step);
    match table.name() {
        "repositories" => (0..2)
            .map(|n| {
                let remote = format!("/src/{}/{n}", WORDS[1]);
                vec![
                    format!("r{n}").into(),
                    format!("app{n}").into(),
                    remote.into(),
                    9999.into(),
                    START.into(),
                    text("{\"draft\":true}"),
                ]
            })
            .collect(),
        "lanes" => vec![vec![
            text("lane"),
            text("r0"),
            text("[\"repository:app\"]"),
            text("[\"backend:rehearsal\"]"),
        ]],
        "limits" => vec![vec![text("repository:app"), 3.into()], vec![text("label:ünï"), 0.into()]],
        "circuits" => vec![vec![
            text("claude"),
            text("work"),
            text("{\"state\":{\"state\":\"closed\",\"since_ms\":null}}"),
            3.into(),
        ]],
        "tallies" => vec![vec![
            text("published"),
            1.into(),
            2.into(),
            3.into(),
            i64::MAX.into(),
            (-5).into(),
            1.into(),
        ]],
        "jobs" => (0..jobs).map(|number| job(table, number, &states())).collect(),
        "job_specs" => (0..jobs).map(job_spec).collect(),
        "events" => (0..jobs).flat_map(events).collect(),
        "effects" => every(3)
            .map(|n| {
                let result = if n.is_multiple_of(2) { text(WORDS[1]) } else { Value::Text(None) };
                let status = text(if n.is_multiple_of(2) { "done" } else { "reserved" });
                vec![job_id(n).into(), text("push"), text(WORDS[2]), status, result, 1.into(), START.into()]
            })
            .collect(),
        "job_dependencies" => {
            every(10).skip(1).map(|n| vec![job_id(n).into(), job_id(n - 1).into(), text("done")]).collect()
        }
        "spend" => (0..jobs).map(|n| session(table, n)).collect(),
        "budget_raises" => vec![row(
            table,
            &[
                ("id", text("b-1")),
                ("scope", text("day")),
                ("repository_id", text("")),
                ("cost", i64::MAX.into()),
                ("made_at", START.into()),
                ("until", i64::MAX.into()),
            ],
        )],
        "budget_marks" => vec![vec![text("r0"), START.into()]],
        "budget_warnings" => vec![vec![text(WORDS[1]), START.into()]],
        "questions" | "messages" | "exceptions" | "tokens" | "kept_answers" => said(table, jobs),
        "items" | "item_dependencies" | "sprint_members" | "item_jobs" | "item_marks" | "pull_requests"
        | "pull_watches" | "deliveries" | "documents" => backlog(table),
        other => panic!("no rows for {other}"),
    }
}

/// What people and programs have said and may say.
fn said(table: &Table, jobs: usize) -> Vec<Vec<Value>> {
    let text = |text: &str| Value::from(text);
    let every = |step: usize| (0..jobs).step_by(step);
    match table.name() {
        "questions" => every(3)
            .map(|n| {
                let named = [
                    ("job_id", job_id(n).into()),
                    ("number", 1.into()),
                    ("id", format!("q{n:04}").into()),
                    ("turn", 1.into()),
                    ("text", text(WORDS[1])),
                    ("options", text("[]")),
                    ("asked_at", START.into()),
                    ("expires_at", i64::MAX.into()),
                ];
                row(table, &named)
            })
            .collect(),
        "messages" => every(4)
            .map(|n| {
                let named = [
                    ("job_id", job_id(n).into()),
                    ("number", 1.into()),
                    ("id", format!("m{n:04}").into()),
                    ("sender", text("")),
                    ("text", text(WORDS[2])),
                    ("sent_at", START.into()),
                ];
                row(table, &named)
            })
            .collect(),
        "exceptions" => vec![vec![
            text("e-1"),
            text("r0"),
            text("ci-file"),
            Value::Text(None),
            text(WORDS[2]),
            text("me"),
            START.into(),
            i64::MAX.into(),
        ]],
        "tokens" => vec![row(
            table,
            &[
                ("id", text("t-1")),
                ("name", text(WORDS[1])),
                ("scope", text("read")),
                ("hash", text("00")),
                ("created_at", START.into()),
            ],
        )],
        "kept_answers" => vec![vec![
            text("t-1"),
            text(WORDS[1]),
            text("00"),
            201.into(),
            text("{}"),
            START.into(),
            i64::MAX.into(),
        ]],
        other => panic!("no rows for {other}"),
    }
}

/// A sprint over a task of a story that was made after it.
fn backlog(table: &Table) -> Vec<Vec<Value>> {
    let text = |text: &str| Value::from(text);
    let item = |number: i64, kind: &str, parent: Option<&str>| {
        let (id, key) = (format!("i-{number}"), format!("app0-{}", 9000 + number));
        let named = [
            ("id", id.into()),
            ("repository_id", text("r0")),
            ("number", (9000 + number).into()),
            ("key", key.into()),
            ("kind", text(kind)),
            ("title", text(WORDS[1])),
            ("body", text("{\"kind\":\"task\"}")),
            ("parent_id", parent.into()),
            ("position", 1.into()),
            ("runs", 1.into()),
            ("version", 1.into()),
            ("created_at", START.into()),
            ("updated_at", START.into()),
        ];
        row(table, &named)
    };
    match table.name() {
        "items" => {
            vec![
                item(1, "task", Some("i-2")),
                item(2, "story", None),
                item(3, "sprint", None),
                item(4, "task", None),
                item(5, "idea", None),
            ]
        }
        "item_dependencies" => vec![vec![text("i-1"), text("i-4")]],
        "sprint_members" => vec![vec![text("i-3"), text("i-1"), 1.into()]],
        "item_marks" => vec![vec![text("i-1"), 1.into(), text("done"), 0.into(), START.into()]],
        "documents" => vec![row(
            table,
            &[
                ("item_id", text("i-5")),
                ("part", text("plan")),
                ("revision", 1.into()),
                ("text", text(WORDS[1])),
                ("facts", text("{\"part\":\"plan\",\"stories\":0,\"tasks\":0}")),
                ("at", START.into()),
            ],
        )],
        "pull_watches" => {
            let named = [
                ("repository_id", text("r0")),
                ("number", 7.into()),
                ("job_id", text("gone")),
                ("head", text("")),
                ("memory", text("{}")),
                ("version", 3.into()),
                ("hints", 1.into()),
                ("taken_until", 0.into()),
                ("next_look", START.into()),
            ];
            vec![row(table, &named)]
        }
        "deliveries" => vec![vec![text("git.example.org"), text(WORDS[1]), START.into()]],
        "item_jobs" => vec![row(
            table,
            &[
                ("item_id", text("i-1")),
                ("run", 1.into()),
                ("job_id", text("gone")),
                ("job_key", text("app0-9001")),
                ("at", START.into()),
                ("end_reason", text("published")),
                ("pull_repository_id", text("r0")),
                ("pull_number", 7.into()),
                ("goes_on", true.into()),
            ],
        )],
        _ => vec![row(
            table,
            &[
                ("repository_id", text("r0")),
                ("number", 7.into()),
                ("url", text("https://forge/7")),
                ("branch", text("overnight/x")),
                ("job_id", text("gone")),
                ("state", text("merged")),
                ("updated_at", START.into()),
            ],
        )],
    }
}

/// Fills an empty database, and returns how many of its jobs are held. Their leases ran out long ago.
pub(super) async fn fill(store: &Store, jobs: usize) -> i64 {
    let mut tx = store.begin("fill a database").await.unwrap();
    for table in &TABLES {
        table.into.rows(&mut tx, &rows(table, jobs)).await.unwrap();
    }
    let held = "UPDATE jobs SET holder = 'w-1', lease_until = 1 WHERE phase = $1";
    let held = tx.run(sql(held).bind(Phase::Held.as_str())).await.unwrap();
    tx.run(sql("UPDATE events SET tx = 77")).await.unwrap();
    tx.run(sql(
        "INSERT INTO slots (limit_key, slot, job_id) SELECT 'k' || id, 1, id FROM jobs WHERE phase = 'held'",
    ))
    .await
    .unwrap();
    let worker = "INSERT INTO workers (id, host, boot_id, pid, start_ticks, version, started_at, last_seen) \
                  VALUES ('w-1', 'h', 'b', 1, 1, '0', 1, 1)";
    tx.run(sql(worker)).await.unwrap();
    tx.commit().await.unwrap();
    held.try_into().unwrap()
}
