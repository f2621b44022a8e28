//! The address at which a worker's process answers: health and metrics.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use overnight_core::worker::WorkerReport;
use overnight_store::Store;
use overnight_web::api::Desk;
use overnight_web::hooks::HookDoor;
use overnight_web::{Limits, Parts, Waiting};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::tell::{Teller, WorkerEvent};
use super::usage;
use crate::error::AppError;

/// Longest wait for requests under way when the work is over.
const LAST_ANSWERS: Duration = Duration::from_secs(6);

/// An address that is ours.
pub(super) struct Listening {
    address: SocketAddr,
    listener: Arc<TcpListener>,
}

/// Answering that nothing can be done yet, until it is ended.
pub(super) struct Answering {
    why: watch::Sender<String>,
    until: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

/// Answering, until it is ended.
pub(super) struct Serving {
    address: SocketAddr,
    until: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Listening {
    /// Takes the address, says so, and says what it means when others can reach it.
    pub(super) async fn bind(address: SocketAddr, teller: Teller) -> Result<Self, AppError> {
        let listener = TcpListener::bind(address).await.map_err(|error| not_ours(address, &error))?;
        let address = listener.local_addr().map_err(|error| not_ours(address, &error))?;
        teller.tell(&WorkerEvent::Listening { address });
        if !address.ip().is_loopback() {
            teller.warn(&format!(
                "{address} can be reached from other machines: whoever reaches it can read /health and /metrics, which name \
                 hosts, jobs and costs, without a token. What passes is not encrypted: tokens of the API belong behind a \
                 proxy that speaks TLS. Names other than its addresses have to stand in serve.allowed_hosts."
            ));
        }
        Ok(Self { address, listener: Arc::new(listener) })
    }

    /// Answers that the process lives, and what it waits for before it begins.
    pub(super) fn answer_waiting(&self, why: String, allowed_hosts: Vec<String>) -> Answering {
        let (why, shown) = watch::channel(why);
        let until = CancellationToken::new();
        let waiting = Waiting { why: shown, allowed_hosts, limits: Limits::default() };
        let end = until.clone().cancelled_owned();
        let task = tokio::spawn(overnight_web::serve_waiting(Arc::clone(&self.listener), waiting, end));
        Answering { why, until, task }
    }

    /// Answers from the moment at which there is something to say.
    pub(super) fn serve(
        self,
        store: Store,
        reports: watch::Receiver<Option<WorkerReport>>,
        allowed_hosts: Vec<String>,
        (desk, hooks): (Arc<dyn Desk>, Arc<dyn HookDoor>),
    ) -> Serving {
        let until = CancellationToken::new();
        let (end, listener) = (until.clone(), self.listener);
        let task = tokio::spawn(async move {
            let Some((report, forwarding)) = end.run_until_cancelled(first(reports)).await.flatten() else {
                return Ok(());
            };
            let limits = Limits::default();
            let usage = usage::of_this_process;
            let parts =
                Parts { store, report, allowed_hosts, usage, desk: Some(desk), hooks: Some(hooks), limits };
            let served = overnight_web::serve(listener, parts, end.cancelled_owned()).await;
            forwarding.abort();
            served
        });
        Serving { address: self.address, until, task }
    }
}

impl Answering {
    pub(super) fn now_says(&self, why: String) {
        self.why.send_replace(why);
    }

    /// Lets requests under way end. Nobody is turned away: who comes now is answered by the worker itself.
    pub(super) async fn end(self) {
        self.until.cancel();
        if timeout(LAST_ANSWERS, self.task).await.is_err() {
            tracing::debug!("a request was still under way when the worker began");
        }
    }
}

impl Serving {
    /// Comes back only when nobody can be answered any more. Not to be asked again after that.
    pub(super) async fn lost(&mut self) -> AppError {
        let plain = AppError::unexpected(format!("nobody can be answered at {} any more", self.address));
        match (&mut self.task).await {
            Ok(Err(error)) => plain.because(&error),
            Err(error) => plain.because(&error),
            // There was never anything to say: the worker itself has ended.
            Ok(Ok(())) => std::future::pending().await,
        }
    }

    /// Lets requests under way end.
    pub(super) async fn end(self) {
        self.until.cancel();
        if timeout(LAST_ANSWERS, self.task).await.is_err() {
            tracing::debug!("a request was still under way at the end");
        }
    }
}

/// The report and those that follow it; `None` when the worker ends before its first.
async fn first(
    mut reports: watch::Receiver<Option<WorkerReport>>,
) -> Option<(watch::Receiver<WorkerReport>, JoinHandle<()>)> {
    let report = reports.wait_for(Option::is_some).await.ok()?.clone()?;
    let (sender, receiver) = watch::channel(report);
    let forwarding = tokio::spawn(async move {
        while reports.changed().await.is_ok() {
            if let Some(report) = reports.borrow_and_update().clone() {
                sender.send_replace(report);
            }
        }
    });
    Some((receiver, forwarding))
}

fn not_ours(address: SocketAddr, error: &std::io::Error) -> AppError {
    let plain = AppError::usage(format!("nobody can be answered at {address}")).because(error);
    match error.kind() {
        ErrorKind::AddrInUse => plain.help(
            "another program answers there, perhaps another overnight serve; name another address with --listen \
             or serve.listen (port 0: any that is free)",
        ),
        ErrorKind::PermissionDenied => plain.help("ports below 1024 are for root; name a higher one with --listen"),
        ErrorKind::AddrNotAvailable => plain.help("name an address of this machine with --listen or serve.listen"),
        // std's enum is open.
        _ => plain.help("name another address with --listen or serve.listen"),
    }
}
