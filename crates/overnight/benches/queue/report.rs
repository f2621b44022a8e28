//! The figures as a table, and what they say about the aims. Both are Markdown, for `docs/performance.md`.

use std::path::PathBuf;

use crate::contestant::{GRAPHILE_DEFAULT, OURS_POSTGRES, OURS_SQLITE, RAW_NOTIFY, RAW_POSTGRES, RAW_SQLITE};
use crate::figures::{Figures, Part};
use crate::install::target;
use crate::run::Runner;
use crate::scenario::{SCENARIOS, Scenario, USUAL};

/// Pick-up on PostgreSQL was aimed at on a machine on which the raw insert with NOTIFY took this long (p50, p99).
const RAW_PICK_UP_MS: (f64, f64) = (1.3, 2.7);
/// The aim there.
const PICK_UP_MS: (f64, f64) = (2.0, 4.0);
/// The aim on SQLite, on any machine.
const PICK_UP_SQLITE_MS: (f64, f64) = (1.0, 3.0);
/// The aim for a claim behind many jobs that may not run.
const CLAIM_BEHIND_MS: f64 = 1.5;
/// What bare claims kept of their rate after thirty thousand of them under a pinned horizon, where the aim was set: 6,580 fell to
/// 665 a second.
const LEFT_UNDER_PIN: f64 = 0.1;

pub(crate) fn print(runner: &Runner, figures: &Figures) {
    println!(
        "\nEnqueue and drain in jobs/s, pick-up in ms as median / 99th percentile; medians of the rounds\n"
    );
    let header = ["contestant", "enqueue 1", "10 in flight", "batches of 1,000", "drain", "pick-up"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    for contestant in runner.contestants() {
        let name = contestant.name();
        let mut row = vec![name.clone()];
        row.extend(USUAL.iter().map(|scenario| cell(figures, &name, *scenario)));
        rows.push(row);
    }
    table(&rows);
    println!(
        "\nA claim behind 50,000 ready jobs, in ms as above; drain under a pinned horizon in jobs/s, first → last tenth\n"
    );
    table(&beyond(runner, figures));
    println!();
    table(&aims(figures));
    for (name, reason) in runner.skipped() {
        println!("\nskipped: {name}: {reason}");
    }
    for contestant in runner.contestants() {
        for scenario in SCENARIOS {
            if let Some(reason) = figures.failure(&contestant.name(), scenario) {
                println!("\nfailed: {}: {}: {reason}", contestant.name(), scenario.name());
            }
        }
    }
}

fn beyond(runner: &Runner, figures: &Figures) -> Vec<Vec<String>> {
    let mut rows = vec![["contestant", "behind", "pinned"].map(str::to_owned).to_vec()];
    let special = [Scenario::Behind, Scenario::Pinned];
    for contestant in runner.contestants() {
        if special.iter().any(|scenario| contestant.takes_part(*scenario)) {
            let name = contestant.name();
            let cells = special.map(|scenario| cell(figures, &name, scenario));
            rows.push([name].into_iter().chain(cells).collect());
        }
    }
    rows
}

fn cell(figures: &Figures, name: &str, scenario: Scenario) -> String {
    if figures.failure(name, scenario).is_some() {
        return "failed".to_owned();
    }
    let median = |part| figures.median(name, scenario, part);
    if let Some((first, last)) = median(Part::First).zip(median(Part::Last)) {
        return format!("{} → {}", thousands(first), thousands(last));
    }
    match (median(Part::Rate), median(Part::P50), median(Part::P99)) {
        (Some(rate), ..) if rate < 100.0 => format!("{rate:.1}"),
        (Some(rate), ..) => thousands(rate),
        (None, Some(p50), Some(p99)) => format!("{p50:.2} / {p99:.2}"),
        (None, ..) => String::new(),
    }
}

fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|part| std::str::from_utf8(part).unwrap()).collect();
    parts.join(",")
}

fn aims(figures: &Figures) -> Vec<Vec<String>> {
    use Scenario::{Behind, Drain, EnqueueSingle, PickUp, Pinned};
    let ratio = |name: &str, ours: &str, other: &str, scenario, least: f64| {
        let found = figures.ratio(ours, other, scenario, Part::Rate);
        let verdict = found.map(|found| found >= least);
        row(name, found.map(|found| format!("{found:.2}")), format!("≥ {least}"), verdict)
    };
    let pick_up = |name: &str, ours: &str, most: Option<(f64, f64)>| {
        let found = figures.median(ours, PickUp, Part::P50).zip(figures.median(ours, PickUp, Part::P99));
        let verdict = found.zip(most).map(|(found, most)| found.0 <= most.0 && found.1 <= most.1);
        let shown = |ms: (f64, f64)| format!("{:.2} / {:.2} ms", ms.0, ms.1);
        row(name, found.map(shown), most.map_or("?".to_owned(), |most| format!("≤ {}", shown(most))), verdict)
    };
    let raw =
        figures.median(RAW_NOTIFY, PickUp, Part::P50).zip(figures.median(RAW_NOTIFY, PickUp, Part::P99));
    let scaled =
        raw.map(|raw| (PICK_UP_MS.0 * raw.0 / RAW_PICK_UP_MS.0, PICK_UP_MS.1 * raw.1 / RAW_PICK_UP_MS.1));
    let claim = |name: &str, ours: &str| {
        let found = figures.median(ours, Behind, Part::P50);
        let verdict = found.map(|found| found < CLAIM_BEHIND_MS);
        row(name, found.map(|found| format!("{found:.2} ms")), format!("< {CLAIM_BEHIND_MS} ms"), verdict)
    };
    let pinned = |part| figures.median(OURS_POSTGRES, Pinned, part);
    let kept = pinned(Part::First).zip(pinned(Part::Last)).map(|(first, last)| last / first);
    vec![
        ["aim", "measured", "bound", ""].map(str::to_owned).to_vec(),
        ratio("drain ÷ graphile-worker's default", OURS_POSTGRES, GRAPHILE_DEFAULT, Drain, 1.4),
        ratio("drain ÷ raw claim and complete", OURS_POSTGRES, RAW_POSTGRES, Drain, 0.7),
        ratio("single enqueue ÷ raw insert", OURS_POSTGRES, RAW_POSTGRES, EnqueueSingle, 0.6),
        pick_up("pick-up on PostgreSQL (2 / 4 ms where raw is 1.3 / 2.7)", OURS_POSTGRES, scaled),
        pick_up("pick-up on SQLite", OURS_SQLITE, Some(PICK_UP_SQLITE_MS)),
        ratio("SQLite: drain ÷ raw claim and complete", OURS_SQLITE, RAW_SQLITE, Drain, 0.8),
        claim("PostgreSQL: a claim behind 50,000 jobs, median", OURS_POSTGRES),
        claim("SQLite: a claim behind 50,000 jobs, median", OURS_SQLITE),
        row(
            "drain under a pinned horizon: end ÷ beginning",
            kept.map(|kept| format!("{kept:.2}")),
            format!("≥ {LEFT_UNDER_PIN}"),
            kept.map(|kept| kept >= LEFT_UNDER_PIN),
        ),
    ]
}

fn row(name: &str, found: Option<String>, bound: String, met: Option<bool>) -> Vec<String> {
    let verdict = match met {
        Some(true) => "met",
        Some(false) => "**missed**",
        None => "not measured",
    };
    vec![name.to_owned(), found.unwrap_or_else(|| "–".to_owned()), bound, verdict.to_owned()]
}

/// The first row is the header.
fn table(rows: &[Vec<String>]) {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &[String]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("| {} |", cells.join(" | "));
    };
    for (number, row) in rows.iter().enumerate() {
        line(row);
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            line(&rules);
        }
    }
}

/// Every single figure, for whoever wants to look closer.
pub(crate) fn write(figures: &Figures) -> PathBuf {
    let path = target().join("queue-bench.json");
    std::fs::write(&path, serde_json::to_string_pretty(&figures.json()).unwrap()).unwrap();
    path
}
