//! The arguments of `overnight agent`.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use overnight_core::agent::BackendId;

use super::values;

/// `overnight agent`.
#[derive(Debug, Clone, Args)]
pub struct AgentCommandArgs {
    #[command(subcommand)]
    pub action: AgentAction,
}

#[derive(Debug, Clone, Subcommand)]
pub enum AgentAction {
    /// List the agents and where they are
    Ls {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Check the agents that are installed, or one of them: version, login, what it can do
    Doctor {
        /// Only this one; that it is not installed is then a failure
        #[arg(value_name = "AGENT", value_parser = vendors())]
        agent: Option<BackendId>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

fn vendors() -> impl TypedValueParser<Value = BackendId> {
    PossibleValuesParser::new(BackendId::VENDORS.map(BackendId::as_str))
        .try_map(|text| values::backend(&text))
}
