//! The arguments of `overnight agent`.

use std::ffi::OsStr;

use clap::builder::{NonEmptyStringValueParser, PossibleValue, TypedValueParser};
use clap::{Args, Subcommand};

use crate::agents;

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
        #[arg(value_name = "AGENT")]
        agent: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// Takes any name, because adapters have names of their own, and offers those that are built in.
#[derive(Debug, Clone, Copy)]
pub struct AgentNames;

impl TypedValueParser for AgentNames {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        NonEmptyStringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(agents::built_in().map(|backend| PossibleValue::new(backend.as_str()))))
    }
}
