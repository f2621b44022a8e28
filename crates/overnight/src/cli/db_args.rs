//! What `overnight db` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use overnight_store::Database;

#[derive(Debug, Args)]
pub struct DbArgs {
    #[command(subcommand)]
    pub action: DbAction,
}

#[derive(Debug, Subcommand)]
pub enum DbAction {
    /// Show where jobs are kept, how large it is, and whether what it acknowledges survives a crash
    Status {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Bring the database to this version's schema, as every other command does when it opens it
    Migrate {
        /// Only say which steps would be taken
        #[arg(long)]
        plan: bool,
    },
    /// Copy everything into another, empty database, between engines or within one
    #[command(after_help = "A copy that was interrupted goes on where it stopped when it is called again. \
                            Rows and hashes of both sides are compared at the end.")]
    Copy(CopyArgs),
    /// Write everything into one file, while workers go on
    Backup(BackupArgs),
    /// Put a backup into the database, which must be empty
    Restore(RestoreArgs),
}

#[derive(Debug, Args)]
pub struct CopyArgs {
    /// The database to copy: postgres://…, or a SQLite file
    #[arg(value_name = "FROM", value_parser = super::values::database)]
    pub from: Database,
    /// The database to copy into; made where there is none
    #[arg(value_name = "TO", value_parser = super::values::database)]
    pub to: Database,
    /// Copy although workers seem to be running: they are known to be dead
    #[arg(long)]
    pub force: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file to write, which must not be there yet
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// A file that `overnight db backup` wrote
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only read all of the file and say whether it is whole; write nothing
    #[arg(long, conflicts_with = "force")]
    pub check: bool,
    /// Restore although workers seem to be running on the database: they are known to be dead
    #[arg(long)]
    pub force: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}
