//! Overnight's own queue, by the calls of the product's dispatcher: it claims up to its free slots, again at once when it
//! found something, and else waits for a commit that may have brought work, with a poll behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use overnight_core::agent::{AgentSettings, BackendId};
use overnight_core::id::WorkerId;
use overnight_core::job::{
    Base, Choice, End, EndReason, JobEvent, JobLimits, JobSpec, JobState, Label, Publication, Step, Trail,
    VerifyRequest,
};
use overnight_store::{ClaimOrder, Claimant, Claimed, Database, NewJob, NewRepository, Offer, Store};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::program::{BATCH, Order, PINNED_PARTS, WARM_ENQUEUES, pick_up, pin, rate};

mod behind;

const SLOTS: usize = 10;
/// Only what a lost notification costs at most.
const POLL: Duration = Duration::from_secs(5);

/// One message for each job that starts.
type Starts = UnboundedSender<Instant>;

pub(crate) async fn run(order: &Order) -> Value {
    let database = database(&order.url);
    let store = Store::connect(&database).await.unwrap();
    // Nobody closes it: jobs that were picked up may still be written, and the program ends anyway.
    match order.scenario.as_str() {
        "setup" => json!({}),
        "load" => {
            batches(&store, order.count).await;
            json!({})
        }
        "enqueue-single" | "enqueue-ten" | "enqueue-batch" => enqueue(&store, order).await,
        "drain" => drain(&store, order.count).await,
        "load-behind" => behind::load(&store).await,
        "behind" => behind::claims(&store, order.count).await,
        "pinned" => {
            let _pin = pin(&order.url).await;
            drain_fading(&store, order.count).await
        }
        "pickup" => {
            // On PostgreSQL a store of its own, so that the worker hears of the job as another machine's would. On SQLite
            // one process has the queue.
            let sender = match &database {
                Database::Postgres(_) => Store::connect(&database).await.unwrap(),
                Database::Sqlite(_) => store.clone(),
            };
            pick_ups(&store, &sender, order.count).await
        }
        other => panic!("unknown scenario {other}"),
    }
}

fn database(url: &str) -> Database {
    let plain = url.split_once("?mode=").map_or(url, |(plain, _)| plain);
    Database::parse(plain).unwrap()
}

async fn new_job(store: &Store) -> NewJob {
    new_job_of(store, "app").await
}

async fn new_job_of(store: &Store, name: &str) -> NewJob {
    let new = NewRepository { name: name.to_owned(), remote: format!("/repositories/{name}") };
    let repository = store.repository_ensure(&new).await.unwrap();
    let spec = JobSpec {
        title: "Do nothing".to_owned(),
        prompt: "Do nothing".to_owned(),
        source: "/repositories/app".to_owned(),
        ordered_in: None,
        base: Base::RemoteDefault,
        publication: Publication::LocalBranch { repository: "/repositories/app".to_owned() },
        verify: VerifyRequest::Nothing,
        accept_base_failures: false,
        agent: AgentSettings::new(BackendId::Rehearsal),
        choice: Choice::default(),
        follows: None,
        task: None,
        line: None,
        limits: JobLimits::default(),
        budget: Default::default(),
        author: "Bench <bench@example.org>".to_owned(),
    };
    NewJob::new(repository.id, spec)
}

async fn batches(store: &Store, count: usize) {
    let job = new_job(store).await;
    let mut left = count;
    while left > 0 {
        let size = left.min(BATCH);
        store.jobs_enqueue(&vec![job.clone(); size]).await.unwrap();
        left -= size;
    }
}

async fn enqueue(store: &Store, order: &Order) -> Value {
    let job = new_job(store).await;
    for _ in 0..WARM_ENQUEUES {
        store.job_enqueue(&job).await.unwrap();
    }
    let began = Instant::now();
    match order.scenario.as_str() {
        "enqueue-single" => {
            for _ in 0..order.count {
                store.job_enqueue(&job).await.unwrap();
            }
        }
        "enqueue-ten" => ten(store, &job, order.count).await,
        _ => batches(store, order.count).await,
    }
    rate(order.count, began)
}

async fn ten(store: &Store, job: &NewJob, count: usize) {
    let senders: Vec<_> = (0..10)
        .map(|_| {
            let (store, job) = (store.clone(), job.clone());
            tokio::spawn(async move {
                for _ in 0..count / 10 {
                    store.job_enqueue(&job).await.unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
}

async fn drain(store: &Store, count: usize) -> Value {
    let (starts, mut started) = unbounded_channel();
    let began = Instant::now();
    let worker = tokio::spawn(work(store.clone(), starts));
    for _ in 0..count {
        started.recv().await.expect("the worker goes on");
    }
    while left(store).await {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let told = rate(count, began);
    worker.abort();
    told
}

/// Not the whole rate, but that of the beginning and that of the end.
async fn drain_fading(store: &Store, count: usize) -> Value {
    let (starts, mut started) = unbounded_channel();
    let worker = tokio::spawn(work(store.clone(), starts));
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        times.push(started.recv().await.expect("the worker goes on"));
    }
    worker.abort();
    let part = count / PINNED_PARTS;
    let rate = |times: &[Instant]| {
        let span = times.last().zip(times.first()).map(|(last, first)| last.duration_since(*first));
        times.len() as f64 / span.unwrap_or_default().as_secs_f64()
    };
    json!({ "fade": [rate(&times[..part]), rate(&times[count - part..])] })
}

async fn left(store: &Store) -> bool {
    let stats = store.queue_stats().await.unwrap();
    stats.ready + stats.waiting + stats.blocked + stats.held > 0
}

async fn pick_ups(store: &Store, sender: &Store, count: usize) -> Value {
    let job = new_job(sender).await;
    let (starts, mut started) = unbounded_channel();
    let worker = tokio::spawn(work(store.clone(), starts));
    let told = pick_up(count, &mut started, async || {
        sender.job_enqueue(&job).await.unwrap();
    })
    .await;
    worker.abort();
    told
}

fn claim_of(slots: usize) -> ClaimOrder {
    let claimant = Claimant {
        worker: WorkerId::parse("bench-worker").unwrap(),
        place: Label::parse("bench").unwrap(),
        lease: Duration::from_secs(60),
    };
    ClaimOrder { claimant, slots, offer: Offer::any_backend() }
}

/// The worker: never ends.
async fn work(store: Store, starts: Starts) {
    let mut order = claim_of(SLOTS);
    let _listening = store.listen();
    let mut wakes = store.subscribe();
    let slots = Arc::new(Semaphore::new(SLOTS));
    loop {
        // Seen before it looks: what is committed while it looks wakes it again.
        wakes.borrow_and_update();
        let first = Arc::clone(&slots).acquire_owned().await.unwrap();
        // As the dispatcher, which takes note of all jobs that have ended before it claims.
        tokio::task::yield_now().await;
        order.slots = 1 + slots.available_permits();
        let taken = store.jobs_claim(&order).await.unwrap().taken;
        drop(first);
        if taken.is_empty() {
            // A commit of this worker's own wakes it too; it then finds nothing, as in the product.
            let _ = tokio::time::timeout(POLL, wakes.changed()).await;
        }
        for claimed in taken {
            let slot = Arc::clone(&slots).try_acquire_owned().expect("no more are claimed than are free");
            let (store, starts) = (store.clone(), starts.clone());
            tokio::spawn(async move {
                // Nobody counts any more once the bench has seen enough.
                let _ = starts.send(Instant::now());
                end(&store, claimed).await;
                drop(slot);
            });
        }
    }
}

/// The job does nothing; its end is written under its lease as every end is.
async fn end(store: &Store, claimed: Claimed) {
    let end = End { reason: EndReason::NoChanges, detail: String::new(), tip: None, published: None };
    let step = Step {
        next: JobState::Ended { trail: Trail::default(), end: end.clone() },
        events: vec![JobEvent::Ended { end }],
        effects: Vec::new(),
        spend: Vec::new(),
        talk: Vec::new(),
        documents: Vec::new(),
    };
    store.apply(&claimed.lease, &claimed.job.state, step).await.unwrap();
}
