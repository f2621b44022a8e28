//! Follows jobs that somebody else works on: their events as they are recorded, until each has ended or waits.
//!
//! What is streamed is what whoever works on the job would stream: every event from the first one on, without a gap.

use std::time::Duration;

use overnight_core::id::{EventNumber, JobId};
use overnight_core::job::{ExitCode, JobState};
use overnight_store::Store;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::{App, store_error};
use crate::error::{AppError, Outcome};
use crate::render::screen::EventLine;
use crate::view::exit_code;

/// How often it is looked whether something was recorded: often enough to feel live, far too seldom to cost anything.
const LOOK: Duration = Duration::from_millis(200);
/// Events read at once.
const PAGE: u32 = 1000;

/// Streams the events of all these jobs as NDJSON. The exit code is that of the first job, in this order, that did not end
/// well. Whoever stops it stops nothing but the watching.
///
/// # Errors
/// When the store fails, or a job's record is gone.
pub async fn events(app: &App, store: &Store, jobs: &[JobId]) -> Outcome {
    let mut followed: Vec<Followed> = jobs.iter().map(Followed::new).collect();
    let mut tick = interval(LOOK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while followed.iter().any(|one| one.over.is_none()) {
        tick.tick().await;
        for one in followed.iter_mut().filter(|one| one.over.is_none()) {
            one.look(app, store).await?;
        }
    }
    let mut codes = followed.iter().filter_map(|one| one.over);
    Ok(codes.find(|code| *code != ExitCode::Done).unwrap_or(ExitCode::Done))
}

struct Followed {
    job: JobId,
    /// Shown already.
    last: EventNumber,
    /// It has ended or waits, with this exit code.
    over: Option<ExitCode>,
}

impl Followed {
    fn new(job: &JobId) -> Self {
        Self { job: job.clone(), last: EventNumber(0), over: None }
    }

    async fn look(&mut self, app: &App, store: &Store) -> Result<(), AppError> {
        // Before its events: those of a state that was seen are there.
        let job = store.job(&self.job).await.map_err(|error| store_error(&error))?;
        loop {
            let page = store.events(&self.job, self.last, PAGE).await.map_err(|error| store_error(&error))?;
            let Some(last) = page.last() else { break };
            self.last = last.number;
            for record in &page {
                if let Ok(event) = &record.event {
                    app.out.ndjson(&EventLine::new(&self.job, record.number, record.at, event))?;
                }
            }
        }
        if matches!(job.state, JobState::Ended { .. } | JobState::Parked { .. }) {
            self.over = Some(exit_code(&job.state));
        }
        Ok(())
    }
}
