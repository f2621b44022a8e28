//! The schema's way forward, on files and servers that were there before.

use overnight_core::job::{AfterRule, CancelledBy, End, Trail};
use sqlx::{Connection, Executor, SqliteConnection};

use super::*;
use crate::{After, ErrorClass, OpenError, Parent, Phase, SCHEMA_VERSION};

/// A file as the first version of Overnight left it, with these jobs.
async fn first_schema(path: &std::path::Path, jobs: &[(&str, JobState, Option<&str>)]) {
    std::fs::write(path, b"").unwrap();
    let mut file = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let begin =
        "CREATE TABLE overnight_schema (version BIGINT NOT NULL); INSERT INTO overnight_schema VALUES (1)";
    file.execute(begin).await.unwrap();
    file.execute(include_str!("../../migrations/sqlite/0001_jobs.sql")).await.unwrap();
    file.execute("INSERT INTO repositories (id, name, remote, last_number, created_at) VALUES ('r-1', 'app', '/src/app', 9, 1)").await.unwrap();
    file.execute("INSERT INTO workers VALUES ('old', 'h', 'b', 1, 1, '0', 1)").await.unwrap();
    for (number, (id, state, holder)) in (1..).zip(jobs) {
        let wake = match state {
            JobState::Parked { wake, .. } => wake.map(|at| at.0),
            _ => None,
        };
        let text = "INSERT INTO jobs (id, repository_id, number, key, request, state, state_name, stage, wake_at, ended, \
                    fence, holder, lease_until, cancel, last_event, created_at, updated_at) \
                    VALUES ($1, 'r-1', $2, 'app-' || $2, 'q-' || $2, $3, $4, $5, $6, $7, 1, $8, $9, NULL, 1, $2, $2)";
        let insert = sqlx::query(text)
            .bind(*id)
            .bind(number)
            .bind(serde_json::to_string(state).unwrap())
            .bind(state.name())
            .bind(state.stage().map(overnight_core::job::Stage::as_str))
            .bind(wake)
            .bind(state.is_ended())
            .bind(*holder)
            .bind(holder.map(|_| 5));
        insert.execute(&mut file).await.unwrap();
        let spec = sqlx::query("INSERT INTO job_specs VALUES ($1, $2)").bind(*id);
        spec.bind(serde_json::to_string(&spec_of_old()).unwrap()).execute(&mut file).await.unwrap();
        let event = serde_json::json!({ "type": "queued", "title": "t" }).to_string();
        sqlx::query("INSERT INTO events VALUES ($1, 1, 1, $2)")
            .bind(*id)
            .bind(event)
            .execute(&mut file)
            .await
            .unwrap();
    }
    file.close().await.unwrap();
}

fn spec_of_old() -> JobSpec {
    spec("from before")
}

fn ended(reason: EndReason) -> JobState {
    let used = Usage {
        input_tokens: 5,
        cache_write_tokens: 2,
        output_tokens: 3,
        cost: Some(MicroDollars(9)),
        ..Usage::default()
    };
    let trail = Trail { attempt: 2, used, cost_unknown: true, ..Trail::default() };
    JobState::Ended { trail, end: End { reason, detail: String::new(), tip: None, published: None } }
}

fn waiting(reason: ParkReason, wake: Option<Timestamp>) -> JobState {
    JobState::Parked { reason, detail: String::new(), wake, then: Box::new(JobState::Queued) }
}

#[tokio::test]
async fn a_file_of_the_first_version_keeps_its_jobs_and_they_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("overnight.db");
    let preparing = JobState::Preparing { trail: Trail::default() };
    let jobs = [
        ("j-1", JobState::Queued, None),
        ("j-2", preparing, Some("old")),
        ("j-3", waiting(ParkReason::AgentLogin, None), None),
        ("j-4", waiting(ParkReason::RateLimited, Some(Timestamp(7))), None),
        ("j-5", ended(EndReason::Published), None),
        ("j-6", ended(EndReason::NoChanges), None),
    ];
    first_schema(&path, &jobs).await;
    let store = Store::open(&path).await.unwrap();
    store.check().await.unwrap();
    let id = |name: &str| JobId::parse(name).unwrap();
    for (name, state, _) in &jobs {
        assert_eq!(store.job(&id(name)).await.unwrap().state, *state);
    }
    let phases = [Phase::Ready, Phase::Held, Phase::Asleep, Phase::Due, Phase::Ended, Phase::Ended];
    for ((name, ..), phase) in jobs.iter().zip(phases) {
        assert_eq!(store.standing(&id(name)).await.unwrap().phase, phase, "{name}");
    }

    // Any worker could have had them, so any worker can.
    let offer = Offer::of(Vec::new(), Vec::new());
    let first = store.jobs_claim(&ClaimOrder { offer, ..order("w", 9) }).await.unwrap();
    assert_eq!(keys(&first.taken), ["app-1"]);
    assert_eq!(store.jobs_due().await.unwrap(), None);
    assert_eq!(keys(&claim_next(&store, "w", 9).await), ["app-4"]);
    assert_eq!(store.jobs_wake(ParkReason::AgentLogin, None, false).await.unwrap(), 1);
    assert_eq!(keys(&claim_next(&store, "w", 9).await), ["app-3"]);
    let policy = crate::ReclaimPolicy { most_losses: 3, lease: MINUTE, seen: None };
    assert_eq!(store.jobs_reclaim(&[], policy).await.unwrap()[0].key.as_str(), "app-2");
    assert_eq!(keys(&claim_next(&store, "w", 9).await), ["app-2"]);

    // What ended is known by its reason: to whoever waits for it, and in sums.
    let after = |name: &str, rule| vec![After { on: Parent::Job(id(name)), rule }];
    let new = new_job(&store, "app").await;
    let done = NewJob { after: after("j-5", AfterRule::Done), ..new.clone() };
    assert_eq!(store.job_enqueue(&done).await.unwrap().key.as_str(), "app-10");
    let failed = NewJob { after: after("j-6", AfterRule::Done), ..new.clone() };
    assert!(matches!(store.job_enqueue(&failed).await, Err(StoreError::ParentFailed { .. })));
    let known = NewJob { request: Some("q-1".to_owned()), spec: spec_of_old(), ..new };
    assert_eq!(store.job_enqueue(&known).await.unwrap().id, id("j-1"));
    let stats = store.queue_stats().await.unwrap();
    let sums: Vec<_> = stats
        .ended
        .iter()
        .map(|end| (end.reason.as_str(), end.jobs, end.attempts, end.input_tokens))
        .collect();
    assert_eq!(sums, [("no_changes", 1, 2, 7), ("published", 1, 2, 7)]);
    assert_eq!((stats.ended[0].cost_micro_usd, stats.ended[0].cost_unknown_jobs), (9, 1));
    assert_eq!(
        store.cancel_request(&id("j-5"), CancelledBy::Command).await.unwrap(),
        crate::CancelRequest::AlreadyEnded
    );
    assert_eq!(store.workers().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_row_that_cannot_be_read_does_not_stop_the_way_forward() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("overnight.db");
    first_schema(&path, &[("j-1", JobState::Queued, None), ("j-2", ended(EndReason::Published), None)]).await;
    let mut file = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    file.execute("UPDATE jobs SET state = 'not JSON' WHERE id = 'j-2'").await.unwrap();
    file.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    assert_eq!(keys(&claim_next(&store, "w", 9).await), ["app-1"]);
    // It has ended, nobody knows how: whoever needs it published cannot have it.
    let after = vec![After { on: Parent::Job(JobId::parse("j-2").unwrap()), rule: AfterRule::Done }];
    let refused = store.job_enqueue(&NewJob { after, ..new_job(&store, "app").await }).await;
    assert!(
        matches!(refused, Err(StoreError::ParentFailed { reason: EndReason::InternalError, .. })),
        "{refused:?}"
    );
}

fn server(test: &str) -> Option<&'static Postgres> {
    Postgres::shared().inspect_err(|reason| println!("skipped: {test}: {reason}")).ok()
}

#[tokio::test]
async fn a_server_with_a_newer_schema_is_refused_with_both_versions_named() {
    let Some(server) = server("a_server_with_a_newer_schema_is_refused_with_both_versions_named") else {
        return;
    };
    let url = server.database();
    let database = Database::Postgres(url.clone());
    Store::connect(&database).await.unwrap().close().await;
    server.psql(&url, "UPDATE overnight_schema SET version = 99");
    let error = Store::connect(&database).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Newer);
    let text = error.to_string();
    assert!(text.contains("schema 99") && text.contains(&format!("schema {SCHEMA_VERSION}")), "{text}");
}

#[tokio::test]
async fn tables_of_another_program_are_left_alone() {
    let Some(server) = server("tables_of_another_program_are_left_alone") else { return };
    for table in ["jobs", "events", "workers"] {
        let url = server.database();
        server.psql(&url, &format!("CREATE TABLE {table} (theirs TEXT)"));
        let error = Store::connect(&Database::Postgres(url.clone())).await.unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
        let found = server.psql(&url, "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'");
        assert_eq!(found, "1");
    }
    // Beside tables with other names there is room.
    let url = server.database();
    server.psql(&url, "CREATE TABLE invoices (theirs TEXT)");
    let store = Store::connect(&Database::Postgres(url)).await.unwrap();
    assert_eq!(enqueue(&store).await.key.as_str(), "app-1");
}

#[tokio::test]
async fn a_server_that_lets_nobody_make_tables_says_so() {
    let Some(server) = server("a_server_that_lets_nobody_make_tables_says_so") else { return };
    let url = server.database();
    server.psql(&url, "REVOKE ALL ON SCHEMA public FROM PUBLIC; ALTER SCHEMA public OWNER TO postgres");
    let error = Store::connect(&Database::Postgres(url)).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Refused, "{error:?}");
}

/// Rows of the fourth schema that later ones lay out anew, with all that refers to them.
const OF_THE_FOURTH: &str = "INSERT INTO repositories (id, name, remote, last_number, created_at) VALUES ('r-1', 'app', '/src/app', 9, 1); \
    INSERT INTO lanes (id, repository_id, limit_keys, needs) VALUES ('l', 'r-1', '[\"repository:app\"]', '[]'); \
    INSERT INTO jobs (id, repository_id, number, key, request, state, state_name, ended, fence, last_event, created_at, \
        updated_at, phase, lane_id, end_reason, attempts, holder, lease_until) VALUES \
      ('j-1', 'r-1', 1, 'app-1', 'q-1', '{\"state\":\"queued\"}', 'queued', FALSE, 0, 1, 1, 1, 'ready', 'l', NULL, 0, NULL, NULL), \
      ('j-2', 'r-1', 2, 'app-2', NULL, '{\"state\":\"queued\"}', 'queued', FALSE, 3, 2, 2, 2, 'held', 'l', NULL, 0, 'w', 5), \
      ('j-3', 'r-1', 3, 'app-3', 'q-3', '{}', 'ended', TRUE, 0, 1, 3, 7, 'ended', 'l', 'published', 4, NULL, NULL); \
    INSERT INTO job_specs (job_id, spec) VALUES ('j-1', 'SPEC'), ('j-2', 'SPEC'), ('j-3', 'SPEC'); \
    INSERT INTO events (job_id, number, at, event, tx) VALUES ('j-1', 1, 1, '{\"type\":\"queued\",\"title\":\"t\"}', 1), \
      ('j-2', 1, 1, '{}', 2), ('j-2', 2, 1, '{}', 3), ('j-3', 1, 1, '{}', 4); \
    INSERT INTO slots (limit_key, slot, job_id) VALUES ('repository:app', 0, 'j-2'); \
    INSERT INTO job_dependencies (child_id, parent_id, rule) VALUES ('j-2', 'j-3', 'ended'); \
    INSERT INTO effects (job_id, name, detail, status, fence, at) VALUES ('j-2', 'push', 'd', 'reserved', 3, 1); \
    INSERT INTO workers (id, host, boot_id, pid, start_ticks, version, started_at) VALUES ('w', 'h', 'b', 1, 1, '0', 1)";

async fn the_fourth_schema_goes_on(store: &Store) {
    store.check().await.unwrap();
    let found = |key: &'static str| async move { store.job_find(key).await.unwrap().id.as_str().to_owned() };
    assert_eq!((found("app-1").await.as_str(), found("app-2").await.as_str()), ("j-1", "j-2"));
    let number = async |text: &str| store.one("test", sql(text)).await.unwrap().number("n").unwrap();
    assert_eq!(number("SELECT COUNT(*) AS n FROM jobs WHERE ended_at = 7 AND key = 'app-3'").await, 1);
    assert_eq!(number("SELECT COUNT(*) AS n FROM jobs WHERE ended_at IS NULL AND NOT ended").await, 2);
    for table in ["slots", "effects", "job_dependencies", "workers"] {
        assert_eq!(number(&format!("SELECT COUNT(*) AS n FROM {table}")).await, 1, "{table}");
    }
    let events: Vec<i64> = store
        .feed(&crate::FeedPosition::start(), 9)
        .await
        .unwrap()
        .iter()
        .map(|item| item.number.0)
        .collect();
    assert_eq!(events, [1, 1, 2, 1]);
    let mut new = new_job(store, "app").await;
    (new.spec, new.request) = (spec_of_old(), Some("q-1".to_owned()));
    assert_eq!(store.job_enqueue(&new).await.unwrap().id.as_str(), "j-1");
    new.request = None;
    assert_eq!(store.job_enqueue(&new).await.unwrap().key.as_str(), "app-10");
    // Keys and requests are as unique as before.
    for twice in ["key = 'app-1'", "request = 'q-1'"] {
        let text = format!("UPDATE job_specs SET {twice} WHERE job_id = 'j-2'");
        assert!(store.run("test", sql(text)).await.unwrap_err().is_duplicate(), "{twice}");
    }
    let policy = crate::ReclaimPolicy { most_losses: 3, lease: Duration::ZERO, seen: None };
    assert_eq!(store.jobs_reclaim(&[], policy).await.unwrap()[0].key.as_str(), "app-2");
    assert_eq!(keys(&claim_next(store, "w2", 9).await).len(), 3);
    let prunable = store.jobs_prunable(Timestamp(8), 9).await.unwrap();
    assert!(prunable.is_empty(), "a job that has not ended was told to wait for it: {prunable:?}");
    store.run("test", sql("DELETE FROM job_dependencies")).await.unwrap();
    assert_eq!(store.jobs_prunable(Timestamp(8), 9).await.unwrap()[0].key.as_str(), "app-3");
    assert!(store.jobs_prunable(Timestamp(7), 9).await.unwrap().is_empty());
}

fn of_the_fourth(migrations: &[&str]) -> String {
    let spec = serde_json::to_string(&spec_of_old()).unwrap().replace('\'', "''");
    let rows = OF_THE_FOURTH.replace("SPEC", &spec);
    let version =
        "CREATE TABLE overnight_schema (version BIGINT NOT NULL); INSERT INTO overnight_schema VALUES (4);";
    format!("{version}{};{rows}", migrations.join(";"))
}

#[tokio::test]
async fn a_file_of_the_fourth_schema_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("overnight.db");
    std::fs::write(&path, b"").unwrap();
    let mut file = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    let text = of_the_fourth(&[
        include_str!("../../migrations/sqlite/0001_jobs.sql"),
        include_str!("../../migrations/sqlite/0002_queue.sql"),
        include_str!("../../migrations/sqlite/0003_circuits.sql"),
        include_str!("../../migrations/sqlite/0004_spend.sql"),
    ]);
    sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut file).await.unwrap();
    file.close().await.unwrap();
    the_fourth_schema_goes_on(&Store::open(&path).await.unwrap()).await;
}

#[tokio::test]
async fn a_server_of_the_fourth_schema_keeps_everything() {
    let Some(server) = server("a_server_of_the_fourth_schema_keeps_everything") else { return };
    let url = server.database();
    let text = of_the_fourth(&[
        include_str!("../../migrations/postgres/0001_jobs.sql"),
        include_str!("../../migrations/postgres/0002_queue.sql"),
        include_str!("../../migrations/postgres/0003_circuits.sql"),
        include_str!("../../migrations/postgres/0004_spend.sql"),
    ]);
    // Whoever opens it later owns it.
    server.psql(&url, &format!("SET ROLE overnight; {text}"));
    the_fourth_schema_goes_on(&Store::connect(&Database::Postgres(url)).await.unwrap()).await;
}
