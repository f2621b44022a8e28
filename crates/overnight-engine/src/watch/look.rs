//! One look: what the store and the forge know of a pull request, put together for the decision.

use std::collections::HashMap;

use overnight_core::backlog::PullState;
use overnight_core::git::CommitId;
use overnight_core::job::{Job, JobState, Publication, line};
use overnight_core::watch::{
    Closer, Failing, Fate, Heard, LineStanding, ReadTo, SeenChecks, Sight, WatchPolicy, decide, wants_all,
};
use overnight_forge::{
    Checks, Cursor, Mergeability, Opinion, PullRequest, PullRequestState, Remark, Standing,
};
use overnight_store::{StoreError, Watched};

use super::connections::Connection;
use super::{LookError, act, now};
use crate::engine::Engine;
use crate::sprint;

/// A pull request, and everything that is needed to do something about it.
pub(super) struct Scene<'a> {
    pub(super) engine: &'a Engine,
    pub(super) policy: &'a WatchPolicy,
    pub(super) watched: &'a Watched,
    /// The job that published last.
    pub(super) job: Job,
    pub(super) connection: std::sync::Arc<Connection>,
    pub(super) sight: Sight,
}

pub(super) async fn look(engine: &Engine, policy: &WatchPolicy, watched: &Watched) -> Result<(), LookError> {
    let job = match engine.store().job(&watched.job).await {
        Err(StoreError::UnknownJob { .. }) => {
            let why = "the record of its job is gone; it is not looked after any more";
            return Err(LookError::Other(why.to_owned()));
        }
        found => found?,
    };
    let Publication::PullRequest { remote, .. } = &job.spec.publication else {
        return Err(LookError::Other("its job was not for a forge".to_owned()));
    };
    let connection = engine.connections().of(engine, remote).await?;
    let pull = connection.forge.pull_request(watched.number).await?;
    let state = state(&pull);
    let fate = fate(engine, watched).await?;
    let line = line_of(engine, &job).await?;
    let more =
        if wants_all(state, &fate, line) { Some(closer(&connection, watched, &pull).await?) } else { None };
    let sight = Sight {
        state,
        draft: pull.draft,
        ours: job.state.end().and_then(|end| end.published.as_ref()).map(|work| work.commit.clone()),
        head: pull.tip,
        target: pull.base,
        fate,
        line,
        draft_line: job.spec.line.as_ref().is_some_and(|line| line.draft),
        more,
        now: now(engine).await?,
    };
    let decision = decide(policy, &watched.memory, &sight);
    Box::pin(act::act(Scene { engine, policy, watched, job, connection, sight }, decision)).await
}

fn state(pull: &PullRequest) -> PullState {
    match pull.state {
        PullRequestState::Open => PullState::Open,
        PullRequestState::Merged => PullState::Merged,
        PullRequestState::Closed => PullState::Closed,
    }
}

async fn fate(engine: &Engine, watched: &Watched) -> Result<Fate, StoreError> {
    let Some(running) = &watched.memory.running else { return Ok(Fate::None) };
    let job = match engine.store().job(&running.job).await {
        Err(StoreError::UnknownJob { .. }) => return Ok(Fate::None),
        found => found?,
    };
    let JobState::Ended { end, .. } = &job.state else { return Ok(Fate::Going) };
    Ok(if end.published.is_some() {
        Fate::Published
    } else {
        Fate::Failed { why: format!("{} ({})", end.reason.code(), end.detail) }
    })
}

async fn line_of(engine: &Engine, job: &Job) -> Result<LineStanding, StoreError> {
    let Some(place) = &job.spec.line else { return Ok(LineStanding::Alone) };
    let jobs = engine.store().jobs_of_line(&job.repository_name, place).await?;
    let standing = line::standing(&jobs);
    // A sprint is not through because its jobs are: others may stand in it by now.
    let whole = standing == LineStanding::Complete && place.draft;
    if whole && sprint::open_task(engine.store(), job, place).await?.is_some() {
        return Ok(LineStanding::Halted);
    }
    Ok(standing)
}

async fn closer(connection: &Connection, watched: &Watched, pull: &PullRequest) -> Result<Closer, LookError> {
    let forge = &connection.forge;
    let checks = match &pull.tip {
        Some(tip) => checks(forge.checks(tip).await?),
        None => SeenChecks::None,
    };
    let conflict = forge.mergeability(watched.number).await? == Mergeability::Conflict;
    let ReadTo { at, seen } = watched.memory.read_to.clone();
    let reviews = forge.reviews(watched.number, &Cursor { at, seen }).await?;
    let mut people = People { connection, known: HashMap::new() };
    let mut approvers = Vec::new();
    let mut objected = false;
    for one in &reviews.standing {
        if !people.count(&one.login).await? {
            continue;
        }
        match one.opinion {
            Opinion::Approved => approvers.push(one),
            Opinion::ChangesRequested => objected = true,
        }
    }
    let mut heard = Vec::new();
    for remark in reviews.remarks {
        if let Some(one) = people.hear(remark, &approvers).await? {
            heard.push(one);
        }
    }
    let of_head = |one: &&Standing| one.commit.is_none() || one.commit == pull.tip;
    let Cursor { at, seen } = reviews.cursor;
    let approved = approvers.iter().any(of_head);
    Ok(Closer { checks, conflict, heard, read_to: ReadTo { at, seen }, approved, objected })
}

fn checks(checks: Checks) -> SeenChecks {
    match checks {
        Checks::None => SeenChecks::None,
        Checks::Pending { .. } => SeenChecks::Pending,
        Checks::Success { .. } => SeenChecks::Passed,
        Checks::Failure { failing, waiting } => {
            let of =
                |one: overnight_forge::FailedCheck| Failing { name: one.name, url: one.url, text: one.text };
            SeenChecks::Failed { failing: failing.into_iter().map(of).collect(), waiting: waiting.len() }
        }
    }
}

/// Whose words count: people who may write to the repository, and never we ourselves or a bot.
struct People<'a> {
    connection: &'a Connection,
    known: HashMap<String, bool>,
}

impl People<'_> {
    async fn count(&mut self, login: &str) -> Result<bool, LookError> {
        if let Some(known) = self.known.get(login) {
            return Ok(*known);
        }
        let own = self.connection.login().await?.eq_ignore_ascii_case(login);
        let counts = !own && !login.ends_with("[bot]") && self.connection.forge.can_write(login).await?;
        self.known.insert(login.to_owned(), counts);
        Ok(counts)
    }

    async fn hear(&mut self, remark: Remark, approvers: &[&Standing]) -> Result<Option<Heard>, LookError> {
        let Some(author) = remark.author.filter(|_| !remark.bot && !remark.body.trim().is_empty()) else {
            return Ok(None);
        };
        if !self.count(&author).await? {
            return Ok(None);
        }
        let approves = approvers.iter().any(|one| one.login == author);
        Ok(Some(Heard { author, text: remark.body, path: remark.path, line: remark.line, approves }))
    }
}

/// The commit that is looked at, for a text.
pub(super) fn short(commit: Option<&CommitId>) -> String {
    commit.map_or_else(|| "an unknown commit".to_owned(), |commit| commit.short().to_string())
}
