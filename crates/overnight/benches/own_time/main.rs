//! The runner's own time per job, and its memory: the real program and real git on repositories of several sizes, beside
//! the git commands that any design would need for the same steps, run in turns with it.
//!
//! `cargo bench -p overnight --bench own_time -- --runs 10 --files 100,5000`. Measures and prints; decides nothing, and
//! leaves nothing behind. What is measured how is said in `docs/performance.md`.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot measure has nothing to go on with"
)]

mod memory;
mod ours;
mod place;
mod raw;
mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use place::Place;
use report::Rows;

/// No run is begun after this long, so that the whole bench ends within four minutes.
const BUDGET: Duration = Duration::from_secs(200);
/// Runs per size, unless named. The largest takes seconds for each.
const RUNS: usize = 10;
const RUNS_LARGE: usize = 4;
/// Files from which a repository counts as large.
const LARGE: usize = 20_000;

/// The program as this build makes it.
const PROGRAM: &str = env!("CARGO_BIN_EXE_overnight");

struct Options {
    files: Vec<usize>,
    runs: Option<usize>,
    /// Another build of the program, to compare with.
    program: PathBuf,
    /// Where work trees are written; what must survive a crash lies in the temporary directory.
    trees: PathBuf,
}

fn main() {
    let Some(options) = options(std::env::args().skip(1)) else {
        println!("usage: own_time [--runs NUMBER] [--files NUMBER,NUMBER,…] [--program FILE] [--trees DIR]");
        return;
    };
    let began = Instant::now();
    println!("{}", place::machine());
    for files in &options.files {
        let wanted = options.runs.unwrap_or(if *files >= LARGE { RUNS_LARGE } else { RUNS });
        measure(&Place::new(*files, &options.program, &options.trees), *files, wanted, began);
    }
    println!("\nwhole bench: {:.0} s", began.elapsed().as_secs_f64());
}

/// `None` for arguments that are not understood. Cargo itself adds `--bench`.
fn options(mut args: impl Iterator<Item = String>) -> Option<Options> {
    let files = vec![100, 5_000, 50_000];
    let mut options = Options { files, runs: None, program: PROGRAM.into(), trees: place::usual_trees() };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--runs" => options.runs = Some(args.next()?.parse().ok().filter(|runs| *runs > 0)?),
            "--files" => {
                let numbers = args.next()?.split(',').map(|part| part.parse().ok()).collect::<Option<_>>()?;
                options.files = numbers;
            }
            "--program" => options.program = args.next()?.into(),
            "--trees" => options.trees = args.next()?.into(),
            _ => return None,
        }
    }
    Some(options)
}

fn measure(place: &Place, files: usize, wanted: usize, began: Instant) {
    let mut raw = raw::Raw::new(place);
    let cold_raw = raw.run();
    let cold = ours::run(place);
    let mut rows = Rows::default();
    for run in 0..wanted {
        if began.elapsed() > BUDGET {
            println!("only {run} of {wanted} runs: the time of the bench is used up");
            break;
        }
        // In turns, and each first as often as the other: what the machine does meanwhile falls on both.
        let pair = if run % 2 == 0 {
            let raw = raw.run();
            (ours::run(place), raw)
        } else {
            let ours = ours::run(place);
            (ours, raw.run())
        };
        rows.add(pair.0, pair.1);
    }
    let memory = memory::sample(place);
    report::print(files, &cold, &cold_raw, &rows, &memory);
}
