//! Arguments that order a job: those of `run` and `add`, and those with which `retry` changes an order.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use overnight_core::agent::{Billing, Effort};
use overnight_core::choose::Say;
use overnight_core::units::MicroDollars;

use super::agent_args::AgentNames;
use super::budget_args::JobBudgetArgs;
use super::values;

/// `overnight run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub wish: WishArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What is wanted, of which repository, by which agent.
#[derive(Debug, Clone, Default, Args)]
pub struct WishArgs {
    /// What you want, in your own words; `-` or a pipe: from standard input
    #[arg(value_name = "PROMPT", conflicts_with = "prompt_file")]
    pub prompt: Vec<String>,
    /// Take the prompt from a file
    #[arg(long, value_name = "FILE")]
    pub prompt_file: Option<PathBuf>,
    /// The repository, or a directory in it
    #[arg(long, short = 'C', value_name = "DIR", default_value = ".")]
    pub repo: PathBuf,
    /// Start from this commit or branch instead of the current one (with --pr: from this branch of the remote)
    #[arg(long, value_name = "REF")]
    pub base: Option<String>,
    /// A name for the job instead of the prompt's first line
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    #[command(flatten)]
    pub publish: PublishArgs,
    #[command(flatten)]
    pub order: OrderArgs,
}

/// `overnight retry`.
#[derive(Debug, Clone, Default, Args)]
pub struct RetryArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB")]
    pub job: String,
    #[command(flatten)]
    pub order: OrderArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `overnight continue`.
#[derive(Debug, Clone, Default, Args)]
pub struct ContinueArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// What is to be done next, in your own words
    #[arg(long, short, value_name = "TEXT")]
    pub message: String,
    /// A name for the job instead of the message's first line
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Begin a fresh conversation, from what the earlier came to
    #[arg(long)]
    pub fresh: bool,
    /// Leave it to a worker
    #[arg(long)]
    pub queue: bool,
    #[command(flatten)]
    pub order: OrderArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Where the result goes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Result")]
pub struct PublishArgs {
    /// Push the branch and open a pull request
    #[arg(long)]
    pub pr: bool,
    /// Open the pull request as a draft
    #[arg(long, requires = "pr")]
    pub draft: bool,
    /// The remote to push to [default: the current branch's remote, else origin, else the only one]
    #[arg(long, value_name = "NAME", requires = "pr")]
    pub remote: Option<String>,
}

/// What is asked of the agent, the checks and the limits. `None` and empty: as configured.
#[derive(Debug, Clone, Default, Args)]
pub struct OrderArgs {
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub verify: VerifyArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub budget: JobBudgetArgs,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Agent")]
pub struct AgentArgs {
    /// Which agent works, or the name of an adapter [default: as configured, else the first one installed]
    #[arg(long, value_name = "NAME", value_parser = AgentNames)]
    pub agent: Option<String>,
    /// A program that edits the tree, with its arguments; it gets the prompt on standard input (implies --agent command)
    #[arg(long, value_name = "ARGV")]
    pub command: Option<String>,
    /// An agent that speaks the Agent Client Protocol, with its arguments, like 'gemini --acp' (implies --agent acp)
    #[arg(long, value_name = "ARGV", conflicts_with_all = ["command", "script"])]
    pub acp: Option<String>,
    /// A rehearsal script (implies --agent rehearsal)
    #[arg(long, value_name = "FILE", conflicts_with = "command")]
    pub script: Option<PathBuf>,
    /// The model, by the vendor's name
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// How hard the model should think
    #[arg(long, value_name = "LEVEL", value_parser = values::efforts())]
    pub effort: Option<Effort>,
    /// The same in tokens for thinking: up to 6k medium, 12k high, 24k xhigh, above max; 0: as the vendor likes
    #[arg(long, value_name = "TOKENS", value_parser = values::thinking_budget, conflicts_with = "effort")]
    pub thinking_budget: Option<u64>,
    /// The vendor's own word for its permission mode
    #[arg(long, value_name = "MODE")]
    pub permission_mode: Option<String>,
    /// Let the agent use this tool (repeatable; replaces the configured list)
    #[arg(long, value_name = "TOOL")]
    pub allow_tool: Vec<String>,
    /// Keep the agent from using this tool (repeatable; replaces the configured list)
    #[arg(long, value_name = "TOOL")]
    pub deny_tool: Vec<String>,
    /// Who pays: the agent's own login, or an API key from the environment
    #[arg(long, value_name = "MODE", value_parser = values::billings())]
    pub billing: Option<Billing>,
    /// Which agent, or which adapter, takes over when the first one gives up; none: nobody
    #[arg(long, value_name = "NAME", value_parser = values::backup)]
    pub backup_agent: Option<Say<String>>,
    /// The model of the agent that takes over
    #[arg(long, value_name = "NAME")]
    pub backup_model: Option<String>,
    /// How hard its model should think
    #[arg(long, value_name = "LEVEL", value_parser = values::efforts())]
    pub backup_effort: Option<Effort>,
    /// How long the first agent's quota, vendor or login is waited for, like 2h
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub backup_patience: Option<Duration>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Verification")]
pub struct VerifyArgs {
    /// A command that must succeed on the result (repeatable) [default: overnight.toml, else detected]
    #[arg(long, value_name = "CMD", conflicts_with = "no_verify")]
    pub verify: Vec<String>,
    /// Check nothing, and say so in the result
    #[arg(long)]
    pub no_verify: bool,
    /// Longest run of one check, like 15m
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub check_timeout: Option<Duration>,
    /// Publish even when no check passes, as long as each failed before the change too
    #[arg(long)]
    pub accept_base_failures: bool,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// Paid tries
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub attempts: Option<u32>,
    /// Money for the whole job, in US dollars, like 5.00
    #[arg(long, value_name = "DOLLARS", value_parser = values::money)]
    pub max_cost: Option<MicroDollars>,
    /// Tokens for the whole job, like 500k
    #[arg(long, value_name = "NUMBER", value_parser = values::tokens)]
    pub max_tokens: Option<u64>,
    /// Agent and check time for the whole job, like 2h
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub max_time: Option<Duration>,
    /// Answers of the model for the whole job
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub max_turns: Option<u32>,
}

#[derive(Debug, Clone, Copy, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// End with one JSON document on standard output
    #[arg(long, conflicts_with = "events")]
    pub json: bool,
    /// Stream the events as NDJSON on standard output
    #[arg(long)]
    pub events: bool,
}
