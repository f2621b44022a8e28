//! The words of `overnight gc`.

use clap::Args;

#[derive(Debug, Clone, Copy, Args)]
pub struct GcArgs {
    /// Only list what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
