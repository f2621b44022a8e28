//! The command line as data. Says what can be written; does nothing.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use overnight_core::job::JobKind;

use super::agent_args::{AgentCommandArgs, AgentNames};
use super::backlog_args::{
    EpicArgs, ExportArgs, IdeaArgs, ImportArgs, RepoArgs, SprintArgs, StoryArgs, TaskArgs,
};
use super::budget_args::{BudgetArgs, CostArgs};
use super::cascade_args::CascadeArgs;
use super::db_args::DbArgs;
use super::gate_args::{ApproveArgs, ExceptionArgs, RejectArgs};
use super::gc_args::GcArgs;
use super::pull_args::PullArgs;
use super::queue_args::{AddArgs, CancelArgs, CompactArgs, LimitCommandArgs, LsArgs, ResumeArgs};
use super::run_args::{ContinueArgs, RetryArgs, RunArgs};
use super::talk_args::{AnswerArgs, InboxArgs, QuestionsArgs, TellArgs};
use super::token_args::{ApiArgs, TokenArgs};
use super::values;
use super::work_args::{ServeArgs, StatusArgs, WorkArgs, WorkerArgs};

/// Runs coding agents unattended: from a sentence to a verified branch or pull request.
#[derive(Debug, Parser)]
#[command(
    name = "overnight",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Start with `overnight demo` (offline, no account), then `overnight run \"what you want\"` in a repository.\n\
                  More: overnight help queue | gate | exit-codes | reasons | environment | config"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Where jobs, logs and mirrors are kept [env: OVERNIGHT_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The database: postgres://…, or a SQLite file [env: OVERNIGHT_DATABASE_URL] [default: a file in the data directory]
    #[arg(long, global = true, value_name = "URL", value_parser = super::values::database)]
    pub database: Option<overnight_store::Database>,
    /// Read this configuration file and no other [env: OVERNIGHT_CONFIG]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Read no configuration file
    #[arg(long, global = true)]
    pub no_config: bool,
    /// Colour the output
    #[arg(long, global = true, value_enum, value_name = "WHEN")]
    pub color: Option<ColorChoice>,
    /// Say less: results and errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more (-vv: still more) [env: OVERNIGHT_LOG, a tracing filter]
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an agent on a repository until its work is verified
    Run(Box<RunArgs>),
    /// Put a job into the queue, for a worker to take
    Add(Box<AddArgs>),
    /// Show the whole way on a sample repository: offline, with a scripted agent
    Demo(DemoArgs),
    /// List jobs, unfinished ones first
    #[command(visible_alias = "list")]
    Ls(LsArgs),
    /// Show what became of a job
    Show(ShowArgs),
    /// Show what the agent and the checks wrote
    Logs(LogsArgs),
    /// Show a job's change, published or not
    Diff(DiffArgs),
    /// Cancel jobs, and wait until they have ended
    Cancel(CancelArgs),
    /// Show what a failed task takes back of its epic's other work
    Cascade(CascadeArgs),
    /// Agree to publish the commit that a job waits with
    Approve(ApproveArgs),
    /// Say no to the commit that a job waits with, and why
    Reject(RejectArgs),
    /// Let a rule of the inspection not hold for some files, for a while
    Exception(ExceptionArgs),
    /// Run a job's order again as a new job
    Retry(Box<RetryArgs>),
    /// Say what is to be done next on a job that has ended: on its branch, in its agent's conversation
    Continue(Box<ContinueArgs>),
    /// Our pull requests: how they stand, what is done about them, which need you
    Pr(PullArgs),
    /// List what agents ask, with the command that answers
    Questions(QuestionsArgs),
    /// Answer an agent's question: its job goes on
    Answer(AnswerArgs),
    /// Tell a job something: its agent hears of it with its next turn
    Tell(TellArgs),
    /// Show what a job was told, and whether its agent knows
    Inbox(InboxArgs),
    /// Let the next turn of a waiting job begin a fresh conversation, from what the earlier ones came to
    Compact(CompactArgs),
    /// Go on with jobs that were interrupted or wait
    Resume(ResumeArgs),
    /// Register repositories, and say what holds for all of their tasks
    Repo(RepoArgs),
    /// Epics: stories that are done for one purpose
    Epic(Box<EpicArgs>),
    /// Stories: tasks that belong together
    Story(Box<StoryArgs>),
    /// Tasks: add, list, plan, start and mark them
    Task(Box<TaskArgs>),
    /// Sprints: an ordered choice of tasks
    Sprint(Box<SprintArgs>),
    /// Ideas: rough wishes that are to become epics
    Idea(Box<IdeaArgs>),
    /// Make an epic with its stories and tasks from a plan document
    Import(ImportArgs),
    /// Write an epic with its stories and tasks as a plan document
    Export(ExportArgs),
    /// Make, list and revoke the tokens of the API
    Token(TokenArgs),
    /// Describe the API
    Api(ApiArgs),
    /// Say how many jobs of a repository, a label or a group may run at a time
    Limit(LimitCommandArgs),
    /// Show what is left of the budgets, and raise one for a while
    Budget(BudgetArgs),
    /// Show what agents have used: by day, repository, backend or model
    Cost(CostArgs),
    /// Take jobs from the queue and work on them
    Work(Box<WorkArgs>),
    /// Take jobs, and answer health and metrics over HTTP
    Serve(Box<ServeArgs>),
    /// Offer the queue as tools to an assistant: the Model Context Protocol on standard input and output
    Mcp(McpArgs),
    /// List the workers, or tell one to end
    Worker(WorkerArgs),
    /// Show what runs, what waits and for what, and what to do
    Status(StatusArgs),
    /// List the agents of this machine, or check them: version, login, what they can do
    Agent(AgentCommandArgs),
    /// Check this machine: git, agents, containment, data directory, logins
    Doctor(DoctorArgs),
    /// Look after the database: status, copy, backup, restore
    Db(DbArgs),
    /// Clear up what no job needs any more: leftovers, old logs, old records
    Gc(GcArgs),
    /// Show the configuration
    Config(ConfigArgs),
    /// Print a completion script
    Completions(CompletionsArgs),
    /// Explain a command or a topic
    Help(HelpArgs),
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep the sample repository instead of removing it
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Args)]
pub struct McpArgs {
    /// Offer only the tools that change nothing
    #[arg(long)]
    pub read_only: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// Print the events, one line each (with --json: as NDJSON)
    #[arg(long)]
    pub events: bool,
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Go on until the job ends or waits
    #[arg(long, short)]
    pub follow: bool,
    /// Only this turn of the agent
    #[arg(long, value_name = "NUMBER")]
    pub turn: Option<u32>,
    /// The agent's output as it was written
    #[arg(long)]
    pub raw: bool,
    /// Only the output of the checks
    #[arg(long, conflicts_with_all = ["turn", "follow", "raw"])]
    pub checks: bool,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Key (app-12), id or beginning of an id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Only a summary of files and lines
    #[arg(long)]
    pub stat: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub action: Option<ConfigAction>,
}

#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Every setting and its value
    Show {
        /// Where each value comes from
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        job: JobAskedArgs,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// The files that are read, in order of precedence
    Path,
    /// The value of one setting
    Get {
        /// As in limits.cost
        #[arg(value_name = "KEY")]
        key: String,
    },
}

/// Which job's settings are to be shown.
#[derive(Debug, Clone, Default, Args)]
pub struct JobAskedArgs {
    /// What a job of this kind would get, each value with the layer that says so
    #[arg(long, value_name = "KIND", value_parser = values::kinds())]
    pub kind: Option<JobKind>,
    /// … in this repository
    #[arg(long, value_name = "NAME", requires = "kind")]
    pub repository: Option<String>,
    /// … with this agent
    #[arg(long, value_name = "NAME", requires = "kind", value_parser = AgentNames)]
    pub agent: Option<String>,
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    #[arg(value_enum, value_name = "SHELL")]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct HelpArgs {
    /// A command, or queue, gate, exit-codes, reasons, environment, config
    #[arg(value_name = "TOPIC")]
    pub topic: Option<String>,
}

/// The player of rehearsals. A parser of its own, so that neither help nor completions show it.
#[derive(Debug, Parser)]
#[command(name = "overnight __rehearse")]
pub struct RehearseArgs {
    #[arg(long)]
    pub attempt: u32,
    #[arg(long)]
    pub turn: u32,
    #[arg(long)]
    pub session: String,
    #[arg(long)]
    pub resume: bool,
    #[arg(long)]
    pub prompt_file: Option<PathBuf>,
    pub script: PathBuf,
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    /// Every `--help` in one snapshot: no flag comes, goes or changes its meaning unseen.
    #[test]
    fn help_texts() {
        let mut root = Cli::command().term_width(100);
        root.build();
        let mut text = root.render_help().to_string();
        let names: Vec<String> = root.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
        for name in names {
            let sub = root.find_subcommand_mut(&name).unwrap();
            let mut sub = sub.clone().term_width(100);
            write!(text, "\n===== overnight {name} =====\n{}", sub.render_long_help()).unwrap();
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn global_options_may_stand_behind_the_command() {
        let cli = Cli::try_parse_from(["overnight", "ls", "--data-dir", "/d", "-q"]).unwrap();
        assert_eq!(cli.global.data_dir, Some(PathBuf::from("/d")));
        assert!(cli.global.quiet);
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "overnight run --json --events x",
            "overnight run --verify a --no-verify x",
            "overnight run --draft x",
            "overnight resume --all app-1",
            "overnight ls --config a --no-config",
            "overnight run -C a -C b x",
            "overnight run --attempts 0 x",
            "overnight run --max-cost free x",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
