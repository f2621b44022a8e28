//! A running job as lines: what stays on the screen, and the one line that lives below it.
//!
//! A pure fold over progress: the same progress gives the same lines. Owns what was seen so far; writes nothing.

use std::time::Duration;

use overnight_core::agent::adapter::AdapterName;
use overnight_core::agent::{SessionStart, TurnOutcome, Usage};
use overnight_core::id::TaskKey;
use overnight_core::job::{JobEvent, Stage};
use overnight_core::policy::cascade::{CascadeOutcome, CascadeResult, CascadeStep};
use overnight_core::policy::preflight::Finding;
use overnight_core::text::{cut_chars, one_line};
use overnight_core::verdict::{Standing, Verdict};
use overnight_engine::progress::Progress;

use super::stage::{Mark, OpenStage, line};
use super::words;

/// Findings of one commit that are shown as it goes.
const FINDINGS: usize = 8;
/// Characters of one command in the list of checks.
const COMMAND: usize = 60;

/// What is known of a running job.
#[derive(Debug, Clone)]
pub struct View {
    key: TaskKey,
    /// Paid tries that the job has.
    attempts: u32,
    attempt: u32,
    open: Option<OpenStage>,
    used: Usage,
    /// What goes on right now.
    action: String,
    /// The last turn came to its own end: it ought to have left something.
    completed: bool,
    /// Checks of the running verification, by standing.
    standings: Vec<Standing>,
}

impl View {
    /// A job with so many attempts, of which nothing was seen yet.
    #[must_use]
    pub fn new(key: TaskKey, attempts: u32) -> Self {
        Self {
            key,
            attempts,
            attempt: 0,
            open: None,
            used: Usage::default(),
            action: String::new(),
            completed: false,
            standings: Vec::new(),
        }
    }

    /// Takes one piece of progress and gives the lines that stay. `now` is the time since the watcher began.
    #[must_use]
    pub fn on(&mut self, progress: &Progress, now: Duration) -> Vec<String> {
        match progress {
            Progress::Event { event, .. } => self.event(event, now),
            Progress::Agent(event) => {
                if let Some(action) = words::action(event) {
                    self.action = action;
                }
                Vec::new()
            }
            Progress::Used(used) => {
                self.used = *used;
                Vec::new()
            }
            Progress::CheckStarted { check, on_base } => {
                self.action = format!("{}{}", one_line(check, COMMAND), side(*on_base));
                Vec::new()
            }
            Progress::CheckFinished { check, on_base, verdict, elapsed } => {
                let mark = if *verdict == Verdict::Pass { Mark::Good } else { Mark::Bad };
                let what = format!("{}{}", one_line(check, COMMAND), side(*on_base));
                vec![format!(
                    "  {} {what}  {}  {}",
                    mark.show(),
                    words::verdict(verdict),
                    words::span(*elapsed)
                )]
            }
            Progress::Waiting { what } => {
                self.action = one_line(what, COMMAND);
                Vec::new()
            }
        }
    }

    /// The line that lives at the bottom, at most `width` characters; `None` when no stage runs.
    #[must_use]
    pub fn live(&self, now: Duration, width: usize) -> Option<String> {
        let open = self.open.as_ref().filter(|open| open.elapsed.is_none())?;
        let mut parts = Vec::new();
        if matches!(open.stage, Stage::Agent | Stage::Collect | Stage::Verify) && self.attempt > 0 {
            parts.push(format!("attempt {} of {}", self.attempt, self.attempts));
        }
        if open.stage == Stage::Agent {
            parts.push(words::usage(&self.used));
        }
        parts.push(self.action.clone());
        parts.retain(|part| !part.is_empty());
        let elapsed = words::age(now.saturating_sub(open.since));
        let text = format!("… {:<8} {elapsed:>7}  {}", open.stage.as_str(), parts.join(" · "));
        Some(cut_chars(text.trim_end(), width.saturating_sub(1)))
    }

    fn event(&mut self, event: &JobEvent, now: Duration) -> Vec<String> {
        match event {
            JobEvent::StageStarted { stage } => {
                let lines = self.close(now);
                self.open = Some(OpenStage::new(*stage, now));
                self.action.clear();
                self.standings.clear();
                lines
            }
            JobEvent::StageFinished { stage, elapsed } => self.finished(*stage, *elapsed, now),
            JobEvent::Claimed { resumed: true, .. } => self
                .with_close(now, line(Mark::Again, "resumed", None, "going on from the last finished step")),
            JobEvent::Noticed { notice } => vec![line(Mark::Note, "note", None, &words::notice(notice))],
            JobEvent::TurnAnnounced { attempt, session, .. } => {
                self.attempt = *attempt;
                self.action = match session {
                    SessionStart::Fresh(_) => "starting".to_owned(),
                    SessionStart::Resume(_) => "going on with its session".to_owned(),
                };
                Vec::new()
            }
            JobEvent::TurnInterrupted { turn, .. } => {
                vec![line(Mark::Again, "agent", None, &format!("turn {turn} was interrupted before its end"))]
            }
            JobEvent::AttemptFailed { attempt, reason, .. } => {
                let text =
                    format!("attempt {attempt} of {} failed: {}", self.attempts, one_line(reason, 200));
                self.bad(now, line(Mark::Again, "again", None, &text), *attempt < self.attempts)
            }
            JobEvent::TakenOver { backend, adapter, model, .. } => {
                let agent = adapter.as_ref().map_or(backend.as_str(), AdapterName::as_str);
                vec![taken_over(agent, model.as_deref())]
            }
            JobEvent::BranchTaken { branch } => {
                vec![line(Mark::Note, "note", None, &format!("{branch} is taken: another name is used"))]
            }
            JobEvent::CancelAsked { .. } => {
                self.with_close(now, line(Mark::Note, "cancel", None, "ending the job"))
            }
            JobEvent::Parked { reason, detail, .. } => {
                let text = format!("{}: {}", words::park(*reason), one_line(detail, 200));
                self.with_close(now, line(Mark::Wait, "waits", None, &text))
            }
            JobEvent::Inspected { inspection, .. } => found(&inspection.findings),
            JobEvent::Approved { by, commit, .. } => {
                let text = format!("{} may be published, says {}", commit.short(), one_line(by, 80));
                self.with_close(now, line(Mark::Note, "approved", None, &text))
            }
            JobEvent::Rejected { by, message, .. } => {
                let text = format!("by {}: {}", one_line(by, 80), one_line(message, 200));
                self.with_close(now, line(Mark::Again, "rejected", None, &text))
            }
            JobEvent::WorkerLost { times, .. } => {
                let text = format!("its worker was lost ({})", words::plural(u64::from(*times), "time"));
                self.with_close(now, line(Mark::Again, "worker", None, &text))
            }
            JobEvent::Moved => self.with_close(
                now,
                line(Mark::Note, "moved", None, "another machine begins again from the base"),
            ),
            JobEvent::CascadeBegan { epic, jobs } => said("cascade", &words::cascade_began(epic, jobs)),
            JobEvent::Cascaded { step, result } => vec![cascaded(step, result)],
            JobEvent::CascadeStopped { why } => said("cascade", why),
            JobEvent::Ended { .. } => self.close(now),
            JobEvent::Grounded { .. }
            | JobEvent::TurnEnded { .. }
            | JobEvent::Collected { .. }
            | JobEvent::DocumentTaken { .. }
            | JobEvent::Judged { .. }
            | JobEvent::BranchPushed { .. }
            | JobEvent::PullRequestOpened { .. } => {
                self.fact(event);
                Vec::new()
            }
            JobEvent::AgentReported { status, summary, .. } => report(status.code(), summary),
            JobEvent::AgentNoted { text, .. } => said("log", text),
            JobEvent::QuestionAsked { text, options, .. } => self.question(text, options),
            JobEvent::QuestionAnswered { answer, .. } => said("answer", answer),
            JobEvent::QuestionExpired { .. } => {
                said("answer", "nobody answered in time: the agent decides by itself")
            }
            JobEvent::QuestionCancelled { .. } => said("answer", "none: the agent decides by itself"),
            JobEvent::MessageSent { text, .. } => said("message", text),
            JobEvent::PullRequestNews { number, news } => {
                said("pull", &format!("#{number}: {}", words::pull_news(news)))
            }
            JobEvent::MessageDelivered { .. }
            | JobEvent::MessageAcknowledged { .. }
            | JobEvent::Queued { .. }
            | JobEvent::Woken { .. }
            | JobEvent::Claimed { resumed: false, .. }
            | JobEvent::Configured { .. }
            | JobEvent::TurnStarted { .. }
            | JobEvent::Checked { .. } => Vec::new(),
        }
    }

    fn question(&self, text: &str, options: &[String]) -> Vec<String> {
        let mut lines = said("asks", text);
        let numbered = (1..).zip(options);
        lines.extend(numbered.map(|(number, option)| format!("      {number}. {}", one_line(option, 200))));
        let how = if options.is_empty() { "TEXT" } else { "--option N, or TEXT" };
        lines.push(format!("      answer it: overnight answer {} {how}", self.key));
        lines
    }

    /// Facts that belong to the line of the stage that is open, or has just been finished.
    fn fact(&mut self, event: &JobEvent) {
        let (fact, bad) = match event {
            JobEvent::Grounded { base, base_branch, check_source, checks } => {
                let branch = base_branch
                    .as_deref()
                    .map(|name| format!(" ({})", one_line(name, 60)))
                    .unwrap_or_default();
                let checks: Vec<String> = checks.iter().map(|check| one_line(check, COMMAND)).collect();
                let checks = if checks.is_empty() { "none".to_owned() } else { checks.join(", ") };
                let source = words::check_source(*check_source);
                (format!("base {}{branch} · checks {source}: {checks}", base.short()), false)
            }
            JobEvent::TurnEnded { result, usage, .. } => {
                self.completed = fine(result);
                let used = words::usage(usage);
                let ended = words::outcome(result);
                let text = [used, ended.clone().unwrap_or_default()];
                (
                    text.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · "),
                    !fine(result),
                )
            }
            JobEvent::Collected { tip: Some(tip), diff } => {
                (format!("{} at {}", words::diff(diff), tip.short()), false)
            }
            JobEvent::Collected { tip: None, .. } => ("nothing was changed".to_owned(), self.completed),
            JobEvent::DocumentTaken { document } => (words::document(document), false),
            JobEvent::Judged { standing, .. } => {
                self.standings.push(*standing);
                (String::new(), !matches!(standing, Standing::Passed | Standing::FailedBefore))
            }
            JobEvent::BranchPushed { branch, .. } => (format!("branch {branch}"), false),
            JobEvent::PullRequestOpened { pull_request, adopted } => {
                let how = if *adopted { " (it was there already)" } else { "" };
                (format!("pull request {}{how}", one_line(&pull_request.url, 200)), false)
            }
            JobEvent::Queued { .. }
            | JobEvent::Claimed { .. }
            | JobEvent::Configured { .. }
            | JobEvent::StageStarted { .. }
            | JobEvent::StageFinished { .. }
            | JobEvent::Noticed { .. }
            | JobEvent::TurnAnnounced { .. }
            | JobEvent::TurnStarted { .. }
            | JobEvent::TurnInterrupted { .. }
            | JobEvent::Inspected { .. }
            | JobEvent::Approved { .. }
            | JobEvent::Rejected { .. }
            | JobEvent::Checked { .. }
            | JobEvent::AttemptFailed { .. }
            | JobEvent::TakenOver { .. }
            | JobEvent::BranchTaken { .. }
            | JobEvent::AgentReported { .. }
            | JobEvent::AgentNoted { .. }
            | JobEvent::CancelAsked { .. }
            | JobEvent::CascadeBegan { .. }
            | JobEvent::Cascaded { .. }
            | JobEvent::CascadeStopped { .. }
            | JobEvent::Parked { .. }
            | JobEvent::Woken { .. }
            | JobEvent::WorkerLost { .. }
            | JobEvent::Moved
            | JobEvent::QuestionAsked { .. }
            | JobEvent::QuestionAnswered { .. }
            | JobEvent::QuestionCancelled { .. }
            | JobEvent::QuestionExpired { .. }
            | JobEvent::MessageSent { .. }
            | JobEvent::MessageDelivered { .. }
            | JobEvent::MessageAcknowledged { .. }
            | JobEvent::PullRequestNews { .. }
            | JobEvent::Ended { .. } => return,
        };
        if let Some(open) = &mut self.open {
            open.fact(fact);
            open.bad |= bad;
        }
    }

    fn finished(&mut self, stage: Stage, elapsed: Duration, now: Duration) -> Vec<String> {
        match &mut self.open {
            Some(open) if open.stage == stage => {
                open.elapsed = Some(elapsed);
                Vec::new()
            }
            Some(_) | None => {
                // Its start was not seen: the watcher came later.
                let lines = self.close(now);
                self.open = Some(OpenStage { elapsed: Some(elapsed), ..OpenStage::new(stage, now) });
                lines
            }
        }
    }

    fn close(&mut self, now: Duration) -> Vec<String> {
        let Some(mut open) = self.open.take() else { return Vec::new() };
        if !self.standings.is_empty() {
            open.fact(tally(&self.standings));
        }
        vec![open.line(now)]
    }

    fn with_close(&mut self, now: Duration, after: String) -> Vec<String> {
        let mut lines = self.close(now);
        lines.push(after);
        lines
    }

    /// Closes the stage as failed; `after` only when there is another try.
    fn bad(&mut self, now: Duration, after: String, shown: bool) -> Vec<String> {
        if let Some(open) = &mut self.open {
            open.bad = true;
        }
        let mut lines = self.close(now);
        if shown {
            lines.push(after);
        }
        lines
    }
}

fn report(code: &str, summary: &str) -> Vec<String> {
    said("report", format!("the agent says {code}: {summary}").trim_end_matches([':', ' ']))
}

fn cascaded(step: &CascadeStep, result: &CascadeResult) -> String {
    let mark = match result.outcome {
        CascadeOutcome::Done | CascadeOutcome::AlreadySo => Mark::Fact,
        CascadeOutcome::Left => Mark::Note,
        CascadeOutcome::Failed | CascadeOutcome::GivenUp => Mark::Bad,
    };
    line(mark, "cascade", None, &words::cascade_step(step, result))
}

/// What was said by an agent or to it.
fn found(findings: &[Finding]) -> Vec<String> {
    let told = |finding| line(words::gravity(finding), "found", None, &words::finding(finding));
    findings.iter().take(FINDINGS).map(told).collect()
}

fn taken_over(agent: &str, model: Option<&str>) -> String {
    let model = model.map(|model| format!(" ({})", one_line(model, 60))).unwrap_or_default();
    line(Mark::Again, "backup", None, &format!("{agent}{model} takes over on its commits"))
}

fn said(what: &str, text: &str) -> Vec<String> {
    vec![line(Mark::Note, what, None, &one_line(text, 200))]
}

fn fine(outcome: &TurnOutcome) -> bool {
    matches!(outcome, TurnOutcome::Completed)
}

fn side(on_base: bool) -> &'static str {
    if on_base { " on the base" } else { "" }
}

/// `2 passed, 1 broken by the change`.
fn tally(standings: &[Standing]) -> String {
    let all = [
        Standing::Passed,
        Standing::Broken,
        Standing::FailedBefore,
        Standing::FailedBaseUnknown,
        Standing::CouldNotRun,
    ];
    let count = |standing: &Standing| standings.iter().filter(|one| *one == standing).count();
    let some = all.iter().filter(|standing| count(standing) > 0);
    some.map(|standing| format!("{} {}", count(standing), words::standing(*standing)))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
