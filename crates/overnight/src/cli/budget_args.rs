//! Arguments about money: limits of an order beside those of its job, budgets, and the accounts.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use overnight_core::units::MicroDollars;

use super::values;

/// Limits of a job's attempts, its sessions, and its task.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits of attempts, sessions and the task")]
pub struct JobBudgetArgs {
    /// Starts of an agent CLI for the whole job
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub max_sessions: Option<u32>,
    /// Money for each attempt, in US dollars
    #[arg(long, value_name = "DOLLARS", value_parser = values::money)]
    pub attempt_max_cost: Option<MicroDollars>,
    /// Tokens for each attempt
    #[arg(long, value_name = "NUMBER", value_parser = values::tokens)]
    pub attempt_max_tokens: Option<u64>,
    /// Answers of the model for each attempt
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub attempt_max_turns: Option<u32>,
    /// Agent time for each attempt
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub attempt_max_time: Option<Duration>,
    /// Money for the task: this job and all jobs that repeat it
    #[arg(long, value_name = "DOLLARS", value_parser = values::money)]
    pub task_max_cost: Option<MicroDollars>,
    /// Tokens for the task
    #[arg(long, value_name = "NUMBER", value_parser = values::tokens)]
    pub task_max_tokens: Option<u64>,
    /// Agent time for the task
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub task_max_time: Option<Duration>,
    /// Starts of an agent CLI for the task
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub task_max_sessions: Option<u32>,
}

/// `overnight budget`.
#[derive(Debug, Args)]
pub struct BudgetArgs {
    #[command(subcommand)]
    pub action: Option<BudgetAction>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum BudgetAction {
    /// Allow more for a while, and wake the jobs that wait for it
    Raise {
        #[arg(value_name = "BUDGET", value_enum)]
        budget: BudgetName,
        /// Only for this repository, by the name that its keys begin with
        #[arg(long, value_name = "NAME")]
        repo: Option<String>,
        #[command(flatten)]
        by: AmountArgs,
        /// How long it holds, like 12h; then it ends by itself
        #[arg(long = "for", value_name = "TIME", value_parser = values::span)]
        length: Duration,
    },
    /// End what was raised; for velocity: count from now
    Clear {
        #[arg(value_name = "BUDGET", value_enum)]
        budget: BudgetName,
        /// That of this repository
        #[arg(long, value_name = "NAME")]
        repo: Option<String>,
    },
}

/// A budget that can be raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BudgetName {
    /// Of one UTC day: of everything, or of one repository
    Day,
    /// Of one repository since its last published job
    Velocity,
}

/// What is added to the configured amounts.
#[derive(Debug, Clone, Copy, Default, Args)]
#[group(required = true, multiple = true)]
pub struct AmountArgs {
    /// US dollars
    #[arg(long, value_name = "DOLLARS", value_parser = values::money)]
    pub cost: Option<MicroDollars>,
    /// Input, output and cache-write tokens, like 500k
    #[arg(long, value_name = "NUMBER", value_parser = values::tokens)]
    pub tokens: Option<u64>,
    /// Answers of the model
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub turns: Option<u32>,
    /// Agent time
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub time: Option<Duration>,
    /// Starts of an agent CLI
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub sessions: Option<u32>,
}

/// `overnight cost`.
#[derive(Debug, Args)]
pub struct CostArgs {
    /// What each line is about
    #[arg(long, value_name = "WHAT", value_enum, default_value = "day")]
    pub by: CostByName,
    /// From this UTC day on, like 2026-11-01 [default: the last 30 days]
    #[arg(long, value_name = "DATE", value_parser = values::utc_day)]
    pub since: Option<i64>,
    /// Print one JSON document
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print comma-separated values
    #[arg(long)]
    pub csv: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CostByName {
    Day,
    Repo,
    Backend,
    Model,
}
