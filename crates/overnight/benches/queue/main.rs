//! The queue beside other queues and beside the database's own limits: the same scenarios for all, in turns, on one
//! throw-away PostgreSQL with its default durability and on SQLite files that are synced with every commit.
//!
//! `cargo bench -p overnight --bench queue -- --rounds 3`, or `--quick` to see that everything runs. Installs the other
//! queues below `.tools/bench` and `target/bench-peers` when it is run for the first time. Measures and prints; decides
//! nothing. What is measured how is said in `docs/performance.md`.
//!
//! ```text
//! main ─► plan: who, what, how many ─► run: one program per measurement, one line of JSON ─► report
//!                                        ├─ peers/*.mjs, *.py, apalis     the other queues
//!                                        └─ this program again (`--as`)   raw limits, Overnight
//! ```

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot measure has nothing to go on with"
)]

mod contestant;
mod database;
mod figures;
mod install;
mod machine;
mod ours;
mod program;
mod raw_postgres;
mod raw_sqlite;
mod report;
mod run;
mod scenario;

use std::time::Instant;

use figures::Figures;
use run::Runner;
use scenario::{SCENARIOS, Sizes};

const USAGE: &str = "usage: queue [--rounds NUMBER] [--quick] [--only PART-OF-A-NAME,…]";

struct Options {
    rounds: usize,
    sizes: Sizes,
    /// Parts of names of contestants; none means all.
    only: Vec<String>,
}

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == "--as").is_some() {
        program::main(&arguments.collect::<Vec<_>>());
        return;
    }
    let Some(options) = options(arguments) else {
        println!("{USAGE}");
        return;
    };
    let began = Instant::now();
    let runner = Runner::new(&options.only);
    println!("{}\n", machine::describe(runner.database()));
    let figures = measure(&runner, &options);
    report::print(&runner, &figures);
    println!("\nall figures: {}", report::write(&figures).display());
    println!("whole bench: {:.0} s, load now {}", began.elapsed().as_secs_f64(), machine::load());
}

/// `None` for arguments that are not understood. Cargo itself adds `--bench`.
fn options(mut arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options { rounds: 3, sizes: Sizes::FULL, only: Vec::new() };
    let mut rounds = None;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => {}
            "--rounds" => rounds = Some(arguments.next()?.parse().ok().filter(|rounds| *rounds > 0)?),
            "--quick" => {
                options.sizes = Sizes::QUICK;
                options.rounds = 1;
            }
            "--only" => options.only = arguments.next()?.split(',').map(str::to_owned).collect(),
            _ => return None,
        }
    }
    options.rounds = rounds.unwrap_or(options.rounds);
    Some(options)
}

/// Everybody in each scenario in each round, and each round begins with another one: what the machine does meanwhile
/// falls on all.
fn measure(runner: &Runner, options: &Options) -> Figures {
    let mut figures = Figures::default();
    let count = runner.contestants().len();
    for round in 0..options.rounds {
        for scenario in SCENARIOS {
            for place in 0..count {
                let contestant = &runner.contestants()[(place + round) % count];
                if !contestant.takes_part(scenario) || (round > 0 && contestant.is_slow(scenario)) {
                    continue;
                }
                let size = contestant.size(scenario, &options.sizes);
                let outcome = runner.measure(contestant, scenario, size);
                println!(
                    "round {}  {:<14}  {:<51}  {outcome}",
                    round + 1,
                    scenario.name(),
                    contestant.name()
                );
                figures.add(contestant.name(), scenario, round, outcome);
            }
        }
    }
    figures
}
