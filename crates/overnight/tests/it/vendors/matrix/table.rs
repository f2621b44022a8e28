//! The table as Markdown, with its cells beside what they should be.

use std::fmt::Write;

use super::agent::Agent;
use super::columns::Column;
use super::{expected, gaps};

pub(super) struct Row {
    pub(super) agent: Agent,
    /// Why there is nothing to measure.
    pub(super) missing: Option<String>,
}

pub(super) struct Cell {
    pub(super) agent: Agent,
    pub(super) column: Column,
    pub(super) seen: String,
    /// For a cell that differs.
    pub(super) detail: String,
}

impl Cell {
    fn differs(&self) -> bool {
        self.seen != expected::of(self.agent, self.column)
    }
}

pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    /// What `overnight` itself does not have.
    pub(super) absent: Vec<Column>,
    pub(super) rows: Vec<Row>,
    pub(super) cells: Vec<Cell>,
}

impl Table {
    fn cell(&self, agent: Agent, column: Column) -> Option<&str> {
        let found = self.cells.iter().find(|cell| (cell.agent, cell.column) == (agent, column));
        found.map(|cell| cell.seen.as_str())
    }

    /// One line for each cell that is not as expected.
    pub(super) fn differing(&self) -> Vec<String> {
        let wrong = self.cells.iter().filter(|cell| cell.differs());
        wrong
            .map(|cell| {
                let Cell { agent, column, seen, detail } = cell;
                let expected = expected::of(*agent, *column);
                let column = column.name();
                format!("{agent} × {column}:\n  seen     {seen}\n  expected {expected}\n  {detail}")
            })
            .collect()
    }

    /// Trouble by agent, since there is more trouble than there are agents; then the gaps and what was skipped.
    pub(super) fn markdown(&self) -> String {
        let there = || self.rows.iter().filter(|row| row.missing.is_none());
        let mut text = String::from("|");
        for row in there() {
            let _ = write!(text, " | {}", row.agent);
        }
        text.push_str(" |\n|---|");
        there().for_each(|_| text.push_str("---|"));
        text.push('\n');
        for column in &self.columns {
            let _ = write!(text, "| **{}**", column.name());
            for row in there() {
                let _ = write!(text, " | {}", self.shown(row.agent, *column));
            }
            text.push_str(" |\n");
        }
        self.notes(&mut text);
        text
    }

    fn shown(&self, agent: Agent, column: Column) -> String {
        let seen = self.cell(agent, column).unwrap_or("not measured");
        let differs = if seen == expected::of(agent, column) { "" } else { "**DIFFERS** " };
        let gap = gaps::of(agent, column).map(|gap| format!(" (`{}`)", gap.name)).unwrap_or_default();
        format!("{differs}{seen}{gap}")
    }

    fn notes(&self, text: &mut String) {
        let is_shown = |gap: &gaps::Gap| {
            let mut of = self.cells.iter().filter_map(|cell| gaps::of(cell.agent, cell.column));
            of.any(|of| of.name == gap.name)
        };
        text.push('\n');
        for gap in gaps::GAPS.iter().filter(|gap| is_shown(gap)) {
            let _ = writeln!(text, "- `{}`: {}", gap.name, gap.text);
        }
        for column in &self.absent {
            let _ = writeln!(text, "absent: {}: there is no such command", column.name());
        }
        let missing: Vec<&Row> = self.rows.iter().filter(|row| row.missing.is_some()).collect();
        for row in &missing {
            let reason = row.missing.as_deref().unwrap_or_default();
            let _ = writeln!(text, "skipped: {}: {reason}", row.agent);
        }
        let cells = missing.len() * self.columns.len();
        let _ = writeln!(
            text,
            "\n{} cells measured, {} differ, {cells} skipped.",
            self.cells.len(),
            self.differing().len()
        );
    }
}
