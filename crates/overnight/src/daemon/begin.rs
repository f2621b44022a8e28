//! The beginning of a worker: a database server that is not there yet is waited for, as one that goes away later is.

use std::error::Error;
use std::time::Duration;

use overnight_core::job::ExitCode;
use overnight_core::text::human_duration;
use overnight_core::worker::HealthPolicy;
use overnight_engine::dispatch::Mode;
use overnight_store::{OpenError, Store};
use tokio::time::{Instant, sleep, sleep_until};

use super::listen::{Answering, Listening};
use super::notify::Notifier;
use super::signals::{Asked, Signals};
use super::tell::{Teller, WorkerEvent};
use crate::app::{App, Working, open_error};
use crate::error::AppError;

/// How much longer than the wait until the next try a service manager shall be patient: the store gives up a silent server
/// after 30 s, and bringing a schema forward takes its time.
const TRYING: Duration = Duration::from_secs(120);

/// How long a try may take that began when the patience was just not used up.
const LAST_TRY: Duration = Duration::from_secs(1);

/// What stands around a worker that has not begun.
pub(super) struct Outside<'a> {
    pub(super) signals: &'a mut Signals,
    pub(super) teller: Teller,
    pub(super) notifier: &'a Notifier,
    pub(super) listening: Option<&'a Listening>,
}

/// A worker that can work, and for how long it still should.
pub(super) struct Begun {
    pub(super) working: Working,
    pub(super) mode: Mode,
}

/// An engine that acts as a new worker; `None`: somebody asked to stop before there was one.
///
/// # Errors
/// When one of its parts cannot be had, and waiting would not help or is not wanted.
pub(super) async fn begin(
    app: &App,
    mode: Mode,
    mut outside: Outside<'_>,
) -> Result<Option<Begun>, AppError> {
    let patience = Patience::of(mode);
    let mut answering = None;
    let mut failures = 0;
    let store = loop {
        let error = tokio::select! {
            connected = Store::connect(app.database()) => match connected {
                Ok(store) => break Ok(Some(store)),
                Err(error) => error,
            },
            signal = stop(&mut outside) => break Ok(outside.stopped(signal)),
            waited = patience.used_up() => break Err(too_late(app, waited)),
        };
        failures += 1;
        let Some(pause) = patience.pause(&error, &app.config().worker.health, failures) else {
            break Err(open_error(&error));
        };
        let why = outside.tell(app, &error, pause);
        answering = outside.answer(app, answering, why);
        tokio::select! {
            () = sleep(pause) => {}
            signal = stop(&mut outside) => break Ok(outside.stopped(signal)),
        }
    };
    if let Some(answering) = answering {
        answering.end().await;
    }
    match store? {
        Some(store) => {
            let working = app.working_on(app.keep(store)).await?;
            Ok(Some(Begun { working, mode: patience.left(mode) }))
        }
        None => Ok(None),
    }
}

impl Outside<'_> {
    fn tell(&self, app: &App, error: &OpenError, pause: Duration) -> String {
        let (database, why) = (app.database().to_string(), innermost(error));
        let standing = format!("the database {database} does not answer: {why}");
        self.notifier.not_ready_for(pause + TRYING);
        self.notifier.status(&format!("waits for its database: {why}"));
        let retry_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.teller.tell(&WorkerEvent::DatabaseAway { database, why, retry_ms });
        standing
    }

    /// Answers over HTTP, from the first time on, what is waited for.
    fn answer(&self, app: &App, answering: Option<Answering>, why: String) -> Option<Answering> {
        let allowed = &app.config().serve.allowed_hosts;
        match answering {
            Some(answering) => {
                answering.now_says(why);
                Some(answering)
            }
            None => self.listening.map(|listening| listening.answer_waiting(why, allowed.clone())),
        }
    }

    fn stopped(&self, signal: &str) -> Option<Store> {
        self.notifier.stopping();
        self.teller.say(&format!("{signal}: ends before it has begun, its database was never there"));
        None
    }
}

/// How long somebody waits for the database.
#[derive(Debug, Clone, Copy)]
enum Patience {
    Endless,
    /// For `wait`, which ends at `deadline`.
    Until {
        wait: Duration,
        deadline: Instant,
    },
    /// It is to end when there is nothing to do, and without a database it has nothing to do.
    None,
}

impl Patience {
    fn of(mode: Mode) -> Self {
        match mode {
            Mode::Forever => Self::Endless,
            Mode::Once { wait } => Self::Until { wait, deadline: Instant::now() + wait },
            Mode::UntilIdle => Self::None,
        }
    }

    /// Until the next try; `None`: there is to be none.
    fn pause(self, error: &OpenError, policy: &HealthPolicy, failures: u32) -> Option<Duration> {
        let pause = policy.backoff(failures);
        match self {
            Self::Endless => error.is_away().then_some(pause),
            Self::Until { deadline, .. } => {
                let left = deadline.saturating_duration_since(Instant::now());
                (error.is_away() && !left.is_zero()).then(|| pause.min(left))
            }
            Self::None => None,
        }
    }

    /// Comes when it is used up, with how long it was.
    async fn used_up(self) -> Duration {
        match self {
            Self::Until { wait, deadline } => {
                sleep_until(deadline + LAST_TRY).await;
                wait
            }
            Self::Endless | Self::None => std::future::pending().await,
        }
    }

    /// How long to work: who has waited for the database waits so much less for a job.
    fn left(self, mode: Mode) -> Mode {
        match self {
            Self::Until { deadline, .. } => {
                Mode::Once { wait: deadline.saturating_duration_since(Instant::now()) }
            }
            Self::Endless | Self::None => mode,
        }
    }
}

/// Somebody asks to stop. The configuration is read anew with the next start.
async fn stop(outside: &mut Outside<'_>) -> &'static str {
    loop {
        match outside.signals.next().await {
            Asked::Stop(signal) => return signal,
            Asked::Reload => outside.teller.warn(
                "SIGHUP: the worker has not begun, and waits for the database that it was started with; start it anew \
                 to name another",
            ),
        }
    }
}

fn too_late(app: &App, waited: Duration) -> AppError {
    let waited = human_duration(waited);
    AppError::new(
        ExitCode::Store,
        format!("the database {} has not answered within {waited}", app.database()),
    )
    .help("see whether the server runs, and whether this machine reaches it at that address")
}

/// What lies below all layers: the layers above say only that the database cannot be opened.
fn innermost(error: &OpenError) -> String {
    let mut inner: &dyn Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
