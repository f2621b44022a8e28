//! The crash sweep: a worker is killed with SIGKILL again and again, after every event that it writes, in the middle of its
//! system calls, and at times that nothing chose; another takes over. After each kill the invariants hold, and in the end
//! every job has ended as if nothing had happened.
//!
//! The tests here are a short version with a fixed seed. `cargo xtask crash-sweep` runs the same code at length and sets the
//! variables that [`Order::asked`] reads.

mod case;
mod figures;
mod kill;
mod plan;
mod probe;
mod shape;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Instant;

use overnight_testkit::postgres::Postgres;

use crate::harness::fleet::Engine;
use crate::harness::skipped;
use case::Case;
use figures::Figures;
use plan::Plan;
pub(super) use probe::strace_works;

/// What is to be swept.
struct Order {
    kills: u32,
    seed: u64,
    /// Cases at a time.
    threads: usize,
    /// Only this one.
    case: Option<Case>,
}

impl Order {
    /// As the environment says, else a run that is short enough for every day.
    fn asked(kills: u32) -> Self {
        let asked = |name: &str| std::env::var(format!("OVERNIGHT_SWEEP_{name}")).ok();
        let number = |name: &str| asked(name).map(|text| text.parse::<u64>().expect(name));
        let case = asked("CASE").map(|text| Case::parse(&text).unwrap_or_else(|why| panic!("{text}: {why}")));
        Self {
            kills: number("KILLS").map_or(kills, |number| u32::try_from(number).unwrap()),
            seed: number("SEED").unwrap_or(1),
            threads: number("THREADS").map_or(1, |number| usize::try_from(number).unwrap()),
            case,
        }
    }
}

#[test]
fn killed_anywhere_jobs_end_as_if_nothing_had_happened_on_sqlite() {
    sweep(Engine::Sqlite, &Order::asked(40));
}

#[test]
fn killed_anywhere_jobs_end_as_if_nothing_had_happened_on_postgres() {
    if let Err(reason) = Postgres::shared() {
        return skipped("killed_anywhere_jobs_end_as_if_nothing_had_happened_on_postgres", &reason);
    }
    sweep(Engine::Postgres, &Order::asked(10));
}

/// What the threads of a sweep share.
struct Sweep<'a> {
    engine: Engine,
    order: &'a Order,
    plan: Plan,
    next: AtomicU32,
    failed: AtomicBool,
    figures: Mutex<Figures>,
}

fn sweep(engine: Engine, order: &Order) {
    if let Some(case) = &order.case {
        return println!("{}: {case}: {:?}", engine.word(), case.run(engine));
    }
    let began = Instant::now();
    let plan = Plan::new(engine, order.seed);
    let sweep = Sweep {
        engine,
        order,
        plan,
        next: AtomicU32::new(0),
        failed: AtomicBool::new(false),
        figures: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for _ in 0..order.threads {
            scope.spawn(|| sweep.work());
        }
    });
    let failed = sweep.failed.load(Ordering::Relaxed);
    let figures = sweep.figures.into_inner().unwrap();
    println!("{}", figures.report(engine, order.seed, &sweep.plan, began.elapsed()));
    assert!(!failed, "an invariant did not hold; the case is printed above");
}

impl Sweep<'_> {
    /// One case after another until there were enough kills, or something did not hold.
    fn work(&self) {
        while !self.failed.load(Ordering::Relaxed) && self.figures.lock().unwrap().kills() < self.order.kills
        {
            let case = self.plan.case(self.next.fetch_add(1, Ordering::Relaxed));
            match catch_unwind(AssertUnwindSafe(|| case.run(self.engine))) {
                Ok(told) => {
                    let mut figures = self.figures.lock().unwrap();
                    if let Some(line) = figures.add(told) {
                        println!("{}: {line}", self.engine.word());
                    }
                }
                Err(_) => {
                    self.failed.store(true, Ordering::Relaxed);
                    let engine = self.engine.word();
                    println!("VIOLATION on {engine}, seed {}, case \"{case}\"", self.order.seed);
                    println!("again: cargo xtask crash-sweep --database {engine} --case \"{case}\"");
                }
            }
        }
    }
}
