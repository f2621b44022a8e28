//! Every agent in every kind of trouble, as one table: what was recorded, whether an attempt was used up, and that no process
//! stayed. With the real CLIs against the scripted model.
//!
//! `cargo xtask matrix` runs it and prints the table; the copy in `docs/backends.md` is made by that. A cell that differs from
//! [`expected`] fails. What an agent gives no way to do is measured all the same, and named from the one list in [`gaps`].

mod agent;
mod columns;
mod expected;
mod gaps;
mod stage;
mod table;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use agent::Agent;
use columns::Column;
use stage::Seen;
use table::{Cell, Row, Table};

/// What is to be measured, as the environment says.
struct Order {
    agents: Vec<Agent>,
    columns: Vec<Column>,
    /// Cells at a time. Most of a cell's time is the start of a CLI, which keeps a processor busy.
    threads: usize,
}

impl Order {
    fn asked() -> Self {
        let asked = |name: &str| std::env::var(format!("OVERNIGHT_MATRIX_{name}")).ok();
        let chosen = |name: &str| -> Option<Vec<String>> {
            asked(name).map(|words| words.split(',').map(str::to_owned).collect())
        };
        let (agents, columns) = (chosen("AGENTS"), chosen("COLUMNS"));
        let is_in = |list: &Option<Vec<String>>, word: &str| {
            list.as_ref().is_none_or(|list| list.iter().any(|one| one == word))
        };
        Self {
            agents: Agent::ALL.into_iter().filter(|agent| is_in(&agents, agent.name())).collect(),
            columns: Column::ALL.into_iter().filter(|column| is_in(&columns, column.name())).collect(),
            threads: asked("THREADS").map_or(3, |number| number.parse().expect("OVERNIGHT_MATRIX_THREADS")),
        }
    }
}

#[test]
#[ignore = "takes minutes: cargo xtask matrix"]
fn the_matrix() {
    let order = Order::asked();
    assert!(!order.agents.is_empty() && !order.columns.is_empty(), "nothing of that name");
    let table = measure(&order);
    let text = table.markdown();
    println!("{text}");
    if let Some(file) = std::env::var_os("OVERNIGHT_MATRIX_FILE") {
        std::fs::write(file, &text).unwrap();
    }
    let differing = table.differing();
    assert!(differing.is_empty(), "{} cells differ:\n{}", differing.len(), differing.join("\n"));
}

fn measure(order: &Order) -> Table {
    let (columns, absent): (Vec<Column>, Vec<Column>) =
        order.columns.iter().partition(|column| column.is_there());
    let mut rows = Vec::new();
    let mut work = Vec::new();
    for agent in &order.agents {
        match agent.installed() {
            Ok(()) => {
                work.extend(columns.iter().map(|column| (*agent, *column)));
                rows.push(Row { agent: *agent, missing: None });
            }
            Err(reason) => rows.push(Row { agent: *agent, missing: Some(reason) }),
        }
    }
    // The slowest to start come first, so that no long one is left alone at the end.
    work.sort_by_key(|(agent, _)| agent.slowness());
    let (work, cells) = (Mutex::new(work), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..order.threads {
            scope.spawn(|| {
                while let Some((agent, column)) = take(&work) {
                    let cell = cell(agent, column);
                    println!("{agent} × {}: {}", column.name(), cell.seen);
                    cells.lock().unwrap().push(cell);
                }
            });
        }
    });
    Table { columns, absent, rows, cells: cells.into_inner().unwrap() }
}

fn take(work: &Mutex<Vec<(Agent, Column)>>) -> Option<(Agent, Column)> {
    work.lock().unwrap().pop()
}

/// A cell that cannot be measured says why, and so differs.
fn cell(agent: Agent, column: Column) -> Cell {
    let measured = catch_unwind(AssertUnwindSafe(|| column.measure(agent)));
    let (seen, detail) = measured.map_or_else(
        |panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            ("could not be measured".to_owned(), said.to_owned())
        },
        |seen| (seen.to_string(), seen.detail),
    );
    Cell { agent, column, seen, detail }
}

#[test]
fn every_cell_has_an_expectation_and_every_gap_is_in_the_documentation() {
    for agent in Agent::ALL {
        for column in Column::ALL {
            assert!(!expected::of(agent, column).is_empty(), "{agent} × {}", column.name());
        }
    }
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/backends.md");
    let docs = std::fs::read_to_string(docs).unwrap();
    let flat = docs.split_whitespace().collect::<Vec<_>>().join(" ");
    for gap in &gaps::GAPS {
        let line = format!("`{}`: {}", gap.name, gap.text);
        assert!(flat.contains(&line), "docs/backends.md does not hold: {line}");
        assert!(!gap.cells.is_empty(), "{} is the gap of no cell", gap.name);
    }
}

#[test]
fn what_was_seen_is_told_in_one_line() {
    let seen = Seen {
        turns: vec!["timed_out (idle)".to_owned(), "completed".to_owned()],
        end: "published".to_owned(),
        failed: 1,
        left: 0,
        detail: String::new(),
    };
    assert_eq!(seen.to_string(), "timed_out (idle), completed → published; 1 failed; 0 left");
}
