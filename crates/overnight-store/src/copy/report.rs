//! What a copy tells: on its way, when it is done, and why it was not done.

use std::fmt;

use crate::error::{ErrorClass, StoreError};

use super::sum::TableSum;

/// What a copy is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyStep {
    /// Rows are read, and written where they are not yet.
    Copying,
    /// What was written is read again and compared.
    Comparing,
    /// The source is read again, because somebody may have changed it meanwhile.
    LookingAgain,
}

/// How far a copy is within one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyProgress {
    pub step: CopyStep,
    pub table: &'static str,
    /// Rows that are done.
    pub rows: u64,
    /// Rows that there are.
    pub of: u64,
}

/// Who hears of the progress.
pub type Tell<'a> = &'a mut (dyn FnMut(CopyProgress) + Send);

/// A finished copy: both sides have these rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyReport {
    pub tables: Vec<TableSum>,
    /// Rows that this run wrote; the others were there from an earlier one.
    pub written: u64,
    /// Jobs that somebody held, and that anybody can claim on the copy.
    pub freed: u64,
}

/// One of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Source,
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// A table that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub table: &'static str,
    /// Rows that there should be.
    pub expected: u64,
    pub found: u64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, expected, found } = self;
        if expected == found {
            write!(f, "{table} (as many rows, with other content)")
        } else {
            write!(f, "{table} ({found} instead of {expected} rows)")
        }
    }
}

/// Where two lists of sums differ.
pub(crate) fn differences(expected: &[TableSum], found: &[TableSum]) -> Vec<Difference> {
    let pairs = expected.iter().zip(found).filter(|(expected, found)| expected != found);
    pairs.map(|(e, f)| Difference { table: e.table, expected: e.rows, found: f.rows }).collect()
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Why a copy was not made, or is not one.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("source and target are the same database: {place}")]
    Same { place: String },
    #[error(
        "the {side} {place} is in use: leases that have not run out: {leases}; workers seen within a minute: {workers}"
    )]
    InUse { side: Side, place: String, leases: u64, workers: u64 },
    /// Nothing was written.
    #[error("the target {place} is not empty: rows of its {table} that are not from this source: {rows}")]
    NotEmpty { place: String, table: &'static str, rows: u64 },
    #[error("the target {place} is not a copy of the source: {}", list(.differences))]
    Differs { place: String, differences: Vec<Difference> },
    /// The target is a faithful copy of what the source was.
    #[error("the source {place} was changed while it was copied: {}", list(.differences))]
    SourceChanged { place: String, differences: Vec<Difference> },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CopyError {
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Same { .. } | Self::NotEmpty { .. } => ErrorClass::Refused,
            Self::InUse { .. } | Self::SourceChanged { .. } => ErrorClass::Busy,
            Self::Differs { .. } => ErrorClass::Corrupt,
            Self::Store(error) => error.class(),
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Same { .. } => Some("name another database to copy to"),
            Self::InUse { .. } => {
                Some("stop the workers there and try again; --force if they are dead for certain")
            }
            Self::NotEmpty { .. } => Some("copy into an empty database"),
            Self::Differs { .. } => {
                Some("one of them was used since the copy began; copy again, into an empty database")
            }
            Self::SourceChanged { .. } => {
                Some("stop whatever works on the source, then copy again, into an empty database")
            }
            Self::Store(error) => error.hint(),
        }
    }
}
