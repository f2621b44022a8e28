//! Hundreds of jobs at once on one worker: how soon each is claimed, what the worker needs of the machine, and that all end.
//!
//! `cargo bench -p overnight --bench many_jobs -- --jobs 200`. The agents are scripted and wait for each other, so that all
//! jobs are in the middle of their work at the same moment. Measures and prints; decides nothing, and leaves nothing behind.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot measure has nothing to go on with"
)]

mod place;
mod usage;

use std::time::{Duration, Instant};

use overnight_testkit::postgres::{Durability, Postgres};
use place::Place;
use usage::Sampler;

/// Unless named.
const JOBS: usize = 200;
/// Longest wait for a fact.
const PATIENCE: Duration = Duration::from_secs(600);

fn main() {
    let Some(jobs) = jobs(std::env::args().skip(1)) else {
        println!("usage: many_jobs [--jobs NUMBER]");
        return;
    };
    println!("{jobs} jobs at once on one worker, {} processors", processors());
    measure("SQLite", jobs, None);
    match Postgres::start(Durability::Full) {
        Ok(server) => measure("PostgreSQL", jobs, Some(server.database())),
        Err(reason) => println!("PostgreSQL: not measured: {reason}"),
    }
}

/// `None` for arguments that are not understood. Cargo itself adds `--bench`.
fn jobs(mut args: impl Iterator<Item = String>) -> Option<usize> {
    let mut jobs = JOBS;
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--jobs" => jobs = args.next()?.parse().ok().filter(|jobs| *jobs > 0)?,
            _ => return None,
        }
    }
    Some(jobs)
}

fn measure(name: &str, jobs: usize, url: Option<String>) {
    let place = Place::new(url);
    let mut worker = place.worker(jobs);
    let sampler = Sampler::start(worker.id());
    let idle = sampler.most();
    let began = Instant::now();
    place.add(jobs);
    let added = began.elapsed();
    until("every agent at work", || place.agents_at_work() == jobs);
    let together = began.elapsed();
    let busy = sampler.most();
    place.open_gate();
    until("every branch", || place.branches() == jobs);
    let all = began.elapsed();
    place.drain(&mut worker);
    let most = sampler.end();
    let mut waits = place.waits_for_a_claim();
    assert_eq!(waits.len(), jobs, "every job is published");
    waits.sort_unstable();
    println!("\n{name}");
    println!("  added in one batch:       {} ms", added.as_millis());
    println!(
        "  added to claimed:         {} ms median, {} ms at most (aim: 1000)",
        waits[jobs / 2],
        waits[jobs - 1]
    );
    println!("  every agent at work:      {:.1} s after the start", together.as_secs_f64());
    println!("  every branch pushed:      {:.1} s after the start", all.as_secs_f64());
    println!(
        "  memory of the worker:     {} idle, {} with every agent, {} at most (aim: 150 MiB)",
        idle.memory(),
        busy.memory(),
        most.memory()
    );
    println!(
        "  open files of the worker: {} idle, {} with every agent, {} at most",
        idle.files, busy.files, most.files
    );
    println!(
        "  threads of the worker:    {} idle, {} with every agent, {} at most",
        idle.threads, busy.threads, most.threads
    );
}

fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let began = Instant::now();
    while !fact() {
        assert!(began.elapsed() < PATIENCE, "still not there: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}
