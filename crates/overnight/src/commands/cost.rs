//! `overnight cost`: what agents have used, from the accounts.

use std::fmt::Write;

use overnight_core::job::ExitCode;
use overnight_core::policy::budget::{Spent, day_of, day_start};
use overnight_core::text::human_tokens;
use overnight_core::units::MicroDollars;
use overnight_store::{CostBy, CostLine, Store};
use serde::Serialize;
use serde_json::Value;

use crate::app::{App, store_error};
use crate::cli::budget_args::{CostArgs, CostByName};
use crate::commands::as_value;
use crate::error::{AppError, Outcome};
use crate::output::{DIM, styled};
use crate::render::words;

/// Days that are shown when no other beginning is asked for.
const DAYS: i64 = 30;

/// One line as JSON.
#[derive(Debug, Serialize)]
struct CostView {
    /// The day, repository, backend or model; `None`: not known.
    name: Option<String>,
    jobs: u64,
    published: u64,
    sessions: u64,
    /// Input, output and cache-write tokens.
    tokens: u64,
    time_ms: u64,
    /// As far as it is known; `None`: nothing of it is.
    cost_microdollars: Option<i64>,
    /// Of that, what is estimated by list prices.
    estimated_microdollars: i64,
    /// Sessions that used tokens at an unknown price.
    sessions_unknown_cost: u64,
    /// Sessions that ended without telling what they used.
    sessions_unaccounted: u64,
    /// Known cost of all jobs for each published one; `None`: none was published.
    cost_per_published_microdollars: Option<i64>,
}

#[derive(Debug, Serialize)]
struct CostsView {
    by: &'static str,
    since: String,
    lines: Vec<CostView>,
    total: CostView,
}

/// # Errors
/// When the store fails.
pub async fn run(app: &App, args: &CostArgs) -> Outcome {
    let (by, what) = by_name(args.by);
    let (since, lines) = match app.store_if_any().await? {
        Some(store) => look(&store, by, args.since).await?,
        None => (args.since.unwrap_or_default(), Vec::new()),
    };
    let CostsView { by: what, since, lines, total } = views(by, what, since, &lines);
    if args.csv {
        app.out.data(&csv(what, &lines))?;
    } else if args.json {
        app.out.json("costs", &CostsView { by: what, since, lines, total })?;
    } else if lines.is_empty() {
        app.out.say("no agent has run since then");
    } else {
        app.out.data(&table(what, &lines, &total))?;
    }
    Ok(ExitCode::Done)
}

fn by_name(by: CostByName) -> (CostBy, &'static str) {
    match by {
        CostByName::Day => (CostBy::Day, "day"),
        CostByName::Repo => (CostBy::Repository, "repo"),
        CostByName::Backend => (CostBy::Backend, "backend"),
        CostByName::Model => (CostBy::Model, "model"),
    }
}

async fn look(store: &Store, by: CostBy, since: Option<i64>) -> Result<(i64, Vec<CostLine>), AppError> {
    let now = store.now().await.map_err(|error| store_error(&error))?;
    let since = since.unwrap_or(day_of(now) - DAYS + 1);
    Ok((since, store.costs(by, since).await.map_err(|error| store_error(&error))?))
}

fn views(by: CostBy, what: &'static str, since: i64, lines: &[CostLine]) -> CostsView {
    let total = view(&total(lines), None);
    let lines = lines.iter().map(|line| view(line, name(by, line))).collect();
    CostsView { by: what, since: date(since), lines, total }
}

/// The accounts from this UTC day on, as JSON.
///
/// # Errors
/// When the store fails.
pub async fn document(store: &Store, by: CostByName, since: Option<i64>) -> Result<Value, AppError> {
    let (by, what) = by_name(by);
    let (since, lines) = look(store, by, since).await?;
    as_value(&views(by, what, since, &lines))
}

fn name(by: CostBy, line: &CostLine) -> Option<String> {
    match by {
        CostBy::Day => line.name.as_ref().map(|day| day.parse().map_or_else(|_| day.clone(), date)),
        CostBy::Repository | CostBy::Backend | CostBy::Model => line.name.clone(),
    }
}

/// `2026-11-21`.
fn date(day: i64) -> String {
    let start = jiff::Timestamp::from_millisecond(day_start(day).0);
    start.map_or_else(|_| day.to_string(), |start| start.strftime("%Y-%m-%d").to_string())
}

fn total(lines: &[CostLine]) -> CostLine {
    let mut sum = CostLine { name: None, spent: Spent::default(), estimated: 0, jobs: 0, published: 0 };
    for CostLine { spent, estimated, jobs, published, .. } in lines {
        sum.spent.cost = sum.spent.cost.plus(spent.cost);
        sum.spent.tokens += spent.tokens;
        sum.spent.turns += spent.turns;
        sum.spent.time_ms += spent.time_ms;
        sum.spent.sessions += spent.sessions;
        sum.spent.unpriced += spent.unpriced;
        sum.spent.unaccounted += spent.unaccounted;
        sum.estimated = sum.estimated.saturating_add(*estimated);
        sum.jobs += jobs;
        sum.published += published;
    }
    sum
}

fn view(line: &CostLine, name: Option<String>) -> CostView {
    let CostLine { spent, estimated, jobs, published, .. } = line;
    let each = i64::try_from(*published).ok().filter(|published| *published > 0);
    let unknown = spent.unpriced + spent.unaccounted > 0;
    let cost = Some(spent.cost.0).filter(|cost| *cost > 0 || !unknown);
    CostView {
        name,
        jobs: *jobs,
        published: *published,
        sessions: spent.sessions,
        tokens: spent.tokens,
        time_ms: spent.time_ms,
        cost_microdollars: cost,
        estimated_microdollars: *estimated,
        sessions_unknown_cost: spent.unpriced,
        sessions_unaccounted: spent.unaccounted,
        cost_per_published_microdollars: cost.zip(each).map(|(cost, published)| cost / published),
    }
}

fn table(what: &str, lines: &[CostView], total: &CostView) -> String {
    let heads = [what.to_uppercase(), "JOBS".into(), "DONE".into(), "SESSIONS".into(), "TOKENS".into()];
    let heads = heads.into_iter().chain(["TIME", "COST", "PER DONE", "NOT KNOWN"].map(str::to_owned));
    let mut rows: Vec<Vec<String>> = vec![heads.collect()];
    rows.extend(lines.iter().map(|line| cells(line, line.name.as_deref().unwrap_or("unknown"))));
    if lines.len() > 1 {
        rows.push(cells(total, "total"));
    }
    let wide = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let wide: Vec<usize> = (0..rows[0].len()).map(wide).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = format!("{:<1$}", row[0], wide[0]);
        for (cell, wide) in row.iter().zip(&wide).skip(1).take(7) {
            // Writing to a String cannot fail.
            let _ = write!(line, "  {cell:>wide$}");
        }
        let _ = write!(line, "  {}", row[8]);
        let line = line.trim_end();
        let _ = writeln!(text, "{}", if number == 0 { styled(DIM, line) } else { line.to_owned() });
    }
    text
}

fn cells(line: &CostView, name: &str) -> Vec<String> {
    let about = if line.estimated_microdollars > 0 { "~" } else { "" };
    // Something is known, and more was spent.
    let least = if line.sessions_unknown_cost + line.sessions_unaccounted > 0 { "≥" } else { "" };
    let money = |micros: i64| format!("{least}{about}{}", MicroDollars(micros));
    let per = line.cost_per_published_microdollars.map_or_else(|| "-".to_owned(), money);
    let cost = line.cost_microdollars.map_or_else(|| "unknown".to_owned(), money);
    let unknown =
        [(line.sessions_unknown_cost, "of unknown price"), (line.sessions_unaccounted, "unaccounted")];
    let unknown: Vec<String> = unknown
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    vec![
        name.to_owned(),
        line.jobs.to_string(),
        line.published.to_string(),
        line.sessions.to_string(),
        human_tokens(line.tokens),
        words::span(std::time::Duration::from_millis(line.time_ms)),
        cost,
        per,
        unknown.join(", "),
    ]
}

/// As RFC 4180 has it.
fn csv(what: &str, lines: &[CostView]) -> String {
    let mut text = format!(
        "{what},jobs,published,sessions,tokens,time_ms,cost_usd,estimated_usd,sessions_unknown_cost,sessions_unaccounted,\
         cost_per_published_usd\r\n"
    );
    for line in lines {
        let per = line.cost_per_published_microdollars.map(dollars).unwrap_or_default();
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{per}\r\n",
            quoted(line.name.as_deref().unwrap_or_default()),
            line.jobs,
            line.published,
            line.sessions,
            line.tokens,
            line.time_ms,
            line.cost_microdollars.map(dollars).unwrap_or_default(),
            dollars(line.estimated_microdollars),
            line.sessions_unknown_cost,
            line.sessions_unaccounted,
        );
    }
    text
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\r', '\n']) {
        return format!("\"{}\"", field.replace('"', "\"\""));
    }
    field.to_owned()
}

fn dollars(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let micros = micros.unsigned_abs();
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, cost: i64, published: u64, unpriced: u64, unaccounted: u64) -> CostLine {
        let spent = Spent {
            cost: MicroDollars(cost),
            tokens: 52_300,
            turns: 9,
            time_ms: 90_000,
            sessions: 3,
            unpriced,
            unaccounted,
        };
        CostLine { name: Some(name.to_owned()), spent, estimated: cost / 2, jobs: 2, published }
    }

    fn lines() -> Vec<CostLine> {
        vec![line("app", 4_500_000, 2, 0, 0), CostLine { estimated: 0, ..line("a,\"b\"", 0, 0, 1, 2) }]
    }

    #[test]
    fn the_accounts_line_up() {
        let views: Vec<CostView> = lines().iter().map(|line| view(line, line.name.clone())).collect();
        let text = table("repo", &views, &view(&total(&lines()), None));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn values_are_separated_by_commas_and_what_is_unknown_is_empty() {
        let mut views: Vec<CostView> = lines().iter().map(|line| view(line, line.name.clone())).collect();
        views.push(view(&lines()[0], None));
        let text = csv("model", &views);
        let rows: Vec<&str> = text.split_terminator("\r\n").collect();
        assert_eq!(rows[1], "app,2,2,3,52300,90000,4.500000,2.250000,0,0,2.250000");
        assert_eq!(rows[2], "\"a,\"\"b\"\"\",2,0,3,52300,90000,,0.000000,1,2,");
        assert!(rows[3].starts_with(",2,2,"));
        assert_eq!(rows[0].split(',').count(), 11);
    }

    #[test]
    fn a_day_is_shown_as_its_date() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(20_778), "2026-11-21");
    }
}
