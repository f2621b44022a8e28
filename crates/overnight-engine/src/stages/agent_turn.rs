//! Watches one running turn: feeds its lines to the backend's driver, tells the watcher, and stops the turn in the middle
//! when a limit of the job is used up.

use std::time::Duration;

use overnight_agents::Driver;
use overnight_core::agent::{AgentEvent, LimitKind, TurnOutcome, TurnReport, TurnRequest, Usage};
use overnight_core::command::{ExitReport, StopReason};
use overnight_core::job::Trail;
use overnight_proc::{Line, LineHandler, Redact, Reply};

use crate::accounts::{Ear, Renewal};
use crate::clean;
use crate::progress::{Progress, Watcher};
use crate::purse::Meter;

pub(crate) struct TurnWatch<'a> {
    driver: Driver,
    watcher: &'a Watcher,
    redact: &'a dyn Redact,
    meter: Meter,
    leave: Duration,
    used_before: Usage,
    over: bool,
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
        meter: &Meter,
        watcher: &'a Watcher,
        redact: &'a dyn Redact,
    ) -> Self {
        Self {
            driver: overnight_agents::driver(request),
            watcher,
            redact,
            meter: meter.clone(),
            leave: request.settings.leave,
            used_before: trail.used,
            over: false,
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
            self.watcher.tell(Progress::Used(self.used_before.plus(usage)));
            self.over |= self.meter.saw(*usage);
        }
        if let AgentEvent::SessionStarted { model: Some(model), .. } = &event {
            self.meter.named(model);
        }
        self.watcher.tell(Progress::Agent(clean::event(event, self.redact)));
    }

    /// What the turn came to. A limit that we enforced outweighs what the dying CLI said of it.
    pub(crate) fn finish(self, exit: &ExitReport) -> TurnReport {
        let mut report = self.driver.finish(exit);
        let breach = match exit.stopped {
            Some(StopReason::WallTimeout) => self.meter.tightest(LimitKind::Time),
            Some(StopReason::Driver | StopReason::Asked) => self.meter.breach(),
            Some(StopReason::SilenceTimeout { .. }) | None => None,
        };
        if let Some(breach) = breach.filter(|_| !self.finished) {
            report.outcome = TurnOutcome::BudgetStop { limit: breach.kind, breach: Some(breach) };
        }
        if let TurnOutcome::BudgetStop { limit, breach: breach @ None } = &mut report.outcome {
            *breach = self.meter.tightest(*limit);
        }
        clean::report(report, self.redact)
    }
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
            finish_within: output.finished.then_some(self.leave),
            stop: self.over && !self.finished,
        }
    }
}
