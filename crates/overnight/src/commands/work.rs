//! `overnight work`: a worker, for as long as it is wanted, until the queue is empty, or for one job.

use overnight_core::job::{ExitCode, Job, JobState, ParkReason};
use overnight_engine::WorkError;
use overnight_engine::dispatch::{Finished, Mode, OnceEnd};

use crate::app::{App, store_error};
use crate::cli::Global;
use crate::cli::work_args::WorkArgs;
use crate::commands::agent::age;
use crate::daemon::{self, Order};
use crate::error::AppError;

/// Exit codes of `--once`: what a supervisor that starts it in a loop has to do next. They are a contract of their own.
const ONCE_LOGIN: u8 = 3;
const ONCE_LATER: u8 = 4;
const ONCE_FAILED: u8 = 1;

/// # Errors
/// When the worker cannot begin.
pub async fn run(app: &App, global: &Global, args: &WorkArgs) -> Result<u8, AppError> {
    if args.offer.slots == Some(0) {
        return Err(AppError::usage("a worker with no slots takes no jobs")
            .help("overnight serve --slots 0 answers health and metrics without taking jobs"));
    }
    let mode = match (args.once, args.exit_when_idle) {
        (true, _) => Mode::Once { wait: args.wait },
        (false, true) => Mode::UntilIdle,
        (false, false) => Mode::Forever,
    };
    let order = Order { mode, offer: args.offer.clone(), listen: args.listen };
    let finished = age::beside(app, daemon::run(app, global, &order)).await?;
    if args.once { once(app, finished) } else { Ok(left(&finished).number()) }
}

/// The exit code of a worker that ended because it was told to, or because nothing was left.
#[must_use]
pub fn left(finished: &Finished) -> ExitCode {
    if finished.forced { ExitCode::Pending } else { ExitCode::Done }
}

fn once(app: &App, finished: Finished) -> Result<u8, AppError> {
    match finished.once {
        _ if finished.forced => Ok(ExitCode::Pending.number()),
        None => {
            app.out.say("there was nothing to do");
            Ok(ExitCode::Done.number())
        }
        Some(OnceEnd::Done(job)) => Ok(once_code(&job)),
        Some(OnceEnd::Failed { error, .. }) => {
            app.out.error(&given_back(&error));
            Ok(ONCE_FAILED)
        }
    }
}

fn given_back(error: &WorkError) -> AppError {
    match error {
        WorkError::Store(error) => store_error(error),
        WorkError::Held { .. }
        | WorkError::Blocked(_)
        | WorkError::Elsewhere { .. }
        | WorkError::Full { .. }
        | WorkError::Ended(_)
        | WorkError::LeaseLost
        | WorkError::Forced
        | WorkError::Illegal(_) => AppError::unexpected("the job could not be worked on").because(error),
    }
}

/// What one job's end, or its pause, means to whoever starts the next.
fn once_code(job: &Job) -> u8 {
    match &job.state {
        JobState::Ended { end, .. } if end.reason.is_done() => 0,
        JobState::Parked { reason, .. } => match reason {
            ParkReason::AgentLogin | ParkReason::ForgeLogin => ONCE_LOGIN,
            ParkReason::RateLimited
            | ParkReason::Overloaded
            | ParkReason::DailyBudget
            | ParkReason::Velocity => ONCE_LATER,
            // This worker has done its part; somebody or something else goes on.
            ParkReason::Dependency
            | ParkReason::Approval
            | ParkReason::Answer
            | ParkReason::Ci
            | ParkReason::Review => 0,
            ParkReason::Unavailable | ParkReason::DiskFull => ONCE_FAILED,
        },
        JobState::Ended { .. }
        | JobState::Queued
        | JobState::Preparing { .. }
        | JobState::Working { .. }
        | JobState::Collecting { .. }
        | JobState::Verifying { .. }
        | JobState::Publishing { .. }
        | JobState::Cleaning { .. }
        | JobState::Cascading { .. } => ONCE_FAILED,
    }
}

#[cfg(test)]
mod tests {
    use overnight_core::job::EndReason;

    use super::*;
    use crate::work::tests::{end, job};

    #[test]
    fn one_job_ends_with_what_to_do_next() {
        let parked = |reason| {
            let then = Box::new(JobState::Queued);
            once_code(&job(JobState::Parked { reason, detail: String::new(), wake: None, then }))
        };
        let codes = ParkReason::ALL.map(|reason| (reason.code(), parked(reason)));
        let wanted = [
            ("rate_limited", 4),
            ("overloaded", 4),
            ("agent_login", 3),
            ("forge_login", 3),
            ("unavailable", 1),
            ("disk_full", 1),
            ("daily_budget", 4),
            ("velocity", 4),
            ("dependency", 0),
            ("approval", 0),
            ("answer", 0),
            ("ci", 0),
            ("review", 0),
        ];
        assert_eq!(codes, wanted);
        for reason in EndReason::ALL {
            let code = once_code(&job(end(reason, None)));
            assert_eq!(code, u8::from(!reason.is_done()), "{reason:?}");
        }
    }
}
