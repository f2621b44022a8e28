//! Numbers without gaps and one owner for each job, among processes.

use std::collections::BTreeMap;

use super::*;

on_both!(
    processes_number_their_jobs_without_gaps,
    each_job_has_exactly_one_owner_among_two_processes_that_want_all_of_them,
    two_thousand_claims_at_once_give_each_job_one_owner,
    ten_thousand_jobs_are_claimed_once_each,
);

/// The owner of each job; no job has two, and nobody came second.
fn owners(facts: &[Vec<String>]) -> BTreeMap<String, usize> {
    let mut owners = BTreeMap::new();
    for (owner, facts) in facts.iter().enumerate() {
        for fact in facts {
            let (id, fence) = fact.split_once(' ').unwrap();
            assert_eq!(fence, "1", "{id} was taken before");
            assert_eq!(owners.insert(id.to_owned(), owner), None, "{id} was taken twice");
        }
    }
    owners
}

async fn processes_number_their_jobs_without_gaps(f: &Fixture) {
    let mut others = Other::crew("enqueue", f.store.database(), &EIGHT[..4]);
    let keys = run_all(&mut others).concat();
    let mut numbers: Vec<i64> =
        keys.iter().map(|key| key.strip_prefix("app-").unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers.len(), 80);
    assert_gapless(&numbers);
}

async fn each_job_has_exactly_one_owner_among_two_processes_that_want_all_of_them(f: &Fixture) {
    const JOBS: usize = 125;
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; JOBS]).await.unwrap();
    // Two processes, four tasks each, every job: a thousand claims.
    let mut others = Other::crew("claim", f.store.database(), &EIGHT[..2]);
    let owners = owners(&run_all(&mut others));
    assert_eq!(owners.len(), JOBS);
    for job in f.store.jobs_unfinished().await.unwrap().jobs {
        assert_eq!(job.holder.unwrap().worker.as_str(), EIGHT[owners[job.id.as_str()]]);
        assert_gapless(&numbers(&f.store, &job.id).await);
    }
}

async fn two_thousand_claims_at_once_give_each_job_one_owner(f: &Fixture) {
    let new = new_job(&f.store, "app").await;
    f.store.jobs_enqueue(&vec![new; 1000]).await.unwrap();
    let mut others = Other::crew("next", f.store.database(), &EIGHT[..2]);
    let owners = owners(&run_all(&mut others));
    let stats = f.store.queue_stats().await.unwrap();
    assert_eq!((owners.len(), stats.held, stats.ready), (1000, 1000, 0));
}

async fn ten_thousand_jobs_are_claimed_once_each(f: &Fixture) {
    let mut batch = Vec::new();
    for repository in ["one", "two", "three", "four"] {
        batch.extend(vec![new_job(&f.store, repository).await; 2500]);
    }
    for some in batch.chunks(2000) {
        f.store.jobs_enqueue(some).await.unwrap();
    }
    let mut tasks = Vec::new();
    for name in &EIGHT[..4] {
        let store = f.other().await;
        tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let taken = claim_next(&store, name, 100).await;
                if taken.is_empty() {
                    return mine;
                }
                mine.extend(taken.iter().map(|one| format!("{} {}", one.job.id, one.lease.fence().0)));
            }
        }));
    }
    let mut facts = Vec::new();
    for task in tasks {
        facts.push(task.await.unwrap());
    }
    assert_eq!(owners(&facts).len(), 10_000);
    let stats = f.store.queue_stats().await.unwrap();
    assert_eq!((stats.held, stats.ready), (10_000, 0));
}

/// Eight processes make one database at the same time.
fn make_at_once(database: &Database) {
    let told = run_all(&mut Other::crew("open", database, &EIGHT)).concat();
    assert_eq!(told, ["open"; 8]);
}

#[tokio::test]
async fn processes_that_start_together_make_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(dir.path().join("data/overnight.db"));
    make_at_once(&database);
    assert_eq!(enqueue(&Store::connect(&database).await.unwrap()).await.key.as_str(), "app-1");
}

#[tokio::test]
async fn processes_that_start_together_make_one_schema() {
    let server = match Postgres::shared() {
        Ok(server) => server,
        Err(reason) => return println!("skipped: processes_that_start_together_make_one_schema: {reason}"),
    };
    let database = Database::Postgres(server.database());
    make_at_once(&database);
    assert_eq!(enqueue(&Store::connect(&database).await.unwrap()).await.key.as_str(), "app-1");
}
