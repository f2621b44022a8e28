//! What the tests share: a server on a real socket before a real store, and a client that sends exactly the bytes it is told.

mod answers;
mod api;
mod limits;
mod scrapes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use overnight_core::agent::BackendId;
use overnight_core::id::{TaskKey, WorkerId};
use overnight_core::job::Stage;
use overnight_core::units::Timestamp;
use overnight_core::worker::{
    BusyJob, Credential, CredentialStatus, Histogram, Intake, WorkerReport, WorkerStatus,
};
use overnight_store::Store;
use sqlx::{Connection, SqliteConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::api::Desk;
use crate::{Limits, Parts, ProcessUsage, serve};

/// Far more than anything here takes; a test that reaches it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    store: Store,
    report: watch::Sender<WorkerReport>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<std::io::Result<()>>,
    dir: tempfile::TempDir,
}

async fn server() -> Server {
    server_with(Limits::default()).await
}

async fn server_with(limits: Limits) -> Server {
    server_at(Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap()), limits).await
}

async fn server_at(listener: Arc<TcpListener>, limits: Limits) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("overnight.db")).await.unwrap();
    served(listener, limits, store, None, dir).await
}

async fn served(
    listener: Arc<TcpListener>,
    limits: Limits,
    store: Store,
    desk: Option<Arc<dyn Desk>>,
    dir: tempfile::TempDir,
) -> Server {
    let (report, watching) = watch::channel(report());
    let address = listener.local_addr().unwrap();
    let parts = Parts {
        store: store.clone(),
        report: watching,
        allowed_hosts: vec!["runner.example".to_owned()],
        usage: || ProcessUsage { resident_bytes: Some(4096), open_fds: None },
        desk,
        hooks: None,
        limits,
    };
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(serve(listener, parts, async move {
        let _ = stopped.await;
    }));
    Server { address, store, report, stop: Some(stop), serving, dir }
}

fn report() -> WorkerReport {
    let mut claim_latency = Histogram::default();
    claim_latency.observe(Duration::from_micros(1_500));
    let busy =
        BusyJob { key: TaskKey::parse("app-1").unwrap(), stage: Stage::Agent, since: Timestamp(1_000) };
    WorkerReport {
        worker: WorkerId::parse("host-1").unwrap(),
        version: "0.1.0".to_owned(),
        host: "a \"host\"".to_owned(),
        pid: 7,
        started_at: Timestamp(1_500),
        heartbeat_at: Timestamp(1_000_000),
        status: WorkerStatus::Running,
        advice: None,
        slots: 2,
        busy: vec![busy],
        last_job: None,
        consecutive_failures: 0,
        backoff_until: None,
        credentials: vec![Credential {
            backend: BackendId::Claude,
            status: CredentialStatus::Ok,
            since: Some(Timestamp(2_000)),
            detail: None,
        }],
        intake: Intake::Open { not_backends: Vec::new() },
        claim_latency,
        claims_total: 3,
        jobs_done_total: 2,
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// In lower case, as they came.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        ask(self.address, path).await
    }

    async fn send(&self, request: &str) -> Answer {
        send(self.address, request).await
    }

    /// As another version of overnight would leave it.
    async fn set_schema(&self, version: i64) {
        let path = self.dir.path().join("overnight.db");
        let mut file = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
        let text = "UPDATE overnight_schema SET version = $1";
        sqlx::query(text).bind(version).execute(&mut file).await.unwrap();
        file.close().await.unwrap();
    }

    async fn get_until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "never as wanted: {answer:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(mut self) {
        drop(self.stop.take());
        timeout(PATIENCE, self.serving).await.unwrap().unwrap().unwrap();
    }
}

async fn ask(address: SocketAddr, path: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    send(address, &request).await
}

/// Sends bytes on a connection of their own and reads until the server closes it.
pub(crate) async fn send(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    answer(&read_to_end(&mut stream).await)
}

/// All that comes until the other side closes the connection or breaks it.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection stays open");
    String::from_utf8(bytes).unwrap()
}

pub(crate) fn answer(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer: {text:?}"));
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}
