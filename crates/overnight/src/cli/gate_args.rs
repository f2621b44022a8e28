//! Arguments of the commands about a person's word: approve, reject, exception.

use std::time::Duration;

use clap::{Args, Subcommand};
use overnight_core::git::CommitPrefix;
use overnight_core::policy::preflight::{ExceptionTerms, Glob, InvalidTerms, Rule};

use super::run_args::OutputArgs;

/// `overnight approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Only if it still waits with this commit, named by at least 7 characters
    #[arg(long, value_name = "COMMIT", value_parser = commit)]
    pub commit: Option<CommitPrefix>,
    /// Why, for the record and the pull request
    #[arg(long, short, value_name = "TEXT")]
    pub message: Option<String>,
    /// Only record it; whoever takes the job up next goes on with it
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `overnight reject`.
#[derive(Debug, Args)]
pub struct RejectArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Only if it still waits with this commit, named by at least 7 characters
    #[arg(long, value_name = "COMMIT", value_parser = commit)]
    pub commit: Option<CommitPrefix>,
    /// Why; the agent is told it
    #[arg(long, short, value_name = "TEXT")]
    pub message: String,
    /// End the job instead of letting its agent try again
    #[arg(long)]
    pub end: bool,
    /// Only record it; whoever takes the job up next goes on with it
    #[arg(long)]
    pub no_wait: bool,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `overnight exception`.
#[derive(Debug, Args)]
pub struct ExceptionArgs {
    #[command(subcommand)]
    pub action: ExceptionAction,
}

#[derive(Debug, Subcommand)]
pub enum ExceptionAction {
    /// Let a rule not hold in a repository until a time
    Add {
        /// The repository, by the name that its keys begin with
        #[arg(long, value_name = "NAME")]
        repository: String,
        /// The rule: overnight help gate
        #[arg(long, value_name = "RULE", value_parser = rule)]
        rule: Rule,
        /// Only for these files, like docs/** or *.sql
        #[arg(long, value_name = "PATTERN", value_parser = glob)]
        path: Option<Glob>,
        /// How long it holds, at most 90d
        #[arg(long = "until", value_name = "TIME", default_value = "7d", value_parser = length)]
        length: Duration,
        /// Why
        #[arg(long, short, value_name = "TEXT")]
        message: String,
    },
    /// List the exceptions that hold
    #[command(visible_alias = "list")]
    Ls {
        /// Also those that are over
        #[arg(long, short)]
        all: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// End an exception
    Rm {
        /// Its id, as listed
        #[arg(value_name = "ID")]
        id: String,
    },
}

fn length(text: &str) -> Result<Duration, String> {
    ExceptionTerms::length(text).map_err(|error| error.to_string())
}

fn rule(text: &str) -> Result<Rule, String> {
    ExceptionTerms::rule(text).map_err(|error| match error {
        InvalidTerms::UnknownRule { near: None, .. } => "no such rule; see: overnight help gate".to_owned(),
        error => error.to_string(),
    })
}

fn glob(text: &str) -> Result<Glob, String> {
    Glob::parse(text).map_err(|error| error.to_string())
}

fn commit(text: &str) -> Result<CommitPrefix, String> {
    CommitPrefix::parse(text).map_err(|_| "expected at least 7 characters of a commit's name".to_owned())
}
