//! Arguments of `overnight pr`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct PullArgs {
    #[command(subcommand)]
    pub action: PullAction,
}

#[derive(Debug, Subcommand)]
pub enum PullAction {
    /// List our pull requests: how they stand, what was done about them, which need you
    #[command(visible_alias = "list")]
    Ls {
        /// Also those that are merged or closed
        #[arg(long)]
        all: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show one of them
    Show {
        /// NUMBER, REPOSITORY#NUMBER, its address, or the job that opened it
        #[arg(value_name = "PULL")]
        pull: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Have one looked at now; one that was closed and is open again, too
    Look {
        /// NUMBER, REPOSITORY#NUMBER, its address, or the job that opened it
        #[arg(value_name = "PULL")]
        pull: String,
    },
}
