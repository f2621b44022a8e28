//! `overnight resume`: goes on with jobs whose worker died or that wait. Where a worker is there to do it, the job is only
//! woken; otherwise it is worked on here.

use overnight_core::id::{JobId, TaskKey, WorkerId};
use overnight_core::job::{ExitCode, Job, JobState, Label, ParkReason};
use overnight_core::text::one_line;
use overnight_core::units::Timestamp;
use overnight_engine::WorkError;
use overnight_store::{Phase, QueueStanding, Store};

use crate::app::{App, find_error, store_error};
use crate::cli::queue_args::ResumeArgs;
use crate::commands::run::HEAD_START;
use crate::commands::view;
use crate::error::{AppError, Outcome};
use crate::follow;
use crate::output::{BOLD, styled};
use crate::render::queue;
use crate::work;
use crate::workforce::Workforce;

/// # Errors
/// When there is no such job, somebody else works on it, it waits for other jobs, or the store fails. With `--all` one job's
/// error does not keep the others from going on; the first is the exit code.
pub async fn run(app: &App, args: &ResumeArgs) -> Outcome {
    if let Some(wanted) = &args.job {
        let store = app.store_for(wanted).await?;
        let job = store.job_find(wanted).await.map_err(|error| find_error(&error))?;
        let workforce = Workforce::of(&store).await?;
        return Resume { app, args, store, workforce }.named(&job).await;
    }
    let Some(store) = app.store_if_any().await? else { return nothing(app) };
    let workforce = Workforce::of(&store).await?;
    let resume = Resume { app, args, store, workforce };
    let mut jobs = resume.waiting().await?;
    if !args.all {
        jobs.truncate(1);
    } else {
        // The oldest has waited longest.
        jobs.reverse();
    }
    if jobs.is_empty() {
        return nothing(app);
    }
    resume.each(&jobs).await
}

fn nothing(app: &App) -> Outcome {
    app.out.say("nothing to resume: no job is due and none was interrupted");
    Ok(ExitCode::Done)
}

/// The data directory that going on with the job needs; `None`: any. One that only keeps what was done so far can be left,
/// by beginning again.
#[must_use]
pub fn home<'a>(job: &'a Job, standing: &'a QueueStanding) -> Option<&'a Label> {
    let begun = standing.place.as_ref().filter(|_| job.state.is_bound());
    job.queueing.place.as_ref().or(begun)
}

/// Whether nobody works on the job: it has no holder, a dead one, or one whose lease is over.
#[must_use]
pub fn is_free(job: &Job, dead: &[WorkerId], now: Timestamp) -> bool {
    job.holder.as_ref().is_none_or(|holder| holder.lease_until <= now || dead.contains(&holder.worker))
}

struct Resume<'a> {
    app: &'a App,
    args: &'a ResumeArgs,
    store: Store,
    workforce: Workforce,
}

/// What came of one job.
enum Next {
    /// It was worked on here, and has ended or waits.
    Over(ExitCode),
    /// A worker goes on with it.
    Left,
}

impl Resume<'_> {
    /// Jobs that are left to workers are watched together, when all have been woken.
    async fn each(&self, jobs: &[(Job, QueueStanding)]) -> Outcome {
        let mut first = ExitCode::Done;
        let mut left = Vec::new();
        for (job, standing) in jobs {
            let code = match self.one(job, standing).await {
                Ok(Next::Over(code)) => code,
                Ok(Next::Left) => {
                    left.push(job.id.clone());
                    ExitCode::Done
                }
                Err(error) => {
                    self.app.out.error(&error);
                    error.code
                }
            };
            if first == ExitCode::Done {
                first = code;
            }
            if matches!(code, ExitCode::Interrupted | ExitCode::Store) {
                break;
            }
        }
        let watched = self.watched(&left).await?;
        Ok(if first == ExitCode::Done { watched } else { first })
    }

    /// What becomes of jobs that are left to workers, when somebody wants to see it.
    async fn watched(&self, left: &[JobId]) -> Outcome {
        if self.args.output.events {
            follow::events(self.app, &self.store, left).await
        } else {
            Ok(ExitCode::Done)
        }
    }

    async fn named(&self, job: &Job) -> Outcome {
        let standing = self.store.standing(&job.id).await.map_err(|error| store_error(&error))?;
        if standing.phase == Phase::Ended {
            return Err(work::work_error(job, &WorkError::Ended(job.id.clone())));
        }
        if let Some(holder) = &job.holder
            && !is_free(job, &self.workforce.dead, self.workforce.now)
        {
            let (worker, until) = (holder.worker.clone(), holder.lease_until);
            return Err(work::work_error(job, &WorkError::Held { job: job.id.clone(), worker, until }));
        }
        if standing.phase == Phase::Blocked {
            return Err(blocked(job, &standing));
        }
        match self.one(job, &standing).await? {
            Next::Over(code) => Ok(code),
            Next::Left => self.watched(std::slice::from_ref(&job.id)).await,
        }
    }

    async fn one(&self, job: &Job, standing: &QueueStanding) -> Result<Next, AppError> {
        if self.is_served(job, standing) {
            self.wake(job).await?;
            return Ok(Next::Left);
        }
        self.may_be_done_here(job, standing)?;
        let working = self.app.working().await?;
        let title = one_line(&job.spec.title, 120);
        self.app.out.say(&format!("{} {title}", styled(BOLD, job.key.as_str())));
        work::foreground(self.app, &working, job, self.args.output).await.map(Next::Over)
    }

    /// Whether it is left to a worker.
    fn is_served(&self, job: &Job, standing: &QueueStanding) -> bool {
        !self.args.here && self.workforce.serves(home(job, standing))
    }

    async fn wake(&self, job: &Job) -> Result<(), AppError> {
        let woken = self.store.job_wake(&job.id).await.map_err(|error| store_error(&error))?;
        let how = if woken {
            "is woken: a worker goes on with it"
        } else {
            "is in the queue: a worker takes it in its turn"
        };
        let watch = if self.args.output.events {
            String::new()
        } else {
            format!("; watch it: overnight logs -f {}", job.key)
        };
        self.app.out.say(&format!("{} {how}{watch}", job.key));
        if self.args.output.json {
            let job = self.store.job(&job.id).await.map_err(|error| store_error(&error))?;
            self.app.out.json("job", &view(&self.store, &job).await?)?;
        }
        Ok(())
    }

    fn may_be_done_here(&self, job: &Job, standing: &QueueStanding) -> Result<(), AppError> {
        let here = self.app.place()?;
        let Some(home) = home(job, standing).filter(|home| **home != here) else { return Ok(()) };
        let key = &job.key;
        if job.queueing.place.is_some() {
            let what = format!("{key} can only be done where {} is", one_line(&job.spec.source, 200));
            let help = format!(
                "start a worker there, or resume it there: its data directory is {home}, this one is {here}"
            );
            return Err(AppError::new(ExitCode::Pending, what).help(help));
        }
        if self.args.here {
            return Ok(());
        }
        let what = format!("what {key} has done so far is on another machine, and no worker is there");
        Err(AppError::new(ExitCode::Pending, what).help(format!(
            "start a worker there (data directory {home}); to begin again here: overnight resume {key} --here"
        )))
    }

    /// Unfinished jobs that wait for a word, newest first. Those that wait for a time or for other jobs are named and left
    /// alone: trying them now would only park them again. Naming one tries it all the same.
    async fn waiting(&self) -> Result<Vec<(Job, QueueStanding)>, AppError> {
        let list = self.store.jobs_unfinished().await.map_err(|error| store_error(&error))?;
        let ids: Vec<_> = list.jobs.iter().map(|job| job.id.clone()).collect();
        let mut standings = self.store.standings(&ids).await.map_err(|error| store_error(&error))?;
        let here = self.app.place()?;
        let mut waiting = Vec::new();
        let mut left = LeftAlone::default();
        for job in list.jobs {
            let Some(standing) = standings.remove(&job.id) else { continue };
            if left.takes(&job, standing.phase) {
                continue;
            }
            let served = self.is_served(&job, &standing);
            let reachable = served || home(&job, &standing).is_none_or(|home| *home == here);
            if reachable && self.waits_for_a_word(&job, &standing, served) {
                waiting.push((job, standing));
            }
        }
        for line in left.told() {
            self.app.out.say(&line);
        }
        Ok(waiting)
    }

    fn waits_for_a_word(&self, job: &Job, standing: &QueueStanding, served: bool) -> bool {
        let now = self.workforce.now;
        match standing.phase {
            Phase::Asleep => true,
            // Whoever says so has done something about it.
            Phase::Due if queue::needs_you(&job.state) => true,
            Phase::Ready => !served,
            Phase::Held => !served && is_free(job, &self.workforce.dead, now),
            Phase::Blocked => {
                self.app.out.say(&format!("{} waits for {}", job.key, queue::named(&standing.waits_for)));
                false
            }
            Phase::Due => match standing.wake.filter(|at| *at > now.plus(head_start(job))) {
                Some(at) => {
                    let at = queue::when(at, now);
                    self.app
                        .out
                        .say(&format!("{0} waits until {at}; to try it now: overnight resume {0}", job.key));
                    false
                }
                None => !served,
            },
            Phase::Ended => false,
        }
    }
}

/// Keys that are named of jobs that are left alone for the same reason.
const NAMED: usize = 3;

/// Jobs that wait for the word of a person, newest first. Waking them all would go on without the answers, and would have those that
/// wait for approval do nothing but wait again.
#[derive(Debug, Default)]
struct LeftAlone {
    answer: Vec<TaskKey>,
    approval: Vec<TaskKey>,
}

impl LeftAlone {
    /// Whether the job is one of them.
    fn takes(&mut self, job: &Job, phase: Phase) -> bool {
        let JobState::Parked { reason, .. } = &job.state else { return false };
        let waits = match phase {
            Phase::Asleep | Phase::Due => true,
            // Somebody has woken it, or wants it cancelled.
            Phase::Ready | Phase::Held | Phase::Blocked | Phase::Ended => false,
        };
        let jobs = match reason {
            ParkReason::Answer => &mut self.answer,
            ParkReason::Approval => &mut self.approval,
            ParkReason::RateLimited
            | ParkReason::Overloaded
            | ParkReason::AgentLogin
            | ParkReason::ForgeLogin
            | ParkReason::Unavailable
            | ParkReason::DiskFull
            | ParkReason::DailyBudget
            | ParkReason::Velocity
            | ParkReason::Dependency
            | ParkReason::Ci
            | ParkReason::Review => return false,
        };
        if waits {
            jobs.push(job.key.clone());
        }
        waits
    }

    fn told(&self) -> Vec<String> {
        let of = |keys: &[TaskKey], what: &str, how: fn(&TaskKey) -> String| {
            let first = keys.first()?;
            let named: Vec<&str> = keys.iter().take(NAMED).map(TaskKey::as_str).collect();
            let more = if keys.len() > NAMED { ", …" } else { "" };
            let (jobs, wait) = if keys.len() == 1 { ("job", "waits") } else { ("jobs", "wait") };
            let (count, named) = (keys.len(), named.join(", "));
            Some(format!("left alone: {count} {jobs} that {wait} for {what} ({named}{more}); {}", how(first)))
        };
        let answer = of(&self.answer, "an answer", |key| {
            format!("overnight questions, overnight answer; without one: overnight resume {key}")
        });
        let approval = of(&self.approval, "approval", |key| {
            format!("overnight show {key}, then overnight approve {key} or overnight reject {key}")
        });
        answer.into_iter().chain(approval).collect()
    }
}

/// The time that a new job is left to the command that made it is nobody's wish.
fn head_start(job: &Job) -> std::time::Duration {
    if job.state == JobState::Queued { HEAD_START } else { std::time::Duration::ZERO }
}

fn blocked(job: &Job, standing: &QueueStanding) -> AppError {
    let key = &job.key;
    let what = format!("{key} waits for {}", queue::named(&standing.waits_for));
    AppError::new(ExitCode::Pending, what).help(format!(
        "see how they are: overnight show {key}; a job that is not wanted any more: overnight cancel {key}"
    ))
}
