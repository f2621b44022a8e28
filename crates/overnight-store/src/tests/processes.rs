//! Several processes on one file, and processes that are killed: this test binary runs itself again.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use overnight_core::job::{JobEvent, JobState};

use super::*;

const ROLE: &str = "OVERNIGHT_STORE_TEST_ROLE";
const DATABASE: &str = "OVERNIGHT_STORE_TEST_DATABASE";
const NAME: &str = "OVERNIGHT_STORE_TEST_NAME";

/// Another process of this binary, in the role of a worker. It is killed when dropped.
struct Other {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Other {
    #[expect(clippy::disallowed_methods, reason = "tests start themselves again as other workers")]
    fn start(role: &str, database: &Database, name: &str) -> Self {
        let url = match database {
            Database::Sqlite(path) => path.to_str().unwrap().to_owned(),
            Database::Postgres(url) => url.clone(),
        };
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "tests::processes::other_process",
                "--exact",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .envs([(ROLE, role), (NAME, name)])
            .env(DATABASE, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, stdin, lines: BufReader::new(stdout).lines() }
    }

    /// The next fact it tells, or `None` when it has ended. What the test harness prints is passed over.
    fn fact(&mut self) -> Option<String> {
        self.lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split_once('@').map(|(_, fact)| fact.to_owned()))
    }

    fn go(&mut self) {
        self.stdin.write_all(b"go\n").unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tell(fact: &str) {
    println!("@{fact}");
    std::io::stdout().flush().unwrap();
}

fn wait_for_go() {
    tell("ready");
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "other tests start it as a process of its own"]
#[expect(clippy::disallowed_methods, reason = "its part comes from the test that started it")]
async fn other_process() {
    let (Ok(role), Ok(path), Ok(name)) = (std::env::var(ROLE), std::env::var(FILE), std::env::var(NAME))
    else {
        return println!("skipped: other_process: no test started it");
    };
    let path = Path::new(&path);
    match role.as_str() {
        "enqueue" => enqueue_many(path).await,
        "claim" => claim_all(path, &name).await,
        "open" => open_once(path).await,
        "walk" => walk_for_ever(path, &name).await,
        other => panic!("{other}"),
    }
}

async fn enqueue_many(path: &Path) {
    wait_for_go();
    let store = Store::open(path).await.unwrap();
    for _ in 0..20 {
        tell(enqueue(&store).await.key.as_str());
    }
}

async fn open_once(path: &Path) {
    wait_for_go();
    Store::open(path).await.unwrap();
    tell("open");
}

async fn claim_all(path: &Path, name: &str) {
    let store = Store::open(path).await.unwrap();
    let jobs = store.jobs_unfinished().await.unwrap().jobs;
    wait_for_go();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (store, worker) = (store.clone(), worker(name));
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id.clone()).collect();
        tasks.push(tokio::spawn(async move {
            for id in ids {
                if let Claim::Taken(claimed) = store.job_claim(&id, &worker, MINUTE, &[]).await.unwrap() {
                    tell(&format!("{} {}", claimed.job.id, claimed.lease.fence().0));
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn walk_for_ever(path: &Path, name: &str) {
    let store = Store::open(path).await.unwrap();
    let id = store.job_find("app-1").await.unwrap().id;
    let dead = store.workers().await.unwrap().into_iter().map(|row| row.id).collect::<Vec<_>>();
    let row = crate::WorkerRow {
        id: worker(name),
        host: "h".to_owned(),
        boot_id: "b".to_owned(),
        pid: std::process::id(),
        start_ticks: 0,
        version: "0".to_owned(),
    };
    store.worker_register(&row).await.unwrap();
    let Claim::Taken(claimed) = store.job_claim(&id, &row.id, MINUTE, &dead).await.unwrap() else { panic!() };
    let Claimed { lease, mut job, .. } = *claimed;
    loop {
        let input = match &job.state {
            JobState::Preparing { .. } => prepared(),
            JobState::Working { turn: None, .. } => announced(),
            JobState::Working { turn: Some(_), .. } => interrupted(),
            other => panic!("{other:?}"),
        };
        let applied = advance(&store, &lease, &mut job, input).await;
        tell(&applied.events.last().unwrap().0.0.to_string());
    }
}

#[tokio::test]
async fn processes_that_start_together_make_one_database_and_number_their_jobs_without_gaps() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data/overnight.db");
    let mut others: Vec<Other> = (0..4).map(|n| Other::start("enqueue", &path, &format!("w{n}"))).collect();
    for other in &mut others {
        assert_eq!(other.fact().as_deref(), Some("ready"));
    }
    others.iter_mut().for_each(Other::go);
    let mut keys = Vec::new();
    for other in &mut others {
        keys.extend(std::iter::from_fn(|| other.fact()));
        assert!(other.child.wait().unwrap().success());
    }
    let mut numbers: Vec<i64> =
        keys.iter().map(|key| key.strip_prefix("app-").unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers.len(), 80);
    assert_gapless(&numbers);
}

#[tokio::test]
async fn a_process_killed_while_it_makes_the_database_leaves_one_that_can_be_opened() {
    let dir = tempfile::tempdir().unwrap();
    let mut cut = 0;
    for round in 0_u32..24 {
        let path = dir.path().join(format!("{round}/overnight.db"));
        let mut other = Other::start("open", &path, "w");
        assert_eq!(other.fact().as_deref(), Some("ready"));
        other.go();
        // Not a wait for anything: the kill has to come at another moment each time, from at once to about when it is done.
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_micros(400) * round {
            std::hint::spin_loop();
        }
        other.child.kill().unwrap();
        cut += usize::from(other.fact().is_none());
        drop(other);
        let store = Store::open(&path).await.unwrap();
        assert_eq!(enqueue(&store).await.key.as_str(), "app-1");
        store.check().await.unwrap();
    }
    assert!(cut > 0, "every kill came too late");
}

#[tokio::test]
async fn each_job_has_exactly_one_owner_among_two_processes_with_many_claims() {
    const JOBS: usize = 125;
    let f = fixture().await;
    for _ in 0..JOBS {
        enqueue(&f.store).await;
    }
    // Two processes, four tasks each, every job: a thousand claims.
    let mut others = [Other::start("claim", &f.path, "w1"), Other::start("claim", &f.path, "w2")];
    for other in &mut others {
        assert_eq!(other.fact().as_deref(), Some("ready"));
    }
    others.iter_mut().for_each(Other::go);
    let mut owners = BTreeMap::new();
    for (other, name) in others.iter_mut().zip(["w1", "w2"]) {
        while let Some(fact) = other.fact() {
            let (id, fence) = fact.split_once(' ').unwrap();
            assert_eq!(fence, "1");
            assert_eq!(owners.insert(id.to_owned(), name), None, "{id} was taken twice");
        }
        assert!(other.child.wait().unwrap().success());
    }
    assert_eq!(owners.len(), JOBS);
    for job in f.store.jobs_unfinished().await.unwrap().jobs {
        assert_eq!(job.holder.unwrap().worker.as_str(), owners[job.id.as_str()]);
        assert_gapless(&numbers(&f.store, &job.id).await);
    }
}

#[tokio::test]
async fn a_worker_killed_while_it_writes_leaves_state_and_events_that_agree() {
    let f = fixture().await;
    let id = enqueue(&f.store).await.id;
    let mut acknowledged = 0;
    for round in 0..12 {
        let mut other = Other::start("walk", &f.path, &format!("w{round}"));
        // A different number of facts each time; where the next write is when it is killed, nobody knows.
        for _ in 0..=uuid::Uuid::now_v7().as_bytes()[15] % 32 {
            acknowledged = other.fact().expect("the worker failed by itself").parse().unwrap();
        }
        drop(other);
        let (job, events) =
            (f.store.job(&id).await.unwrap(), f.store.events(&id, EventNumber(0), 9999).await.unwrap());
        assert_gapless(&numbers(&f.store, &id).await);
        assert!(events.len() >= acknowledged, "an acknowledged event was lost");
        let (mut turns, mut open) = (0, false);
        for record in &events {
            let event = record.event.as_ref().unwrap();
            if let JobEvent::TurnAnnounced { turn, .. } = event {
                (turns, open) = (*turn, true);
            }
            open &= !matches!(event, JobEvent::TurnInterrupted { .. });
        }
        let JobState::Working { trail, turn, .. } = &job.state else { panic!("{:?}", job.state) };
        assert_eq!((trail.turns, turn.is_some()), (turns, open), "state and events disagree");
        assert_eq!(job.holder.unwrap().worker.as_str(), format!("w{round}"));
    }
    f.store.check().await.unwrap();
}
