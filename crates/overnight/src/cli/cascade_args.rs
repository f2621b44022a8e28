//! Arguments of `overnight cascade`.

use clap::Args;

/// `overnight cascade`.
#[derive(Debug, Args)]
#[command(
    after_help = "A cascade runs by itself, as the last stage of a job that fails: `overnight show JOB`.\n\
                  This tells what it would do now, or what is left of it, with what forges say at this moment.\n\
                  Off: `overnight repo edit NAME --cascade false`, or `overnight epic edit KEY --cascade false`."
)]
pub struct CascadeArgs {
    /// A job, or a task whose newest job is meant
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Change nothing
    #[arg(long, required = true)]
    pub dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
