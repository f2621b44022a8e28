//! The accounts, for people: what was spent, by day, repository, backend or model.

use overnight_core::policy::budget::Spent;

use super::totals::{SUMS, spent};
use crate::error::StoreError;
use crate::row;
use crate::sql::sql;
use crate::store::Store;

/// What the lines of the accounts are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostBy {
    Day,
    Repository,
    Backend,
    Model,
}

/// One line of the accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostLine {
    /// `None`: its model was never named, or its repository is gone. Of a day: its number.
    pub name: Option<String>,
    pub spent: Spent,
    /// Of the cost, what is our estimate.
    pub estimated: i64,
    pub jobs: u64,
    /// Of those, how many were published.
    pub published: u64,
}

impl CostBy {
    fn expression(self) -> &'static str {
        match self {
            Self::Day => "CAST(s.day AS TEXT)",
            Self::Repository => "r.name",
            Self::Backend => "s.backend",
            Self::Model => "s.model",
        }
    }

    /// Days are read from the first on; of the rest, what cost most comes first.
    fn order(self) -> &'static str {
        match self {
            Self::Day => "MIN(s.day)",
            Self::Repository | Self::Backend | Self::Model => "cost DESC, tokens DESC, name",
        }
    }
}

impl Store {
    /// The accounts from this UTC day on, by `by`.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn costs(&self, by: CostBy, since: i64) -> Result<Vec<CostLine>, StoreError> {
        let (name, order) = (by.expression(), by.order());
        let text = format!(
            "SELECT {name} AS name, {SUMS}, \
             CAST(COALESCE(SUM(CASE WHEN s.estimated THEN s.cost ELSE 0 END), 0) AS BIGINT) AS estimates, \
             COUNT(DISTINCT s.job_id) AS jobs, \
             COUNT(DISTINCT CASE WHEN s.published OR j.end_reason = 'published' THEN s.job_id END) AS published \
             FROM spend s LEFT JOIN jobs j ON j.id = s.job_id LEFT JOIN repositories r ON r.id = s.repository_id \
             WHERE s.day >= $1 GROUP BY {name} ORDER BY {order}"
        );
        let mut lines = Vec::new();
        for found in self.all("read the accounts", sql(text).bind(since)).await? {
            lines.push(CostLine {
                name: row::optional_text(&found, "?", "name")?,
                spent: spent(&found)?,
                estimated: row::number(&found, "?", "estimates")?,
                jobs: row::count(&found, "jobs")?,
                published: row::count(&found, "published")?,
            });
        }
        Ok(lines)
    }
}
