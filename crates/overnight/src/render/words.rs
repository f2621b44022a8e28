//! Words for what states, reasons and outcomes mean to a person.

use overnight_core::agent::{AgentEvent, TurnOutcome, Usage};
use overnight_core::backlog::idea::{DocumentFacts, ReviewFacts};
use overnight_core::id::TaskKey;
use overnight_core::job::{EndReason, Job, JobState, Notice, ParkReason};
use overnight_core::policy::budget;
use overnight_core::policy::cascade::{CascadeResult, CascadeStep};
use overnight_core::policy::preflight::{Finding, Level};
use overnight_core::text::{human_duration, human_tokens, one_line};
use overnight_core::verdict::{CheckSource, CouldNotRun, DiffStat, Standing, Verdict};
use overnight_core::watch::PullNews;

use crate::render::stage::Mark;

/// Characters of a detail that fit beside other things.
const DETAIL: usize = 160;
/// A step of a cascade may name a command to be copied.
const CASCADE: usize = 700;

/// What was found in a document that was taken.
#[must_use]
pub fn document(facts: &DocumentFacts) -> String {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let part = facts.part();
    match facts {
        DocumentFacts::Grill { acceptance, risks, open } => format!(
            "{part}: {}, {}, {}",
            plural(number(*acceptance), "acceptance point"),
            plural(number(*risks), "risk"),
            plural(number(*open), "open end")
        ),
        DocumentFacts::Plan { stories: 0, .. } => format!("{part}: cannot be read as one"),
        DocumentFacts::Plan { stories, tasks } => {
            let stories = if *stories == 1 { "1 story".to_owned() } else { format!("{stories} stories") };
            format!("{part}: {stories}, {}", plural(number(*tasks), "task"))
        }
        DocumentFacts::Review(ReviewFacts { round, verdict, errors, warnings, changed, .. }) => format!(
            "{part}: round {round}, {}, {}, {}, {} % of the lines changed",
            verdict.as_str(),
            plural(number(*errors), "error"),
            plural(number(*warnings), "warning"),
            changed.percent()
        ),
    }
}

/// A heading for a job's end.
#[must_use]
pub fn end(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Published => "done",
        EndReason::Delivered => "the document is there",
        EndReason::Cancelled => "cancelled",
        EndReason::Interrupted => "interrupted",
        EndReason::ConfigInvalid => "the settings cannot be used",
        EndReason::RepositoryUnusable => "the repository cannot be used",
        EndReason::NoChecks => "there is nothing to verify with",
        EndReason::AgentMissing => "the agent is not installed",
        EndReason::VerificationFailed => "verification failed",
        EndReason::ChecksCouldNotRun => "the checks could not run",
        EndReason::AgentFailed => "the agent failed",
        EndReason::NoChanges => "the agent changed nothing",
        EndReason::AlreadyDone => "nothing had to be done",
        EndReason::DocumentRefused => "what the agent wrote cannot be used",
        EndReason::GateRefused => "the change may not go out as it is",
        EndReason::Rejected => "rejected",
        EndReason::AgentRefused => "the agent refused",
        EndReason::NeedsInput => "the agent needs an answer",
        EndReason::AgentTimedOut => "the agent hung",
        EndReason::BudgetCost => "the money is used up",
        EndReason::BudgetTokens => "the tokens are used up",
        EndReason::BudgetTurns => "the turns are used up",
        EndReason::BudgetTime => "the time is used up",
        EndReason::BudgetSessions => "the sessions are used up",
        EndReason::BranchConflict => "the branch was changed by somebody else",
        EndReason::WorkerLost => "worker after worker was lost with it",
        EndReason::DependencyFailed => "a job that it waited for was not done",
        EndReason::InternalError => "something went wrong inside Overnight",
    }
}

/// What to do after an end, where the end's own detail does not say it. `key` names the job.
#[must_use]
pub fn after_end(reason: EndReason, key: &str) -> String {
    match reason {
        EndReason::Published | EndReason::Delivered | EndReason::AlreadyDone => String::new(),
        EndReason::Cancelled | EndReason::Interrupted => format!("start it again: overnight retry {key}"),
        EndReason::ConfigInvalid => {
            format!(
                "look at this machine: overnight doctor; or name what is accepted: overnight retry {key} --model NAME"
            )
        }
        EndReason::RepositoryUnusable | EndReason::AgentMissing => {
            format!("look at this machine: overnight doctor; then: overnight retry {key}")
        }
        EndReason::NoChecks => {
            format!("name a check: overnight retry {key} --verify 'make test'; or go without: --no-verify")
        }
        EndReason::VerificationFailed | EndReason::ChecksCouldNotRun => {
            format!("see why: overnight logs {key} --checks; see the change: overnight diff {key}")
        }
        EndReason::NeedsInput => {
            format!("see how it came to ask: overnight logs {key}; answer: overnight continue {key} -m \"…\"")
        }
        EndReason::AgentFailed | EndReason::AgentTimedOut | EndReason::AgentRefused => {
            format!("see why: overnight logs {key}; try again: overnight retry {key}")
        }
        EndReason::DocumentRefused => {
            format!("see why, and what it wrote: overnight logs {key}; try again: overnight retry {key}")
        }
        EndReason::GateRefused => {
            format!("see what was found: overnight show {key}; what it is about: overnight help gate")
        }
        EndReason::Rejected => format!(
            "see the change: overnight diff {key}; say what is to be done: overnight continue {key} -m \"…\""
        ),
        EndReason::NoChanges => format!("see what it said: overnight logs {key}"),
        EndReason::BudgetCost => again_with(key, "--max-cost"),
        EndReason::BudgetTokens => again_with(key, "--max-tokens"),
        EndReason::BudgetTurns => again_with(key, "--max-turns"),
        EndReason::BudgetTime => again_with(key, "--max-time"),
        EndReason::BudgetSessions => again_with(key, "--max-sessions"),
        EndReason::BranchConflict => {
            format!("see the change: overnight diff {key}; try again: overnight retry {key}")
        }
        EndReason::WorkerLost => {
            format!("see what ran last: overnight logs {key}; try again: overnight retry {key}")
        }
        EndReason::DependencyFailed => format!("mend that one first, then: overnight retry {key}"),
        EndReason::InternalError => format!("please report it with: overnight show {key} --json"),
    }
}

fn again_with(key: &str, flag: &str) -> String {
    format!(
        "see the work so far: overnight diff {key}; start again with more: overnight retry {key} {flag} …"
    )
}

/// The exact command that lets the commit of a job go out, where it waits for that.
#[must_use]
pub fn approval(job: &Job) -> Option<String> {
    let commit = job.state.awaits_approval()?;
    Some(format!("overnight approve {} --commit {}", job.key, commit.short()))
}

/// A finding of the inspection, as one line: what follows from it, what and where.
#[must_use]
pub fn finding(finding: &Finding) -> String {
    let follows = match (finding.level, &finding.excused) {
        (_, Some(id)) => format!("excused by {id}"),
        (Level::Off, None) => "off".to_owned(),
        (Level::Warn, None) => "warning".to_owned(),
        (Level::Approve, None) => "needs approval".to_owned(),
        (Level::Block, None) => "refused".to_owned(),
    };
    format!("{follows}: {}", one_line(&finding.line_of_text(), 500))
}

/// How a finding is marked.
#[must_use]
pub fn gravity(finding: &Finding) -> Mark {
    match finding.weight() {
        Level::Off | Level::Warn => Mark::Note,
        Level::Approve => Mark::Again,
        Level::Block => Mark::Bad,
    }
}

/// Why a job waits.
#[must_use]
pub fn park(reason: ParkReason) -> &'static str {
    match reason {
        ParkReason::RateLimited => "the agent's quota is used up",
        ParkReason::Overloaded => "the agent's vendor is overloaded",
        ParkReason::AgentLogin => "the agent is not logged in",
        ParkReason::ForgeLogin => "the forge refused the login",
        ParkReason::Unavailable => "something needed is out of reach",
        ParkReason::DiskFull => "the disk is full",
        ParkReason::DailyBudget => "a budget of the day is used up",
        ParkReason::Velocity => "its repository uses much and publishes nothing",
        ParkReason::Dependency => "other jobs come first",
        ParkReason::Approval => "somebody has to approve it",
        ParkReason::Answer => "the agent waits for an answer",
        ParkReason::Ci => "the forge's checks are running",
        ParkReason::Review => "a review is awaited",
    }
}

/// One word for a state, as lists show it, with what it waits or ended for.
#[must_use]
pub fn state(state: &JobState) -> String {
    match state {
        JobState::Parked { reason, .. } => format!("waits: {}", reason.code()),
        JobState::Ended { end, .. } => end.reason.code().to_owned(),
        JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. } => state.name().to_owned(),
    }
}

/// Why a turn ended; `None` when it simply came to its end.
#[must_use]
pub fn outcome(outcome: &TurnOutcome) -> Option<String> {
    let with = |what: &str, detail: &str| Some(format!("{what}: {}", one_line(detail, DETAIL)));
    match outcome {
        TurnOutcome::Completed => None,
        TurnOutcome::MaxTurns => Some("stopped at the agent's own turn limit".to_owned()),
        TurnOutcome::RateLimited { detail, .. } => with("quota used up", detail),
        TurnOutcome::Overloaded { detail } => with("vendor overloaded", detail),
        TurnOutcome::LoginExpired { detail } => with("not logged in", detail),
        TurnOutcome::NeedsInput { detail } => with("asks", detail),
        TurnOutcome::BudgetStop { limit, breach } => {
            let breach = breach.as_ref().map(budget::explain);
            Some(format!("stopped: {}", breach.unwrap_or_else(|| budget::of_vendor(*limit))))
        }
        TurnOutcome::Refused { detail } => with("refused", detail),
        TurnOutcome::TimedOut { silent: true, idle } => Some(silence(*idle).to_owned()),
        TurnOutcome::TimedOut { silent: false, .. } => Some("stopped: it took too long".to_owned()),
        TurnOutcome::Misconfigured { detail } => with("settings refused", detail),
        TurnOutcome::Looped { detail } => with("went round in circles", detail),
        TurnOutcome::ContextFull { detail } => with("the conversation is too long", detail),
        TurnOutcome::SessionLost => Some("its session is gone".to_owned()),
        TurnOutcome::Crashed { detail } => with("crashed", detail),
        TurnOutcome::Stopped => Some("stopped".to_owned()),
    }
}

fn silence(idle: Option<bool>) -> &'static str {
    match idle {
        Some(true) => "stopped: no output and no work for too long (agent.silence)",
        Some(false) => "stopped: it worked for too long without output (agent.silence_busy)",
        None => "stopped: no output for too long (agent.silence)",
    }
}

/// A verdict in a few words.
#[must_use]
pub fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass => "pass".to_owned(),
        Verdict::Fail { status } => format!("fail (status {status})"),
        Verdict::CouldNotRun { why } => format!("could not run: {}", could_not_run(why)),
    }
}

fn could_not_run(why: &CouldNotRun) -> String {
    match why {
        CouldNotRun::CommandMissing => "command not found".to_owned(),
        CouldNotRun::NotExecutable => "not executable".to_owned(),
        CouldNotRun::TimedOut => "it took too long".to_owned(),
        CouldNotRun::Killed(signal) => format!("killed by signal {signal}"),
        CouldNotRun::NotStarted(detail) => one_line(detail, DETAIL),
    }
}

/// What a check on tip and base amounts to.
#[must_use]
pub fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Passed => "passed",
        Standing::Broken => "broken by the change",
        Standing::FailedBefore => "failed before the change too",
        Standing::FailedBaseUnknown => "failed; the base could not be measured",
        Standing::CouldNotRun => "could not run",
    }
}

#[must_use]
pub fn check_source(source: CheckSource) -> &'static str {
    match source {
        CheckSource::CommandLine => "from --verify",
        CheckSource::Repository => "from overnight.toml",
        CheckSource::Detected => "detected",
        CheckSource::None => "none wanted",
    }
}

/// What a cascade is about.
#[must_use]
pub fn cascade_began(epic: &TaskKey, jobs: &[TaskKey]) -> String {
    format!("the work of {} of {epic} is taken back", plural(jobs.len() as u64, "other job"))
}

/// A step of a cascade and what came of it.
#[must_use]
pub fn cascade_step(step: &CascadeStep, result: &CascadeResult) -> String {
    let told = format!("{}: {}, {}", step.words(), result.outcome.words(), result.detail);
    let command = result.command.as_ref().map(|command| format!("; by hand: {command}")).unwrap_or_default();
    one_line(&format!("{told}{command}"), CASCADE)
}

/// Something to know about a job.
#[must_use]
pub fn notice(notice: &Notice) -> String {
    match notice {
        Notice::UncommittedChanges(count) => {
            format!("{} in your tree: not part of the base", plural(u64::from(*count), "uncommitted change"))
        }
        Notice::SubmodulesNotFetched => {
            "the repository has submodules: their contents are not there".to_owned()
        }
        Notice::LfsPointersNotFetched => "the repository uses LFS: its files are pointers here".to_owned(),
        Notice::ShallowSource => "the repository is a shallow clone: its history is cut".to_owned(),
        Notice::WeakContainment(why) => format!("weak containment: {}", one_line(why, DETAIL)),
        Notice::GitDirectorySalvaged => "the agent broke its .git; its files were saved".to_owned(),
        Notice::HistorySquashed => {
            "a commit on the way held what must not go out: the work is one commit now".to_owned()
        }
        Notice::HistoryGrafted => {
            "the agent rewrote history; its tree was put on the base as one commit".to_owned()
        }
        Notice::LeftoversCommitted => "what the agent left uncommitted was committed for it".to_owned(),
        Notice::NestedRepositoriesLeftOut => {
            "repositories inside the agent's tree are not part of the result".to_owned()
        }
        Notice::UnreadableFilesLeftOut => {
            "files that could not be read are not part of the result".to_owned()
        }
        Notice::WorkspaceGone => "the agent removed its whole work tree".to_owned(),
        Notice::ProcessesKilled(whose) => {
            format!("processes that {} left behind were ended", one_line(whose, 40))
        }
        Notice::OutputTruncated(bytes) => format!("{bytes} bytes of output are not in the log"),
        Notice::SessionLost => {
            "the agent's session was lost: a fresh one goes on with the commits".to_owned()
        }
        Notice::Compacted => {
            "the conversation had become long: a fresh one goes on from what the earlier came to".to_owned()
        }
        Notice::AccountChanged(why) => format!("another login goes on: {}", one_line(why, DETAIL)),
        Notice::BudgetWarning(what) => format!("a budget is nearly used up: {}", one_line(what, DETAIL)),
        Notice::MessagesNotDelivered(count) => {
            format!(
                "{} came too late for its limits: overnight inbox shows them",
                plural(u64::from(*count), "message")
            )
        }
        Notice::NotVerified => "published without any verification, as asked".to_owned(),
        Notice::CascadeOff => {
            "its epic's other work stays as it is: the epic or its repository says so".to_owned()
        }
    }
}

/// `14 answers · 52.3k tokens · $0.43`; what is zero is left out, what is unknown is said.
#[must_use]
pub fn usage(usage: &Usage) -> String {
    let mut parts = Vec::new();
    if usage.turns > 0 {
        parts.push(plural(u64::from(usage.turns), "answer"));
    }
    if usage.counted_tokens() > 0 {
        parts.push(format!("{} tokens", human_tokens(usage.counted_tokens())));
    }
    match usage.cost {
        Some(cost) if cost.0 > 0 && usage.estimated => parts.push(format!("about {cost}")),
        Some(cost) if cost.0 > 0 => parts.push(cost.to_string()),
        None if usage.counted_tokens() > 0 => parts.push("cost unknown".to_owned()),
        Some(_) | None => {}
    }
    parts.join(" · ")
}

/// `3 files, +40 −3`.
#[must_use]
pub fn diff(diff: &DiffStat) -> String {
    format!("{}, +{} −{}", plural(u64::from(diff.files), "file"), diff.insertions, diff.deletions)
}

/// What the agent did last, as one short line; `None` for what is not worth a look.
#[must_use]
pub fn action(event: &AgentEvent) -> Option<String> {
    let line = |text: &str| Some(one_line(text, DETAIL)).filter(|text| !text.is_empty());
    match event {
        AgentEvent::Message { text } => line(text),
        AgentEvent::Reasoning { .. } => Some("thinking".to_owned()),
        AgentEvent::ToolStarted { tool, summary } => line(&format!("{tool} {summary}")),
        AgentEvent::Retrying { attempt, status } => {
            let status = status.map(|status| format!(" after status {status}")).unwrap_or_default();
            Some(format!("asks its vendor again{status} (try {attempt})"))
        }
        AgentEvent::PermissionDenied { tool } => line(&format!("not allowed: {tool}")),
        AgentEvent::Warning { text } => line(text),
        AgentEvent::SessionStarted { model: Some(model), .. } => line(&format!("started with {model}")),
        AgentEvent::Finished => Some("finishing".to_owned()),
        AgentEvent::SessionStarted { model: None, .. }
        | AgentEvent::Quota { .. }
        | AgentEvent::ToolFinished { .. }
        | AgentEvent::UsageSoFar { .. }
        | AgentEvent::Raw { .. } => None,
    }
}

/// What happened to a pull request.
#[must_use]
pub fn pull_news(news: &PullNews) -> String {
    match news {
        PullNews::Merged { by_us: true } => "merged by Overnight".to_owned(),
        PullNews::Merged { by_us: false } => "merged".to_owned(),
        PullNews::Closed => "closed without being merged".to_owned(),
        PullNews::Reopened => "open again".to_owned(),
        PullNews::Continued { cause, key } => format!("{key} goes on with it ({})", cause.as_str()),
        PullNews::PersonNeeded { why, .. } => format!("a person is needed: {why}"),
        PullNews::MarkedReady => "ready for review".to_owned(),
        PullNews::BranchRemoved => "its branch was deleted".to_owned(),
    }
}

/// `1 file`, `2 files`.
#[must_use]
pub fn plural(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A moment on the person's own clock: `Fri 14:30`.
#[must_use]
pub fn moment(at: overnight_core::units::Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(at) => at.to_zoned(jiff::tz::TimeZone::system()).strftime("%a %H:%M").to_string(),
        Err(_) => "an unknown time".to_owned(),
    }
}

/// How long ago, in whole seconds.
#[must_use]
pub fn age(span: std::time::Duration) -> String {
    human_duration(std::time::Duration::from_secs(span.as_secs().max(1)))
}

/// A span in a column of its own.
#[must_use]
pub fn span(span: std::time::Duration) -> String {
    human_duration(span)
}

#[cfg(test)]
mod tests {
    use overnight_core::units::MicroDollars;

    use super::*;

    #[test]
    fn every_end_says_what_to_do_next() {
        for reason in EndReason::ALL {
            assert!(!end(reason).is_empty());
            assert_eq!(after_end(reason, "app-1").is_empty(), reason.is_done(), "{reason:?}");
        }
    }

    #[test]
    fn an_unknown_cost_is_not_shown_as_nothing() {
        let with = |cost| Usage { output_tokens: 52_300, turns: 14, cost, ..Usage::default() };
        assert_eq!(usage(&with(Some(MicroDollars(430_000)))), "14 answers · 52.3k tokens · $0.43");
        assert_eq!(usage(&with(None)), "14 answers · 52.3k tokens · cost unknown");
        assert_eq!(usage(&Usage::default()), "");
    }

    #[test]
    fn an_action_cannot_control_the_terminal() {
        let event = AgentEvent::ToolStarted { tool: "Bash".into(), summary: "\u{1b}]0;x\u{7}rm\nls".into() };
        let text = action(&event).unwrap();
        assert!(!text.contains(['\u{1b}', '\n', '\u{7}']), "{text:?}");
    }
}
