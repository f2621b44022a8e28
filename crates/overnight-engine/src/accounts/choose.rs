//! Which login the next turn uses. A conversation stays with its login, because only there it is known; where that one may not be asked
//! and another may, a fresh conversation begins there.

use std::ffi::OsStr;

use overnight_agents::environment::Environment;
use overnight_core::agent::{Account, AccountId, AgentSettings, BackendId, TurnOutcome};
use overnight_core::job::{Asking, Label, ParkReason};
use overnight_core::policy::circuit::{Admission, Circuit};
use overnight_core::units::Timestamp;

use super::report::{Ear, Reporter};
use super::{Accounts, Busy, probe};
use crate::host::Host;
use crate::seat::Seat;
use crate::trouble::StageError;

/// What came of choosing.
pub(crate) enum Chosen {
    Go(Box<Go>),
    NotAsked { reason: ParkReason, detail: String, since: Timestamp, until: Option<Timestamp> },
}

/// A login that may be used now.
pub(crate) struct Go {
    pub(crate) account: Account,
    pub(crate) reporter: Reporter,
    pub(crate) began: Timestamp,
    /// It is the one that tries whether there is an answer.
    pub(crate) canary: bool,
    _busy: Busy,
}

impl Go {
    /// The settings of a turn with this login.
    pub(crate) fn settings(&self, mut settings: AgentSettings) -> AgentSettings {
        settings.billing = self.account.billing.unwrap_or(settings.billing);
        settings
    }

    /// The runner's environment, with what belongs to this login in place of the usual.
    pub(crate) fn environment(&self, host: &Host) -> Environment {
        let mut env = host.env.clone();
        let backend = self.account.id.backend;
        if let (Some(dir), Some(place)) = (&self.account.login_dir, overnight_agents::login_places(backend)) {
            env.insert(place.variable.into(), dir.into());
        }
        let key = self.account.key_env.as_ref().and_then(|name| host.env.get(OsStr::new(name)).cloned());
        if let Some(key) = key {
            env.extend(overnight_agents::key_variable(backend).map(|name| (name.into(), key)));
        }
        env
    }

    /// Takes signs from the turn while it runs.
    pub(crate) fn ear(&self) -> Option<Ear> {
        Accounts::are_kept(self.account.id.backend).then(|| self.reporter.listen(self.began))
    }

    /// The turn is over: what it showed is told, and whoever waits for a canary need not any more.
    pub(crate) async fn over(&self, seat: &Seat<'_>, outcome: Option<&TurnOutcome>) {
        if !Accounts::are_kept(self.account.id.backend) {
            return;
        }
        match outcome {
            Some(TurnOutcome::LoginExpired { .. }) => seat.engine.accounts().refused(&self.account.id),
            Some(TurnOutcome::Completed) => seat.engine.accounts().works(&self.account.id),
            Some(_) | None => {}
        }
        if let Some(sign) = outcome.and_then(|outcome| Reporter::of_outcome(outcome, self.began)) {
            self.reporter.tell(sign).await;
        }
        if self.canary {
            self.reporter.canary_back(&seat.job.id).await;
        }
    }

    /// The account's name, where there are several to tell apart.
    pub(crate) fn name(&self) -> Option<Label> {
        let id = &self.account.id;
        (*id != AccountId::only(id.backend)).then(|| id.name.clone())
    }
}

/// Chooses the login of the next turn. `sticky`: the one that the conversation belongs to.
pub(crate) async fn choose(
    seat: &Seat<'_>,
    backend: BackendId,
    sticky: Option<&Label>,
) -> Result<Chosen, StageError> {
    let accounts = seat.engine.accounts();
    let candidates = in_order(accounts, backend, sticky);
    for account in &candidates {
        probe::look(seat, account).await;
    }
    let circuits = seat.until(|| seat.engine.store().circuits()).await?;
    let now = seat.until(|| seat.engine.store().now()).await?;
    let mut waits: Option<(Timestamp, Chosen)> = None;
    for account in candidates {
        let circuit = of(&circuits, &account.id);
        match circuit.admission(now, accounts.spread, accounts.policy()) {
            Admission::Open => return Ok(go(seat, account, now, false)),
            Admission::Canary => {
                if tries(seat, &account.id, seat.insist).await? {
                    return Ok(go(seat, account, now, true));
                }
            }
            Admission::Wait { .. } if seat.insist && tries(seat, &account.id, true).await? => {
                return Ok(go(seat, account, now, true));
            }
            Admission::Wait { .. } => {}
        }
        let (until, wait) = not_asked(seat, &account.id, &circuit, now);
        if waits.as_ref().is_none_or(|(earliest, _)| until < *earliest) {
            waits = Some((until, wait));
        }
    }
    match waits {
        Some((_, wait)) => Ok(wait),
        None => Err(crate::trouble::bug("a vendor without a login")),
    }
}

/// The conversation's own first, then those that are known to work, then the least busy.
fn in_order(accounts: &Accounts, backend: BackendId, sticky: Option<&Label>) -> Vec<Account> {
    let mut candidates = accounts.of(backend);
    let busy = accounts.local().busy.clone();
    candidates.sort_by_key(|account| {
        let is_sticky = sticky.is_some_and(|name| *name == account.id.name);
        let turns = busy.get(&account.id).copied().unwrap_or(0);
        (accounts.rests(&account.id), !is_sticky, turns)
    });
    candidates
}

fn of(circuits: &[(AccountId, Circuit)], id: &AccountId) -> Circuit {
    circuits.iter().find(|(known, _)| known == id).map(|(_, circuit)| circuit.clone()).unwrap_or_default()
}

fn go(seat: &Seat<'_>, account: Account, now: Timestamp, canary: bool) -> Chosen {
    let busy = seat.engine.accounts().busy(&account.id);
    let reporter = Reporter::new(seat.engine, &account);
    Chosen::Go(Box::new(Go { account, reporter, began: now, canary, _busy: busy }))
}

/// Enters this job as the one that tries, unless another was faster or it is not the time.
async fn tries(seat: &Seat<'_>, id: &AccountId, insist: bool) -> Result<bool, StageError> {
    let (job, worker) = (&seat.job.id, &seat.engine.claimant().worker);
    let policy = seat.engine.accounts().policy();
    let try_now = |circuit: &Circuit, now: Timestamp| circuit.try_now(job, worker, insist, now, policy);
    let (circuit, changed) = seat.until(|| seat.engine.store().circuit_change(id, try_now)).await?;
    // It may have closed in between.
    Ok(changed || circuit.open().is_none())
}

fn not_asked(seat: &Seat<'_>, id: &AccountId, circuit: &Circuit, now: Timestamp) -> (Timestamp, Chosen) {
    let admission = circuit.admission(now, seat.engine.accounts().spread, seat.engine.accounts().policy());
    let (cause, until, said) = match (admission, circuit.open()) {
        (Admission::Wait { cause, until, detail }, _) => (cause.park_reason(), until, detail),
        (Admission::Open | Admission::Canary, Some(open)) => {
            // Somebody else's canary is under way.
            let until = now.plus(seat.engine.accounts().policy().backoff_start);
            (open.cause.park_reason(), until, open.detail.clone())
        }
        (Admission::Open | Admission::Canary, None) => (ParkReason::Overloaded, now, String::new()),
    };
    let since = circuit.open().map_or(now, |open| open.since);
    let detail = format!("{id} is not asked for now: {said}");
    (until, Chosen::NotAsked { reason: cause, detail, since, until: Some(until) })
}

/// What is known, after a turn that was refused, of when its vendor is asked again.
pub(crate) async fn standing(
    seat: &Seat<'_>,
    backend: BackendId,
    used: Option<&Label>,
    outcome: &TurnOutcome,
) -> Result<Asking, StageError> {
    let refused = matches!(
        outcome,
        TurnOutcome::RateLimited { .. } | TurnOutcome::Overloaded { .. } | TurnOutcome::LoginExpired { .. }
    );
    if !refused || !Accounts::are_kept(backend) {
        return Ok(Asking::AsItSaid);
    }
    let accounts = seat.engine.accounts();
    let circuits = seat.until(|| seat.engine.store().circuits()).await?;
    let now = seat.until(|| seat.engine.store().now()).await?;
    let is_used = |account: &Account| {
        used.map_or_else(|| account.id == AccountId::only(backend), |name| account.id.name == *name)
    };
    let (own, others): (Vec<Account>, Vec<Account>) = accounts.of(backend).into_iter().partition(is_used);
    let free = |account: &Account| {
        let admission = of(&circuits, &account.id).admission(now, accounts.spread, accounts.policy());
        admission == Admission::Open && !accounts.rests(&account.id)
    };
    if others.iter().any(free) {
        return Ok(Asking::Elsewhere);
    }
    let open = own.iter().find_map(|account| of(&circuits, &account.id).open().cloned());
    Ok(match (outcome, open) {
        (TurnOutcome::LoginExpired { .. }, _) | (_, None) => Asking::AsItSaid,
        (_, Some(open)) => Asking::From(open.until),
    })
}
