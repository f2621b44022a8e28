//! The budgets of the configuration.

use std::time::Duration;

use overnight_core::policy::budget::{Budgets, JobBudget};

/// Limits beside those of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct BudgetConfig {
    /// Of each job that is ordered.
    pub job: JobBudget,
    /// Of everything that a worker works on.
    pub all: Budgets,
    /// How often running sessions tell what they use.
    pub report: Duration,
}

impl Default for BudgetConfig {
    /// No limits.
    fn default() -> Self {
        Self { job: JobBudget::default(), all: Budgets::default(), report: Duration::from_secs(5) }
    }
}
