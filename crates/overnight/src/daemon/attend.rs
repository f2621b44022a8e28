//! Attends to a worker that works: passes on what it tells, obeys signals, and keeps the service manager informed.

use overnight_core::worker::WorkerReport;
use overnight_engine::Pulse;
use overnight_engine::dispatch::{DispatchError, Finished, Orders, Told};
use overnight_proc::monotonic_clock;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::listen::Serving;
use super::notify::{Notifier, watchdog};
use super::reload::Reloader;
use super::signals::{Asked, Signals};
use super::tell::{Teller, WorkerEvent, standing};
use super::watchdog::Watchdog;
use crate::app::{App, store_error};
use crate::error::AppError;

pub(super) type Dispatching = JoinHandle<Result<Finished, DispatchError>>;

pub(super) struct Attendant {
    pub(super) teller: Teller,
    pub(super) notifier: Notifier,
    pub(super) orders: Orders,
    pub(super) reloader: Reloader,
    pub(super) reports: watch::Receiver<Option<WorkerReport>>,
    pub(super) pulse: watch::Receiver<Pulse>,
    /// What is told when the work has begun.
    pub(super) started: Option<WorkerEvent>,
    /// When a drain has taken long enough.
    pub(super) deadline: Option<Instant>,
    /// Somebody asked to stop.
    pub(super) asked: bool,
}

impl Attendant {
    /// Stays until the work is over.
    ///
    /// # Errors
    /// When the worker could not begin, or its address was lost.
    pub(super) async fn attend(
        mut self,
        app: &App,
        mut signals: Signals,
        mut hearing: mpsc::UnboundedReceiver<Told>,
        mut dispatching: Dispatching,
        mut serving: Option<Serving>,
    ) -> Result<Finished, AppError> {
        let mut watchdog = self.watchdog(app);
        let mut unserved = None;
        let finished = loop {
            let deadline = self.deadline;
            tokio::select! {
                finished = &mut dispatching => break finished,
                Some(told) = hearing.recv() => self.heard(&told),
                asked = signals.next() => self.obey(asked, app),
                Ok(()) = self.reports.changed() => self.stands(),
                _ = watchdog.look() => watchdog.feed(&self.notifier),
                why = lost(&mut serving) => {
                    serving = None;
                    unserved = Some(why);
                    self.orders.drain.cancel();
                }
                () = late(deadline) => self.too_late(),
            }
        };
        self.notifier.stopping();
        while let Ok(told) = hearing.try_recv() {
            self.heard(&told);
        }
        if let Some(serving) = serving {
            serving.end().await;
        }
        let finished = match finished {
            Ok(finished) => finished.map_err(|DispatchError::Store(error)| store_error(&error))?,
            Err(error) => return Err(AppError::unexpected("the worker broke off").because(&error)),
        };
        unserved.map_or(Ok(finished), Err)
    }

    fn watchdog(&self, app: &App) -> Watchdog {
        let every = watchdog(&app.env, std::process::id());
        let heartbeat = app.config().worker.heartbeat;
        if let Some(every) = every.filter(|every| *every < heartbeat * 2) {
            self.teller.warn(&format!(
                "the service manager wants a sign of life every {every:?}, and the heart beats every {heartbeat:?}: \
                 set WatchdogSec to at least three times worker.heartbeat"
            ));
        }
        Watchdog::new(every, self.pulse.clone())
    }

    fn heard(&mut self, told: &Told) {
        if let Told::Started { slots } = told
            && let Some(mut started) = self.started.take()
        {
            started.with_slots(*slots);
            self.teller.tell(&started);
            self.notifier.ready();
        }
        if let Told::CalledBack = told {
            self.deadline = None;
        }
        if let Told::Draining { .. } = told {
            let patience = self.reloader.config().worker.drain_timeout;
            self.deadline = patience.map(|patience| Instant::now() + patience);
        }
        for event in WorkerEvent::of(told) {
            self.teller.tell(&event);
        }
    }

    fn obey(&mut self, asked: Asked, app: &App) {
        match asked {
            Asked::Stop(signal) if std::mem::replace(&mut self.asked, true) => {
                self.teller.say(&format!("{signal} again: jobs are let go of where they are"));
                self.orders.force.cancel();
            }
            Asked::Stop(signal) => {
                self.notifier.stopping();
                let how =
                    "takes no more jobs and ends when the running ones have; a second signal lets go of them";
                self.teller.say(&format!("{signal}: {how}"));
                self.orders.drain.cancel();
            }
            Asked::Reload => self.reload(app),
        }
    }

    fn reload(&mut self, app: &App) {
        self.notifier.reloading(monotonic_clock());
        match app.host().and_then(|host| self.reloader.reload(&host)) {
            Ok(changes) => self.teller.tell(&WorkerEvent::Reloaded {
                at_once: changes.at_once,
                at_next_start: changes.at_next_start,
            }),
            Err(error) => {
                self.teller.tell(&WorkerEvent::ReloadFailed { why: error.render() });
            }
        }
        self.notifier.ready();
    }

    fn stands(&mut self) {
        if let Some(report) = self.reports.borrow_and_update().as_ref() {
            self.notifier.status(&standing(report));
        }
    }

    fn too_late(&mut self) {
        self.deadline = None;
        self.teller.say("the running jobs take longer than worker.drain_timeout allows: they are let go of");
        self.orders.force.cancel();
    }
}

async fn lost(serving: &mut Option<Serving>) -> AppError {
    match serving {
        Some(serving) => serving.lost().await,
        None => std::future::pending().await,
    }
}

async fn late(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
