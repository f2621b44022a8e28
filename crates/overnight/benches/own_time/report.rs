//! The figures as a table.

use crate::memory::Memory;
use crate::ours::Parts;

/// What the runner may need beside raw git, in milliseconds, for each of the three steps.
const AIM: f64 = 50.0;
/// What the runner may hold while its agent runs, in MiB.
const AIM_MIB: f64 = 30.0;

/// Pairs of runs: ours and raw git, next to each other in time.
#[derive(Default)]
pub(crate) struct Rows(Vec<(Parts, Parts)>);

impl Rows {
    pub(crate) fn add(&mut self, ours: Parts, raw: Parts) {
        self.0.push((ours, raw));
    }
}

type Pick = fn(&Parts) -> f64;

const PARTS: [(&str, Pick, bool); 6] = [
    ("queued → agent started", |parts| parts.prepare, true),
    ("agent ended → check started", |parts| parts.take_over, true),
    ("check ended → branch pushed", |parts| parts.publish, true),
    ("program start → queued", |parts| parts.start, false),
    ("branch pushed → program end", |parts| parts.leave, false),
    ("whole program without agent", |parts| parts.whole, false),
];

pub(crate) fn print(files: usize, cold: &Parts, cold_raw: &Parts, rows: &Rows, memory: &Memory) {
    println!("\n{files} files, {} runs on a warm mirror; milliseconds as median (least–most)", rows.0.len());
    println!(
        "{:<28} {:>24} {:>24} {:>22} {:>7}  {:>14}  cold: ours, raw",
        "", "overnight", "raw git", "own = difference", "ratio", "aim < 50"
    );
    for (name, pick, aimed) in PARTS {
        let of = |side: fn(&(Parts, Parts)) -> &Parts| spread(rows.0.iter().map(|pair| pick(side(pair))));
        let (ours, raw) = (of(|pair| &pair.0), of(|pair| &pair.1));
        let own = spread(rows.0.iter().map(|(ours, raw)| pick(ours) - pick(raw)));
        let ratio = spread(rows.0.iter().map(|(ours, raw)| pick(ours) / pick(raw)));
        let verdict = match aimed {
            true if own.median < AIM => "met",
            true => "missed",
            false => "–",
        };
        println!(
            "{name:<28} {ours:>24} {raw:>24} {own:>22} {:>6.2}×  {verdict:>14}  {:.0}, {:.0}",
            ratio.median,
            pick(cold),
            pick(cold_raw)
        );
    }
    let mib = |kib: u64| kib as f64 / 1024.0;
    let verdict = if mib(memory.agent) < AIM_MIB { "met" } else { "missed" };
    println!(
        "memory of the runner: {:.1} MiB while the agent runs (aim < {AIM_MIB} MiB: {verdict}), \
         {:.1} MiB while the check runs, {:.1} MiB at most",
        mib(memory.agent),
        mib(memory.check),
        mib(memory.peak)
    );
}

struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

fn spread(values: impl Iterator<Item = f64>) -> Spread {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    let middle = values.len() / 2;
    let median = if values.len().is_multiple_of(2) {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    } else {
        at(middle)
    };
    Spread { median, least: at(0), most: at(values.len().wrapping_sub(1)) }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("{:.0} ({:.0}–{:.0})", self.median, self.least, self.most))
    }
}
