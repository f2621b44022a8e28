//! The words of `overnight token` and `overnight api`.

use std::time::Duration;

use clap::{Args, Subcommand};
use overnight_core::access::Scope;
use overnight_core::job::Label;

use super::values;

/// `overnight token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    pub action: TokenAction,
}

#[derive(Debug, Subcommand)]
pub enum TokenAction {
    /// Make a token; it is printed once, and nobody can see it again
    Add {
        /// What you call it
        #[arg(value_name = "NAME", value_parser = Label::parse)]
        name: Label,
        /// read: look at everything; operate: order, cancel, resume and retry jobs, answer and approve, too; admin: limits, exceptions, workers and
        /// directories, too; worker: claim jobs, and nothing else
        #[arg(long, value_name = "SCOPE", value_parser = scope)]
        scope: Scope,
        /// How long it is good, like 90d [default: until it is revoked]
        #[arg(long, value_name = "TIME", value_parser = values::long_span)]
        expires: Option<Duration>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// The tokens, without what proves them
    Ls {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make a token good for nothing, at once
    Revoke {
        /// Its name or id
        #[arg(value_name = "TOKEN")]
        token: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

/// `overnight api`.
#[derive(Debug, Clone, Copy, Args)]
pub struct ApiArgs {
    #[command(subcommand)]
    pub action: ApiAction,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ApiAction {
    /// Print the description of the API (OpenAPI 3.1)
    Openapi,
}

fn scope(text: &str) -> Result<Scope, String> {
    let names = Scope::ALL.map(Scope::as_str).join(", ");
    Scope::find(text).ok_or_else(|| format!("expected one of {names}"))
}
