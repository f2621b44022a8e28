//! Arguments about the backlog: repositories, epics, stories, tasks, sprints, ideas, and plans of all of them.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use overnight_core::agent::Effort;
use overnight_core::backlog::PullStrategy;
use overnight_core::policy::alignment::VerifyRequired;
use overnight_core::units::MicroDollars;

use super::budget_args::JobBudgetArgs;
use super::queue_args::QueueArgs;
use super::run_args::{AgentArgs, LimitArgs, OrderArgs};
use super::values;

/// `overnight repo`.
#[derive(Debug, Args)]
pub struct RepoArgs {
    #[command(subcommand)]
    pub action: RepoAction,
}

#[derive(Debug, Subcommand)]
pub enum RepoAction {
    /// Register a repository: a directory, or the URL of a remote
    Add {
        #[arg(value_name = "DIR|URL", default_value = ".")]
        remote: String,
        /// What its keys begin with [default: the last part of the path]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        settings: RepoSettingsArgs,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// List the registered repositories
    #[command(visible_alias = "list")]
    Ls {
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Show a repository and its settings
    Show {
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Change a repository's settings
    Edit {
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        settings: RepoSettingsArgs,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Forget a repository of which there are no jobs and no items
    Rm {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// What holds for all tasks of a repository.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Settings")]
pub struct RepoSettingsArgs {
    /// Tasks start from this branch of the remote; none: from its default branch
    #[arg(long, value_name = "BRANCH")]
    pub base: Option<String>,
    /// Which tasks share a branch and a pull request
    #[arg(long, value_name = "WHICH", value_enum)]
    pub strategy: Option<StrategyName>,
    /// Whether pull requests are opened as drafts
    #[arg(long, value_name = "BOOL")]
    pub draft: Option<bool>,
    /// Whether a failed task takes its epic's other jobs with it
    #[arg(long, value_name = "BOOL")]
    pub cascade: Option<bool>,
    /// A command that must succeed on a task's result (repeatable; replaces the list); none: as the repository says
    #[arg(long, value_name = "CMD")]
    pub verify: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, Args)]
pub struct JsonArgs {
    /// Print one JSON document
    #[arg(long, help_heading = "Output")]
    pub json: bool,
}

/// Names as of [`PullStrategy::as_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StrategyName {
    Task,
    Story,
    Sprint,
}

impl From<StrategyName> for PullStrategy {
    fn from(name: StrategyName) -> Self {
        match name {
            StrategyName::Task => Self::Task,
            StrategyName::Story => Self::Story,
            StrategyName::Sprint => Self::Sprint,
        }
    }
}

/// What can be done with items of every kind. `A`: what `add` and `edit` can say about one.
#[derive(Debug, Subcommand)]
pub enum ItemAction<A: Args> {
    /// Add one
    Add {
        #[arg(value_name = "TITLE")]
        title: String,
        /// The registered repository [default: the one of this directory, or of what it belongs to]
        #[arg(long, value_name = "NAME")]
        repo: Option<String>,
        #[command(flatten)]
        about: Box<A>,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// List them
    #[command(visible_alias = "list")]
    Ls {
        /// Only of this repository
        #[arg(long, value_name = "NAME")]
        repo: Option<String>,
        /// Only those that belong to this epic or story, or stand in this sprint
        #[arg(long, value_name = "KEY")]
        of: Option<String>,
        /// Only those in this state (repeatable)
        #[arg(long, value_name = "STATE")]
        state: Vec<String>,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Show one, and what belongs to it
    Show {
        #[arg(value_name = "KEY")]
        key: String,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Change one
    Edit {
        #[arg(value_name = "KEY")]
        key: String,
        /// Another title
        #[arg(long, value_name = "TEXT")]
        title: Option<String>,
        /// Its place among those that belong to the same, from 1
        #[arg(long, value_name = "NUMBER", value_parser = values::count)]
        place: Option<u32>,
        #[command(flatten)]
        about: Box<A>,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// Remove one; its jobs stay
    Rm {
        #[arg(value_name = "KEY")]
        key: String,
        /// And everything that belongs to it
        #[arg(long)]
        all: bool,
    },
    /// Make jobs of its tasks, for a worker to take
    Start(Box<StartArgs>),
    /// Say something about one that no job can know
    Mark {
        #[arg(value_name = "KEY")]
        key: String,
        /// A task: done, excluded; an epic: blocked; both: reopen
        #[arg(value_name = "WORD", value_enum)]
        mark: MarkName,
    },
}

/// Names of marks as people say them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MarkName {
    Done,
    Excluded,
    Blocked,
    Reopen,
}

/// `overnight task start`, and the same of what tasks belong to.
#[derive(Debug, Clone, Default, Args)]
pub struct StartArgs {
    /// Tasks, or stories, epics and sprints with all their open tasks
    #[arg(value_name = "KEY", required = true)]
    pub keys: Vec<String>,
    /// The clone of the repository to start from, where it is registered by a remote [default: the remote itself]
    #[arg(long, short = 'C', value_name = "DIR")]
    pub repo: Option<PathBuf>,
    #[command(flatten)]
    pub order: OrderArgs,
    #[command(flatten)]
    pub queue: QueueArgs,
    #[command(flatten)]
    pub output: JsonArgs,
}

#[derive(Debug, Args)]
pub struct EpicArgs {
    #[command(subcommand)]
    pub action: ItemAction<EpicAbout>,
}

#[derive(Debug, Args)]
pub struct StoryArgs {
    #[command(subcommand)]
    pub action: ItemAction<StoryAbout>,
}

#[derive(Debug, Args)]
pub struct TaskArgs {
    #[command(subcommand)]
    pub action: ItemAction<TaskAbout>,
}

#[derive(Debug, Args)]
pub struct SprintArgs {
    #[command(subcommand)]
    pub action: ItemAction<SprintAbout>,
}

#[derive(Debug, Args)]
pub struct IdeaArgs {
    #[command(subcommand)]
    pub action: IdeaAction,
}

/// What can be done with ideas beside what can be done with every item.
#[derive(Debug, Subcommand)]
pub enum IdeaAction {
    #[command(flatten)]
    Item(ItemAction<IdeaAbout>),
    /// Have an agent question it: scope, acceptance, risks, open ends
    Grill(Box<IdeaStartArgs>),
    /// Have an agent make a plan of it
    Plan(Box<IdeaStartArgs>),
    /// Have agents review its plan, round by round
    Review(Box<IdeaStartArgs>),
    /// All of these one after the other, as far as it is not done yet
    Run(Box<IdeaStartArgs>),
    /// Make an epic of its plan, with stories and tasks
    Accept {
        #[arg(value_name = "KEY")]
        key: String,
        /// Which plan [default: the newest]
        #[arg(long, value_name = "NUMBER", value_parser = values::count)]
        revision: Option<u32>,
        #[command(flatten)]
        output: JsonArgs,
    },
    /// What was written about it: a list, or the text of one
    Documents {
        #[arg(value_name = "KEY")]
        key: String,
        /// Print the text of this one
        #[arg(value_name = "PART", value_enum)]
        part: Option<PartName>,
        /// Which one [default: the newest]
        #[arg(long, value_name = "NUMBER", value_parser = values::count, requires = "part")]
        revision: Option<u32>,
        #[command(flatten)]
        output: JsonArgs,
    },
}

/// What is written about an idea.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PartName {
    Grill,
    Plan,
    Review,
}

/// `overnight idea grill`, `plan`, `review` and `run`.
#[derive(Debug, Clone, Args)]
pub struct IdeaStartArgs {
    #[arg(value_name = "KEY")]
    pub idea: String,
    /// Most rounds of a review [default: as configured]
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub rounds: Option<u32>,
    /// The clone of the repository to start from, where it is registered by a remote [default: the remote itself]
    #[arg(long, short = 'C', value_name = "DIR")]
    pub repo: Option<PathBuf>,
    #[command(flatten)]
    pub agent: AgentArgs,
    #[command(flatten)]
    pub limits: LimitArgs,
    #[command(flatten)]
    pub budget: JobBudgetArgs,
    #[command(flatten)]
    pub queue: QueueArgs,
    #[command(flatten)]
    pub output: JsonArgs,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Epic")]
pub struct EpicAbout {
    /// What it is about; `-`: from standard input
    #[arg(long, short, value_name = "TEXT")]
    pub description: Option<String>,
    /// Whether a failed task takes the epic's other jobs with it [default: as the repository says]
    #[arg(long, value_name = "BOOL")]
    pub cascade: Option<bool>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Story")]
pub struct StoryAbout {
    /// The epic that it belongs to; none: no one
    #[arg(long, value_name = "KEY")]
    pub epic: Option<String>,
    /// What it is about; `-`: from standard input
    #[arg(long, short, value_name = "TEXT")]
    pub description: Option<String>,
    /// What has to be so when it is done (repeatable; replaces the list)
    #[arg(long, short, value_name = "TEXT")]
    pub acceptance: Vec<String>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Task")]
pub struct TaskAbout {
    /// The story that it belongs to; none: no one
    #[arg(long, value_name = "KEY")]
    pub story: Option<String>,
    /// What it is about; `-`: from standard input
    #[arg(long, short, value_name = "TEXT")]
    pub description: Option<String>,
    /// What has to be so when it is done (repeatable; replaces the list)
    #[arg(long, short, value_name = "TEXT")]
    pub acceptance: Vec<String>,
    /// How it is to be done; the change is compared with the paths in it; `-`: from standard input
    #[arg(long, value_name = "TEXT")]
    pub plan: Option<String>,
    /// A task that has to be done first (repeatable; replaces the list); none: no one
    #[arg(long, value_name = "KEY")]
    pub after: Vec<String>,
    /// Which changes are accepted, compared with the plan
    #[arg(long, value_name = "WHICH", value_enum)]
    pub verify_required: Option<VerifyName>,
    /// Whether it only looks at something, so that no change is a good result
    #[arg(long, value_name = "BOOL")]
    pub verify_only: Option<bool>,
    /// The name of another registered repository in which it is to be done; none: its own
    #[arg(long, value_name = "NAME")]
    pub elsewhere: Option<String>,
    /// Which agent works on it
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// The model, by the vendor's name
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// How hard the model should think
    #[arg(long, value_name = "LEVEL", value_parser = values::efforts())]
    pub effort: Option<Effort>,
    /// Paid tries
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub attempts: Option<u32>,
    /// Money, in US dollars
    #[arg(long, value_name = "DOLLARS", value_parser = values::money)]
    pub max_cost: Option<MicroDollars>,
    /// Tokens, like 500k
    #[arg(long, value_name = "NUMBER", value_parser = values::tokens)]
    pub max_tokens: Option<u64>,
    /// Answers of the model
    #[arg(long, value_name = "NUMBER", value_parser = values::count)]
    pub max_turns: Option<u32>,
    /// Agent and check time, like 2h
    #[arg(long, value_name = "TIME", value_parser = values::span)]
    pub max_time: Option<Duration>,
}

/// Names as in a plan document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum VerifyName {
    Aligned,
    #[value(name = "aligned_or_partial")]
    AlignedOrPartial,
    Any,
}

impl From<VerifyName> for VerifyRequired {
    fn from(name: VerifyName) -> Self {
        match name {
            VerifyName::Aligned => Self::Aligned,
            VerifyName::AlignedOrPartial => Self::AlignedOrPartial,
            VerifyName::Any => Self::Any,
        }
    }
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Sprint")]
pub struct SprintAbout {
    /// What it is to come to; `-`: from standard input
    #[arg(long, value_name = "TEXT")]
    pub goal: Option<String>,
    /// Which tasks share a branch and a pull request [default: as the repository says]
    #[arg(long, value_name = "WHICH", value_enum)]
    pub strategy: Option<StrategyName>,
    /// A task, or a story or an epic with all its tasks (repeatable, in order; replaces the list); none: no one
    #[arg(long, value_name = "KEY")]
    pub task: Vec<String>,
}

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Idea")]
pub struct IdeaAbout {
    /// The wish in full; `-`: from standard input
    #[arg(long, value_name = "TEXT")]
    pub wish: Option<String>,
    /// What was found out about it
    #[arg(long, value_name = "TEXT")]
    pub notes: Option<String>,
    /// A file with a plan for it, as overnight import takes it
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
}

/// `overnight import`.
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// A plan: YAML, or Markdown that begins with it; `-`: from standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The registered repository [default: the one of this directory]
    #[arg(long, value_name = "NAME")]
    pub repo: Option<String>,
    /// Your own name for this plan: imported twice it is there once
    #[arg(long, value_name = "NAME", value_parser = values::key)]
    pub key: Option<String>,
    /// Only look whether it can be imported, and what it would come to
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub output: JsonArgs,
}

/// `overnight export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// The epic
    #[arg(value_name = "KEY")]
    pub epic: String,
}
