//! All times come from the database's clock, wherever it stands.

use super::*;
use crate::{ReclaimPolicy, Renewal};

on_both!(the_clock_counts_milliseconds_since_1970);

const HOUR: i64 = 3_600_000;

async fn the_clock_counts_milliseconds_since_1970(f: &Fixture) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let written = file.as_file().metadata().unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = Duration::from_millis(u64::try_from(f.store.now().await.unwrap().0).unwrap());
    assert!(now + Duration::from_secs(1) >= written && now < written + MINUTE, "{now:?} {written:?}");
}

/// A database whose clock is wrong by `shift` milliseconds, which can be changed.
async fn shifted(server: &Postgres, shift: i64) -> (Store, String) {
    let url = server.database();
    set_clock(server, &url, shift);
    let name = server.psql(&url, "SELECT current_database()");
    // Looked for before the server's own.
    server.psql(&url, &format!("ALTER DATABASE {name} SET search_path = public, wrong, pg_catalog"));
    (Store::connect(&Database::Postgres(url.clone())).await.unwrap(), url)
}

fn set_clock(server: &Postgres, url: &str, shift: i64) {
    server.psql(
        url,
        &format!(
            "CREATE SCHEMA IF NOT EXISTS wrong; GRANT USAGE ON SCHEMA wrong TO PUBLIC; \
             CREATE OR REPLACE FUNCTION wrong.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS \
             'SELECT pg_catalog.statement_timestamp() + {shift} * interval ''1 millisecond'''"
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_are_set_and_judged_by_the_clock_of_the_server_alone() {
    let test = "leases_are_set_and_judged_by_the_clock_of_the_server_alone";
    let server = match Postgres::shared() {
        Ok(server) => server,
        Err(reason) => return println!("skipped: {test}: {reason}"),
    };
    for ahead in [-HOUR, HOUR] {
        let (store, url) = shifted(server, ahead).await;
        let right: i64 =
            server.psql(&url, "SELECT CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT)").parse().unwrap();
        let near = |time: Timestamp, wanted: i64| {
            assert!((time.0 - right - wanted).abs() < 60_000, "{time:?} {wanted}")
        };
        near(store.now().await.unwrap(), ahead);
        let job = enqueue(&store).await;
        near(job.created_at, ahead);
        let held = claim(&store, &job.id, "w").await;
        near(held.lease.until(), ahead + 60_000);
        store.worker_register(&worker_row("w")).await.unwrap();
        let beat = store.worker_beat(&worker("w"), MINUTE, "{}").await.unwrap();
        near(beat.held[0].until, ahead + 60_000);
        near(store.workers().await.unwrap()[0].last_seen, ahead);
        let policy = ReclaimPolicy { most_losses: 3, lease: Duration::ZERO, seen: None };
        assert!(store.jobs_reclaim(&[], policy).await.unwrap().is_empty());

        // The clock is set back: the lease only lasts longer, and renewing it sets it right.
        set_clock(server, &url, ahead - HOUR);
        assert!(store.jobs_reclaim(&[], policy).await.unwrap().is_empty());
        assert!(matches!(store.lease_renew(&held.lease, MINUTE).await.unwrap(), Renewal::Held { .. }));
        near(store.job(&job.id).await.unwrap().holder.unwrap().lease_until, ahead - HOUR + 60_000);
        // It is set forward: the lease is over for everybody, until its holder renews it before somebody else comes.
        set_clock(server, &url, ahead + HOUR);
        assert_eq!(store.queue_stats().await.unwrap().leases_expired, 1);
        assert!(matches!(store.lease_renew(&held.lease, MINUTE).await.unwrap(), Renewal::Held { .. }));
        assert!(store.jobs_reclaim(&[], policy).await.unwrap().is_empty());
        set_clock(server, &url, ahead + 2 * HOUR);
        assert_eq!(store.jobs_reclaim(&[], policy).await.unwrap().len(), 1);
        assert_eq!(store.lease_renew(&held.lease, MINUTE).await.unwrap(), Renewal::Lost);
        store.close().await;
    }
}

/// Whoever notices that the clock was set lets every lease begin again: nobody loses a job by it, and no dead worker keeps one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_begin_again_after_the_clock_was_set() {
    let test = "leases_begin_again_after_the_clock_was_set";
    let server = match Postgres::shared() {
        Ok(server) => server,
        Err(reason) => return println!("skipped: {test}: {reason}"),
    };
    let policy = ReclaimPolicy { most_losses: 3, lease: Duration::ZERO, seen: None };
    for jump in [-HOUR, HOUR] {
        let (store, url) = shifted(server, 0).await;
        let job = enqueue(&store).await;
        claim(&store, &job.id, "w").await;
        let seen = Some(store.now().await.unwrap());
        set_clock(server, &url, jump);
        assert!(store.jobs_reclaim(&[], ReclaimPolicy { seen, ..policy }).await.unwrap().is_empty());
        store.leases_restart(MINUTE).await.unwrap();
        assert!(store.jobs_reclaim(&[], policy).await.unwrap().is_empty());
        let now = store.now().await.unwrap();
        let until = store.job(&job.id).await.unwrap().holder.unwrap().lease_until;
        assert!(until > now && until <= now.plus(MINUTE), "{until:?} {now:?}");
        store.leases_restart(Duration::ZERO).await.unwrap();
        assert_eq!(store.jobs_reclaim(&[], policy).await.unwrap().len(), 1);
        store.close().await;
    }
}
