//! The text of a pull request that the jobs of a line share: a table of the tasks, and a section for each that is done, with what was
//! measured. Made anew from the jobs' records each time, so that it cannot lag behind them.
//!
//! Stands between two markers. What people write before or behind them stays theirs.

use overnight_core::git::CommitId;
use overnight_core::id::{JobId, TaskKey};
use overnight_core::job::{BranchLine, Job, JobEvent, JobState, Stage, Trail};
use overnight_core::units::MicroDollars;
use overnight_core::verdict::{CheckReport, CheckSource, CheckedPair, DiffStat};

use super::{MAX_BODY, MAX_ROWS, check_table, counted, cut, marker, row, span, thousands};

const BEGIN: &str = "<!-- overnight:line=";
const END: &str = "<!-- overnight:line-end -->";
/// Room for the summary, the markers and the note about sections that were left out.
const RESERVE: usize = 4_000;
/// Tasks of the summary; the rest is counted.
const MAX_TASKS: usize = 100;

/// What is told of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct LineFacts {
    pub line: BranchLine,
    /// The job that writes it.
    pub job: JobId,
    pub base_branch: String,
    /// In the order of their places.
    pub tasks: Vec<TaskFacts>,
}

/// What is told of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFacts {
    pub key: TaskKey,
    pub job: TaskKey,
    pub number: u32,
    pub title: String,
    pub tip: CommitId,
    pub base: Option<CommitId>,
    pub diff: Option<DiffStat>,
    pub checks: Vec<CheckedPair>,
    pub check_source: Option<CheckSource>,
    pub agent: String,
    pub attempts: u32,
    pub tokens: Option<u64>,
    pub cost: Option<MicroDollars>,
}

impl TaskFacts {
    /// What the record of a job says; `None`: nothing of it is on the branch.
    #[must_use]
    pub fn of(job: &Job, events: &[JobEvent]) -> Option<Self> {
        let (trail, tip) = pushed(&job.state)?;
        let mut told = Told::default();
        events.iter().for_each(|event| told.add(event));
        let agent = job.spec.agent_of(trail.who);
        let model = agent.model.as_deref().map(|model| format!(", {model}")).unwrap_or_default();
        let tokens = trail.used.counted_tokens();
        Some(Self {
            key: job.spec.task.as_ref().map_or_else(|| job.key.clone(), |task| task.key.clone()),
            job: job.key.clone(),
            number: job.spec.line.as_ref().map(|line| line.number).unwrap_or_default(),
            title: job.spec.title.clone(),
            tip: tip.clone(),
            base: told.base,
            diff: told.diff,
            checks: told.checks,
            check_source: told.check_source,
            agent: format!("{}{model}", agent.name()),
            attempts: trail.attempt,
            tokens: (tokens > 0).then_some(tokens),
            cost: trail.used.cost.filter(|_| !trail.cost_unknown),
        })
    }
}

/// What is on the branch, in a job that has pushed.
fn pushed(state: &JobState) -> Option<(&Trail, &CommitId)> {
    match state {
        JobState::Publishing { trail, tip, pushed: true, .. } => Some((trail, tip)),
        JobState::Cleaning { trail, end }
        | JobState::Cascading { trail, end, .. }
        | JobState::Ended { trail, end } => end.published.as_ref().map(|work| (trail, &work.commit)),
        JobState::Parked { then, .. } => pushed(then),
        JobState::Publishing { pushed: false, .. }
        | JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. } => None,
    }
}

/// What events say of a task: its last verification counts.
#[derive(Debug, Default)]
struct Told {
    base: Option<CommitId>,
    diff: Option<DiffStat>,
    checks: Vec<CheckedPair>,
    check_source: Option<CheckSource>,
}

impl Told {
    fn add(&mut self, event: &JobEvent) {
        if let JobEvent::Grounded { base, check_source, .. } = event {
            (self.base, self.check_source) = (Some(base.clone()), Some(*check_source));
        }
        if let JobEvent::Collected { diff, .. } = event {
            self.diff = Some(*diff);
        }
        if let JobEvent::StageStarted { stage: Stage::Verify } = event {
            self.checks.clear();
        }
        if let JobEvent::Checked { report, on_base } = event {
            self.checked(report, *on_base);
        }
    }

    fn checked(&mut self, report: &CheckReport, on_base: bool) {
        match (on_base, self.checks.last_mut()) {
            (true, Some(last)) => last.base = Some(report.clone()),
            (true, None) => {}
            // A verification that was interrupted is done again.
            (false, _) => {
                self.checks.retain(|pair| pair.tip.check != report.check);
                self.checks.push(CheckedPair { tip: report.clone(), base: None });
            }
        }
    }
}

/// The part of the body that is ours, between its markers and with the job's marker in it.
#[must_use]
pub fn render_line(facts: &LineFacts) -> String {
    let line = &facts.line;
    let done = facts.tasks.len();
    let count = done.max(usize::try_from(line.count).unwrap_or(usize::MAX));
    let mut out = format!("{BEGIN}{} -->\n## {done} of {count} tasks\n\n", line.key);
    let kind = line.kind.as_str();
    let to = span(&facts.base_branch);
    row(
        &mut out,
        format_args!(
            "Each task of the {kind} `{}` was done and verified by itself; all of them go to {to}.\n",
            line.key
        ),
    );
    summary(&mut out, facts);
    let mut left_out = 0;
    for task in &facts.tasks {
        let section = section(task);
        if out.chars().count() + section.chars().count() > MAX_BODY - RESERVE {
            left_out += 1;
        } else {
            out.push_str(&section);
        }
    }
    if left_out > 0 {
        row(
            &mut out,
            format_args!("\n{} not shown here: overnight show tells the rest.", counted(left_out, "task")),
        );
    }
    row(&mut out, format_args!("\n{}\n{END}", marker(&facts.job)));
    out
}

fn summary(out: &mut String, facts: &LineFacts) {
    out.push_str("| task | | commit | tokens | cost |\n|---|---|---|---|---|\n");
    for task in facts.tasks.iter().take(MAX_TASKS) {
        let tokens = task.tokens.map_or_else(|| "unknown".to_owned(), thousands);
        let cost = task.cost.map_or_else(|| "unknown".to_owned(), |cost| cost.to_string());
        let title = span(&cut(&task.title, 80));
        row(out, format_args!("| `{}` | {title} | `{}` | {tokens} | {cost} |", task.key, task.tip.short()));
    }
    if facts.tasks.len() > MAX_TASKS {
        row(out, format_args!("\n… and {} more", facts.tasks.len() - MAX_TASKS));
    }
    let known: Option<i64> = facts.tasks.iter().map(|task| task.cost.map(|cost| cost.0)).sum();
    let total = known.map_or_else(|| "unknown".to_owned(), |sum| MicroDollars(sum).to_string());
    row(out, format_args!("\nTogether: {total}.\n"));
}

fn section(task: &TaskFacts) -> String {
    let mut out = format!("### {}: {}\n\n", task.key, span(&task.title));
    let changed = task.diff.map(|diff| {
        let lines = format!(
            "{} and {}",
            counted(diff.insertions, "line") + " added",
            counted(diff.deletions, "line") + " removed"
        );
        format!("{}: {lines}", counted(diff.files.into(), "file"))
    });
    let from = task.base.as_ref().map(|base| format!("`{}` to ", base.short())).unwrap_or_default();
    let changed = changed.map(|changed| format!("{changed}, ")).unwrap_or_default();
    row(&mut out, format_args!("{changed}{from}`{}`.\n", task.tip.short()));
    out.push_str(&check_table(
        &task.checks[..task.checks.len().min(MAX_ROWS)],
        &task.tip,
        task.check_source.unwrap_or(CheckSource::None),
    ));
    let attempts = counted(task.attempts.into(), "attempt");
    row(&mut out, format_args!("\n{} by {}, job `{}`.\n", attempts, span(&task.agent), task.job));
    out
}

/// `body` with our part replaced by `ours`; it is put at the end where there is none yet. What people wrote stays, as far as a
/// forge takes it.
#[must_use]
pub fn put_line(body: &str, ours: &str) -> String {
    let lines: Vec<&str> = body.lines().collect();
    let end = lines.iter().rposition(|line| line.trim() == END);
    let begin = end.and_then(|end| lines[..end].iter().rposition(|line| line.trim().starts_with(BEGIN)));
    let (before, behind) = match (begin, end) {
        (Some(begin), Some(end)) => (lines[..begin].join("\n"), lines[end + 1..].join("\n")),
        (_, _) => (body.to_owned(), String::new()),
    };
    let room = MAX_BODY.saturating_sub(ours.chars().count() + 4);
    let before = cut(before.trim(), room);
    let behind = cut(behind.trim(), room.saturating_sub(before.chars().count()));
    let parts = [before.as_str(), ours.trim_end(), behind.as_str()];
    let mut text = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n");
    text.push('\n');
    text
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
