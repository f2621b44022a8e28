//! Arguments of workers: `work`, `serve`, `worker`, `status`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use overnight_core::agent::BackendId;
use overnight_core::job::Label;

use super::values;

/// Most jobs at a time: above it a mistyped number is more likely than a machine.
const MOST_SLOTS: i64 = 10_000;

/// What a worker takes. `None` and empty: as configured.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Worker")]
pub struct OfferArgs {
    /// Jobs at a time [default: worker.slots, else one for two processors, from 2 to 8]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=MOST_SLOTS))]
    pub slots: Option<u32>,
    /// Take jobs that require this label too (repeatable; replaces worker.offer)
    #[arg(long, value_name = "LABEL", value_parser = values::label)]
    pub offer: Vec<Label>,
    /// Take jobs of this agent only (repeatable) [default: those whose program is installed]
    #[arg(long, value_name = "NAME", value_parser = backends())]
    pub backend: Vec<BackendId>,
    /// Stream what the worker does as NDJSON on standard output
    #[arg(long)]
    pub events: bool,
}

/// What `overnight work --once` ends with. Not the general exit codes: a supervisor that starts it in a loop has to know
/// whether starting it again helps.
const ONCE: &str = "\
Exit codes: 0 after SIGTERM, SIGINT or `overnight worker drain`, when the
running jobs have ended; 8 when a second signal, or worker.drain_timeout,
let go of them; other numbers as everywhere (overnight help exit-codes).
A database server that is away at the start is waited for; --once waits for
--wait, --exit-when-idle not at all.

With --once they say what to do next, and so differ from those of every other
command:
  0  the job was published, or waits for somebody or something else, or there
     was none
  3  a login has expired: log in before the next start
  4  the quota is used up or the vendor overloaded: start again later
  8  let go of by a second signal; the job is where it was
  2  wrong usage or configuration
  9  the database cannot be opened, or its server was not there within --wait
  other  the job failed, or this worker could not work on it
A job that could not be worked on is given back at once, as it was.";

/// What happens at a start without a database.
const AWAY: &str = "\
A database server that is away is waited for: until it is there /healthz
answers, everything else says what is waited for, and SIGTERM ends it.";

/// `overnight work`.
#[derive(Debug, Clone, Default, Args)]
#[command(after_long_help = ONCE)]
pub struct WorkArgs {
    #[command(flatten)]
    pub offer: OfferArgs,
    /// End when nothing is ready and nothing runs; jobs that wait for their time do not count
    #[arg(long, conflicts_with = "once")]
    pub exit_when_idle: bool,
    /// Take one job, work on it, and end; the exit code says what to do next (see --help)
    #[arg(long)]
    pub once: bool,
    /// How long to wait for that job, and for the database server if it is away
    #[arg(long, value_name = "TIME", requires = "once", default_value = "270s", value_parser = values::span)]
    pub wait: Duration,
    /// Answer /health and /metrics here, like 127.0.0.1:7377
    #[arg(long, value_name = "ADDRESS", value_parser = values::address)]
    pub listen: Option<SocketAddr>,
}

/// `overnight serve`.
#[derive(Debug, Clone, Default, Args)]
#[command(after_long_help = AWAY)]
pub struct ServeArgs {
    /// Where to answer [default: serve.listen, else 127.0.0.1:7377]; port 0: any that is free
    #[arg(long, value_name = "ADDRESS", value_parser = values::address)]
    pub listen: Option<SocketAddr>,
    #[command(flatten)]
    pub offer: OfferArgs,
}

/// `overnight worker`.
#[derive(Debug, Clone, Args)]
pub struct WorkerArgs {
    #[command(subcommand)]
    pub action: WorkerAction,
}

#[derive(Debug, Clone, Subcommand)]
pub enum WorkerAction {
    /// List the workers and what they do
    Ls {
        /// Those that are gone, too
        #[arg(long, short)]
        all: bool,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Tell a worker to finish what it has, take nothing more, and end
    Drain(DrainArgs),
}

#[derive(Debug, Clone, Args)]
pub struct DrainArgs {
    /// Beginning of a worker's id or of its host's name
    #[arg(value_name = "WORKER", required_unless_present = "all", conflicts_with = "all")]
    pub worker: Option<String>,
    /// Every worker
    #[arg(long)]
    pub all: bool,
    /// Take it back, where a worker has not ended yet
    #[arg(long)]
    pub undo: bool,
}

/// `overnight status`.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct StatusArgs {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// End with 1 when somebody should look
    #[arg(long)]
    pub check: bool,
}

fn backends() -> impl TypedValueParser<Value = BackendId> {
    PossibleValuesParser::new(BackendId::ALL.map(BackendId::as_str)).try_map(|text| values::backend(&text))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::Cli;

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "overnight work --once --exit-when-idle",
            "overnight work --wait 5s",
            "overnight work --slots -1",
            "overnight work --slots 10001",
            "overnight work --backend cluade",
            "overnight work --offer a/b",
            "overnight work --listen 7377",
            "overnight worker drain",
            "overnight worker drain x --all",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
        for line in [
            "overnight work --once --wait 5s --slots 1",
            "overnight work",
            "overnight serve --slots 0 --listen localhost:0",
            "overnight worker drain --all --undo",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }
}
