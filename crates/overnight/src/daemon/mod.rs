//! A worker as a process that runs for weeks: signals, the service manager, what it answers over HTTP, and what it tells.
//!
//! The work itself is `overnight_engine::dispatch`, in a task of its own. Here is what stands around it:
//!
//! ```text
//! signals ──► Attendant ──► orders (drain, force), settings (reload)  ──► dispatch
//! told    ──►     │    ──► standard error, or NDJSON                  ◄──
//! reports ──►     └────► service manager                              ◄── ──► HTTP
//! ```
//!
//! Nothing here decides about a job or about the worker's health.

mod attend;
mod begin;
mod listen;
mod notify;
mod reload;
pub mod settings;
mod signals;
mod tell;
mod usage;
mod watchdog;

use std::net::SocketAddr;
use std::sync::Arc;

use overnight_engine::dispatch::{self, Finished, Mode, Orders, Wires};
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::app::{App, Working};
use crate::cli::Global;
use crate::cli::work_args::OfferArgs;
use crate::desk::Front;
use crate::error::AppError;
use crate::hooks::Hooks;
use crate::worker;
use attend::Attendant;
use begin::{Begun, Outside};
use listen::Listening;
use notify::Notifier;
use signals::Signals;
use tell::{Teller, WorkerEvent};

/// What is asked of a worker's process.
#[derive(Debug, Clone)]
pub struct Order {
    pub mode: Mode,
    pub offer: OfferArgs,
    /// Where to answer over HTTP.
    pub listen: Option<SocketAddr>,
}

/// Works until the mode, a signal or a drain ends it.
///
/// # Errors
/// When it cannot begin: the configuration, the address or the store cannot be used. A database server that is away is waited
/// for by a worker that is to stay, and what fails later is waited out, except that the address is lost.
pub async fn run(app: &App, global: &Global, order: &Order) -> Result<Finished, AppError> {
    // First of all: a signal that comes while the worker begins must not end it half-way.
    let mut signals = Signals::listen()?;
    let teller = Teller { out: app.out, events: order.offer.events };
    let settings = settings::of(app.config(), &order.offer, &app.host()?);
    enough_files(settings.slots, teller);
    let listening = match order.listen {
        Some(address) => Some(Listening::bind(address, teller).await?),
        None => None,
    };
    let notifier = Notifier::from_environment(&app.env);
    let outside =
        Outside { signals: &mut signals, teller, notifier: &notifier, listening: listening.as_ref() };
    let Some(Begun { working, mode }) = begin::begin(app, order.mode, outside).await? else {
        let (jobs, forced) = (0, false);
        teller.tell(&WorkerEvent::Stopped { jobs, forced });
        return Ok(Finished { jobs, once: None, forced });
    };
    let started = WorkerEvent::started(&working.worker, &settings.offer);
    let (settings, settings_seen) = watch::channel(settings);
    let (reports, reports_seen) = watch::channel(None);
    let (told, hearing) = mpsc::unbounded_channel();
    let orders = Orders::default();
    let dispatching = tokio::spawn(dispatch::run(
        Arc::clone(&working.engine),
        worker::facts(),
        settings_seen,
        mode,
        orders.clone(),
        Wires { reports, told },
    ));
    let allowed = app.config().serve.allowed_hosts.clone();
    let store = working.engine.store().clone();
    let desk = Arc::new(Front::new(global, &app.env, &store));
    let hooks = Arc::new(Hooks::new(global, &app.env, &store));
    let serving = listening.map(|on| on.serve(store, reports_seen.clone(), allowed, (desk, hooks)));
    let config = app.config();
    // A worker for one job, or for what is there just now, leaves that to others.
    let _clearing = (mode == Mode::Forever).then(|| {
        let sweeper = working.engine.sweeper(config.retention);
        AbortOnDropHandle::new(tokio::spawn(sweeper.keep(config.gc_interval)))
    });
    let attendant = Attendant {
        teller,
        notifier,
        orders,
        reloader: reload::Reloader::new(app, global, &order.offer, settings, Arc::clone(&working.adviser)),
        reports: reports_seen,
        pulse: working.engine.heart().pulse(),
        started: Some(started),
        deadline: None,
        asked: false,
    };
    let attended = Box::pin(attendant.attend(app, signals, hearing, dispatching, serving)).await;
    leave(&working).await;
    let finished = attended?;
    teller.tell(&WorkerEvent::Stopped { jobs: finished.jobs, forced: finished.forced });
    Ok(finished)
}

/// Open files of a running job: its pipes, logs and git's, with room to spare; and of the worker itself.
const FILES_OF_A_JOB: u64 = 10;
const FILES_OF_A_WORKER: u64 = 100;

/// Makes sure that the jobs of all slots can have their files open, or says so.
fn enough_files(slots: usize, teller: Teller) {
    let needed = FILES_OF_A_WORKER + FILES_OF_A_JOB * slots as u64;
    match overnight_proc::raise_file_limit() {
        Ok(limit) if limit >= needed => {}
        Ok(limit) => teller.warn(&format!(
            "this process may open {limit} files, and {slots} jobs at a time need up to {needed}: raise the limit \
             (LimitNOFILE, ulimit -n) or lower worker.slots"
        )),
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

/// A worker that has stopped need not be asked after.
async fn leave(working: &Working) {
    if let Err(error) = working.engine.store().worker_forget(&working.worker).await {
        tracing::debug!(%error, "the worker's row stays");
    }
}
