//! Watches one running turn: feeds its lines to the backend's driver, tells the watcher, and stops the turn in the middle
//! when a limit of the job is used up.

use std::time::Duration;

use overnight_agents::Driver;
use overnight_core::agent::{AgentEvent, LimitKind, TurnOutcome, TurnReport, TurnRequest, Usage};
use overnight_core::command::{ExitReport, StopReason};
use overnight_core::job::{JobLimits, JobSpec, Trail};
use overnight_core::policy::budget;
use overnight_proc::{Line, LineHandler, Redact, Reply};

use crate::accounts::{Ear, Renewal};
use crate::clean;
use crate::progress::{Progress, Watcher};

/// A CLI that has given its result and does not leave is ended after this long: long enough to write its session.
const LEAVE: Duration = Duration::from_secs(30);

pub(crate) struct TurnWatch<'a> {
    driver: Driver,
    watcher: &'a Watcher,
    redact: &'a dyn Redact,
    limits: &'a JobLimits,
    used_before: Usage,
    hit: Option<LimitKind>,
    finished: bool,
    /// Tells other workers what the vendor shows of its account.
    ear: Option<Ear>,
    /// The login may be being renewed until the vendor has answered.
    renewal: Option<Renewal>,
}

impl<'a> TurnWatch<'a> {
    pub(crate) fn new(
        request: &TurnRequest,
        trail: &Trail,
        spec: &'a JobSpec,
        watcher: &'a Watcher,
        redact: &'a dyn Redact,
    ) -> Self {
        Self {
            driver: overnight_agents::driver(request),
            watcher,
            redact,
            limits: &spec.limits,
            used_before: trail.used,
            hit: None,
            finished: false,
            ear: None,
            renewal: None,
        }
    }

    /// Listens for what the vendor shows of the account that pays.
    pub(crate) fn listening(mut self, ear: Option<Ear>, renewal: Option<Renewal>) -> Self {
        (self.ear, self.renewal) = (ear, renewal);
        self
    }

    fn see(&mut self, event: AgentEvent) {
        if self.ear.as_mut().is_some_and(|ear| ear.hear(&event)) {
            self.renewal = None;
        }
        if let AgentEvent::UsageSoFar { usage } = &event {
            let used = self.used_before.plus(usage);
            self.watcher.tell(Progress::Used(used));
            // Time is kept by the process layer, which needs no output to notice that it has passed.
            self.hit = self.hit.or(budget::exceeded(&beyond(self.limits), &used, Duration::ZERO));
        }
        self.watcher.tell(Progress::Agent(clean::event(event, self.redact)));
    }

    /// What the turn came to. A limit that we enforced outweighs what the dying CLI said of it.
    pub(crate) fn finish(self, exit: &ExitReport) -> TurnReport {
        let mut report = self.driver.finish(exit);
        let limit = match (exit.stopped, self.hit) {
            (Some(StopReason::WallTimeout), _) => Some(LimitKind::Time),
            (Some(StopReason::Driver), Some(hit)) => Some(hit),
            (Some(StopReason::Driver | StopReason::SilenceTimeout | StopReason::Asked) | None, _) => None,
        };
        if let Some(limit) = limit.filter(|_| !self.finished) {
            report.outcome = TurnOutcome::BudgetStop { limit };
        }
        clean::report(report, self.redact)
    }
}

/// The turn that uses up the last of its turns may still bring its work to an end; one more is too many.
fn beyond(limits: &JobLimits) -> JobLimits {
    JobLimits { turns: limits.turns.map(|turns| turns.saturating_add(1)), ..limits.clone() }
}

impl LineHandler for TurnWatch<'_> {
    fn on_line(&mut self, line: Line<'_>) -> Reply {
        let output = self.driver.on_line(line.stream, line.bytes);
        for event in output.events {
            self.see(event);
        }
        self.finished |= output.finished;
        Reply {
            stdin: output.stdin,
            close_stdin: output.close_stdin,
            finish_within: output.finished.then_some(LEAVE),
            stop: self.hit.is_some() && !self.finished,
        }
    }
}
