//! The limits of a session: looked at before it begins, kept while it runs, and told to the ledger.
//!
//! What the session itself uses counts with each record that its CLI streams. What others use is read every
//! [`spend_report`](crate::EngineSettings::spend_report), which is also how often this session's use is told to them. A database
//! that cannot be reached changes nothing about the session's own use; others' then counts as it was last heard of.

mod meter;

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use overnight_core::job::{JobSpec, Notice, Trail, Trouble};
use overnight_core::policy::budget::{self, Bound, Breach, Budgets, Scope, Totals};
use overnight_core::units::Timestamp;
use overnight_store::{SpendQuery, SpendSoFar, StoreError};
use tokio::time::{MissedTickBehavior, interval_at, timeout};
use tokio_util::sync::CancellationToken;

use crate::desk::Desk;
use crate::error::WorkError;
use crate::seat::Seat;
use crate::trouble::{self, StageError};
use meter::Known;
pub(crate) use meter::Meter;

/// Longest wait for the ledger: it is asked again soon.
const ANSWER: Duration = Duration::from_secs(5);
/// A session that uses nothing, but whose time counts, is told of this often.
const AT_LEAST: Duration = Duration::from_secs(30);

/// The limits of one session.
pub(crate) struct Purse {
    meter: Meter,
    trail: Trail,
    turn: u32,
    query: SpendQuery,
    /// Warnings that this session has asked for.
    warned: BTreeSet<String>,
    written: Option<(Known, Instant)>,
    /// When it was opened, by the database's clock.
    opened: Timestamp,
}

/// Whether a session of this job could begin now. Says so before anything is prepared for it.
///
/// # Errors
/// What follows from the limit that does not let it.
pub(crate) async fn check(seat: &Seat<'_>) -> Result<(), StageError> {
    let trail = seat.state().trail().cloned().unwrap_or_default();
    Purse::open(seat, &trail).await.map(drop)
}

impl Purse {
    /// The limits of the next session of this job, all of which still leave something.
    ///
    /// # Errors
    /// What follows from the one that does not.
    pub(crate) async fn open(seat: &Seat<'_>, trail: &Trail) -> Result<Self, StageError> {
        kept(seat)?;
        let turn = trail.turns.saturating_add(1);
        let query = query(seat, trail, turn);
        let totals = seat.until(|| seat.engine.store().spend_totals(&query)).await?;
        let bounds = bounds(seat, trail, &totals);
        if let Some(breach) = budget::before(&bounds) {
            return Err(stage_error(seat, &breach).await?);
        }
        let (trail, warned, opened) = (trail.clone(), BTreeSet::new(), seat.job.updated_at);
        let kept_by_cli = overnight_agents::keeps_cost_itself(seat.job.agent().backend);
        let meter = Meter::new(bounds, kept_by_cli);
        Ok(Self { meter, trail, turn, query, warned, written: None, opened })
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Carries out a session, tells the ledger of it, and cancels `stop` when a limit does not hold any more. What the agent
    /// asks meanwhile is answered at its desk.
    pub(crate) async fn watch<T>(
        &mut self,
        seat: &mut Seat<'_>,
        session: impl Future<Output = T>,
        (stop, desk): (&CancellationToken, &mut Desk),
    ) -> Result<T, WorkError> {
        self.meter.begin();
        let every = seat.engine.settings().spend_report;
        let mut session = pin!(session);
        let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let done = loop {
            let call = tokio::select! {
                done = &mut session => break done,
                _ = ticks.tick() => None,
                call = desk.next() => Some(call),
            };
            // Both go on: a slow database must keep nobody from reading what the agent writes.
            let mut written = pin!(async {
                match call {
                    Some(call) => desk.answer(seat, call).await,
                    None => self.report(seat, stop).await,
                }
            });
            tokio::select! {
                done = &mut session => {
                    written.await?;
                    break done;
                }
                written = &mut written => written?,
            }
        };
        self.warn(seat).await?;
        Ok(done)
    }

    /// Writes what the record of the job's end would not: which model it was, and what a session used that was stopped.
    pub(crate) async fn settle(&mut self, seat: &Seat<'_>, stopped: bool) {
        let known = self.meter.known();
        let renamed = known.model.is_some() && known.model != seat.job.agent().model;
        if stopped || renamed {
            self.tell(seat, known).await;
        }
    }

    async fn report(&mut self, seat: &mut Seat<'_>, stop: &CancellationToken) -> Result<(), WorkError> {
        let known = self.meter.known();
        let news = self.written.as_ref().is_none_or(|(before, at)| {
            (&before.usage, &before.model) != (&known.usage, &known.model) || at.elapsed() >= AT_LEAST
        });
        if news {
            self.tell(seat, known).await;
        }
        let over = if self.query.scopes.is_empty() {
            self.meter.look()
        } else {
            match answered(seat.engine.store().spend_totals(&self.query)).await {
                Some(totals) => self.meter.bound(bounds(seat, &self.trail, &totals)),
                None => self.meter.look(),
            }
        };
        if over {
            stop.cancel();
        }
        self.warn(seat).await
    }

    async fn tell(&mut self, seat: &Seat<'_>, known: Known) {
        let Known { usage, model, wall_ms } = known.clone();
        let so_far = SpendSoFar { turn: self.turn, usage, model, wall_ms };
        if answered(seat.engine.store().spend_so_far(seat.lease(), &so_far)).await.is_some() {
            self.written = Some((known, Instant::now()));
        }
    }

    async fn warn(&mut self, seat: &mut Seat<'_>) -> Result<(), WorkError> {
        for near in self.meter.nearly_used_up() {
            let name = self.name_of(&near);
            if !self.warned.insert(name.clone()) {
                continue;
            }
            if answered(seat.engine.store().budget_warn_once(&name)).await == Some(true) {
                seat.notice(Notice::BudgetWarning(budget::warning(&near))).await?;
            }
        }
        Ok(())
    }

    /// The name under which a warning comes once: that of the limit, and of what it is about.
    fn name_of(&self, near: &Breach) -> String {
        let (job, task) = match &self.query.session {
            Some((job, task, ..)) => (job.as_str(), task.as_str()),
            None => ("", ""),
        };
        let repository = self.query.repository.as_ref().map_or("", |repository| repository.as_str());
        let day = budget::day_of(self.opened);
        let about = match near.scope {
            Scope::Attempt => format!("{job}/{}", self.trail.attempt),
            Scope::Job => job.to_owned(),
            Scope::Task => task.to_owned(),
            Scope::RepositoryDay => format!("{repository}/{day}"),
            Scope::Day => day.to_string(),
            // Its beginning is not known here; a warning a day is enough.
            Scope::Velocity => format!("{repository}/{day}"),
        };
        format!("{}/{about}/{}/{}", near.scope.code(), near.kind.code(), near.limit)
    }
}

fn query(seat: &Seat<'_>, trail: &Trail, turn: u32) -> SpendQuery {
    let job = &seat.job;
    let task = job.spec.budget.first.as_ref().unwrap_or(&job.id);
    SpendQuery {
        session: Some((job.id.clone(), task.clone(), turn, trail.attempt)),
        repository: Some(job.repository.clone()),
        scopes: scopes(&job.spec, &seat.engine.settings().budgets),
    }
}

/// The scopes that the ledger has to be asked about.
fn scopes(order: &JobSpec, budgets: &Budgets) -> Vec<Scope> {
    let limited = |scope: &Scope| match scope {
        Scope::Attempt => !order.budget.attempt.is_empty(),
        Scope::Job => order.budget.sessions.is_some(),
        Scope::Task => !order.budget.task.is_empty(),
        Scope::RepositoryDay | Scope::Day | Scope::Velocity => {
            budgets.of(*scope).is_some_and(|amounts| !amounts.is_empty())
        }
    };
    Scope::ALL.into_iter().filter(limited).collect()
}

fn bounds(seat: &Seat<'_>, trail: &Trail, totals: &Totals) -> Vec<Bound> {
    budget::bounds(&seat.job.spec, trail, &seat.engine.settings().budgets, totals)
}

/// Limits that cannot be kept with this agent: the order was made where they did not hold.
fn kept(seat: &Seat<'_>) -> Result<(), StageError> {
    let agent = seat.job.agent();
    let (can, at_end) =
        (overnight_agents::capabilities_of(agent), overnight_agents::capabilities_at_end(agent));
    let not_kept = budget::not_kept(&seat.job.spec, &seat.engine.settings().budgets, can, at_end);
    if not_kept.is_empty() {
        return Ok(());
    }
    Err(trouble::config(budget::cannot_be_kept(agent.name(), &not_kept)))
}

async fn stage_error(seat: &Seat<'_>, breach: &Breach) -> Result<StageError, StageError> {
    let now = seat.until(|| seat.engine.store().now()).await?;
    let trouble: Trouble = budget::consequence(breach, now, &seat.job.key);
    Ok(StageError::Trouble { trouble, detail: budget::explain(breach) })
}

/// `None`: not now.
async fn answered<T>(asking: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
    match timeout(ANSWER, asking).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(error = %trouble::chain(&error), "the ledger could not be asked; it is asked again soon");
            None
        }
        Err(_) => {
            tracing::warn!("the ledger did not answer in time; it is asked again soon");
            None
        }
    }
}
