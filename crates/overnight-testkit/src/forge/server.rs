//! The running fake forge: its socket, and what a test can arrange and ask.
//!
//! Owns the listening socket (loopback, a free port) and the temporary directory. Carries out faults; what a request
//! means is in `api` and `cgi`.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::response::Response;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::api::{self, Reply};
use super::cgi;
use super::fault::{Fault, On};
use super::log::LoggedRequest;
use super::people::People;
use super::repository::BareRepository;
use super::state::{FakePullRequest, FakeToken, PullState, Repository, State};
use super::wire::{CuttableListener, Shears};

/// A request above this is refused; pushes of fixtures are far below.
const MAX_BODY_BYTES: usize = 64 << 20;
/// How long a test waits for a fact.
const WAIT: Duration = Duration::from_secs(60);

/// Whose shapes and habits the forge has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// GitHub Enterprise Server's layout: the API below `/api/v3`.
    GitHub,
    /// Gitea and Forgejo: the API below `/api/v1`.
    Gitea,
    /// The API below `/api/v4`.
    GitLab,
}

/// A running fake forge. Dropping it closes the socket and removes the repositories.
#[derive(Debug)]
pub struct FakeForge {
    hub: Arc<Hub>,
    root: TempDir,
    serving: AbortHandle,
}

#[derive(Debug)]
pub(super) struct Hub {
    pub(super) flavour: Flavour,
    /// `http://127.0.0.1:<port>`.
    pub(super) origin: String,
    /// Empty, or `/<path>`.
    pub(super) sub_path: String,
    pub(super) root: PathBuf,
    state: Mutex<State>,
    changes: watch::Sender<u64>,
}

impl Hub {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn web_base(&self) -> String {
        format!("{}{}", self.origin, self.sub_path)
    }

    pub(super) fn api_path(&self) -> &'static str {
        match self.flavour {
            Flavour::GitHub => "/api/v3",
            Flavour::Gitea => "/api/v1",
            Flavour::GitLab => "/api/v4",
        }
    }

    pub(super) fn api_base(&self) -> String {
        format!("{}{}", self.web_base(), self.api_path())
    }
}

impl FakeForge {
    /// Starts an empty forge at the root of a free port.
    ///
    /// # Errors
    /// If no port or no temporary directory is to be had.
    pub async fn start(flavour: Flavour) -> io::Result<Self> {
        Self::start_below(flavour, "").await
    }

    /// Like [`FakeForge::start`], with everything below `sub_path` (`/gitea`).
    ///
    /// # Errors
    /// If no port or no temporary directory is to be had.
    pub async fn start_below(flavour: Flavour, sub_path: &str) -> io::Result<Self> {
        let root = tempfile::tempdir()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let hub = Arc::new(Hub {
            flavour,
            origin: format!("http://127.0.0.1:{}", listener.local_addr()?.port()),
            sub_path: sub_path.trim_end_matches('/').to_owned(),
            root: root.path().to_owned(),
            state: Mutex::default(),
            changes: watch::Sender::new(0),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&hub));
        let service = router.into_make_service_with_connect_info::<Shears>();
        let serving = tokio::spawn(async move {
            // An accept error ends the server; the test sees it as a refused connection.
            drop(axum::serve(CuttableListener(listener), service).await);
        });
        Ok(Self { hub, root, serving: serving.abort_handle() })
    }

    /// `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.hub.origin
    }

    /// What stands before `/<owner>/<repo>` in a browser, without a slash at its end.
    #[must_use]
    pub fn web_base(&self) -> String {
        self.hub.web_base()
    }

    /// The base URL of the API, without a slash at its end.
    #[must_use]
    pub fn api_base(&self) -> String {
        self.hub.api_base()
    }

    /// Where git clones `full_name` (`owner/repo`) from and pushes to, with any token as the password of Basic auth.
    #[must_use]
    pub fn clone_url(&self, full_name: &str) -> String {
        format!("{}/{full_name}.git", self.web_base())
    }

    pub fn add_token(&self, token: &str, meaning: FakeToken) {
        self.hub.state().tokens.insert(token.to_owned(), meaning);
    }

    /// Adds a private repository `owner/repo` with one commit on `main`, and gives its directory.
    ///
    /// # Errors
    /// If git fails.
    pub fn create_repository(&self, full_name: &str) -> io::Result<PathBuf> {
        let bare = BareRepository::create(self.root.path(), full_name)?;
        let path = bare.0.clone();
        let mut state = self.hub.state();
        let id = state.repositories.len() as u64 + 1;
        state.repositories.push(Repository {
            id,
            full_name: full_name.to_owned(),
            bare,
            pulls: Vec::new(),
            people: People::default(),
        });
        Ok(path)
    }

    /// Adds a commit with one file to `branch`, which begins at `from` if it is new. Gives the commit's id.
    ///
    /// # Errors
    /// If the repository is not there or git fails.
    pub fn commit(&self, full_name: &str, branch: &str, from: &str, file: &str) -> io::Result<String> {
        let content = format!("{branch} {file}\n");
        self.bare(full_name)?.commit(branch, Some(from), file, content.as_bytes())
    }

    /// The commit of a branch; `None` when there is no such branch.
    ///
    /// # Errors
    /// If the repository is not there or git fails.
    pub fn branch_tip(&self, full_name: &str, branch: &str) -> io::Result<Option<String>> {
        self.bare(full_name)?.tip(branch)
    }

    /// # Errors
    /// If the repository is not there or git fails.
    pub fn delete_branch(&self, full_name: &str, branch: &str) -> io::Result<()> {
        self.bare(full_name)?.delete_branch(branch)
    }

    /// Lets one coming request of this kind go wrong; several are used up in order.
    pub fn inject(&self, on: On, fault: Fault) {
        self.hub.state().faults.add(on, fault);
    }

    /// Takes back the faults that no request has met yet: from here on everything works.
    pub fn lift_faults(&self) {
        self.hub.state().faults.clear();
    }

    /// Faults that no request has met yet.
    #[must_use]
    pub fn unused_faults(&self) -> usize {
        self.hub.state().faults.len()
    }

    /// All requests so far, in the order of their arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.hub.state().log.clone()
    }

    /// The requests of one kind so far.
    #[must_use]
    pub fn requests_on(&self, on: On) -> Vec<LoggedRequest> {
        self.requests().into_iter().filter(|request| request.on == Some(on)).collect()
    }

    /// Every place outside of an `Authorization` header in which a request carried `secret`.
    #[must_use]
    pub fn leaks(&self, secret: &str) -> Vec<String> {
        self.requests().iter().flat_map(|request| request.leaks(secret)).collect()
    }

    /// The pull requests of a repository, oldest first.
    #[must_use]
    pub fn pull_requests(&self, full_name: &str) -> Vec<FakePullRequest> {
        self.hub.state().repository(full_name).map(|repository| repository.pulls.clone()).unwrap_or_default()
    }

    /// Puts a pull request there as if somebody had made it earlier; its number is chosen by the forge and returned.
    pub fn plant_pull_request(&self, full_name: &str, mut pull: FakePullRequest) -> Option<u64> {
        let mut state = self.hub.state();
        let repository = state.repository_mut(full_name)?;
        let number = repository.next_number();
        pull.number = number;
        repository.pulls.push(pull);
        drop(state);
        self.hub.changed();
        Some(number)
    }

    /// A person closes a pull request.
    pub fn close(&self, full_name: &str, number: u64) {
        self.change_pull(full_name, number, |pull| pull.state = PullState::Closed);
    }

    /// A person merges a pull request: its base branch now points to its head.
    ///
    /// # Errors
    /// If git fails.
    pub fn merge(&self, full_name: &str, number: u64) -> io::Result<()> {
        let bare = self.bare(full_name)?;
        let pull = self.pull_requests(full_name).into_iter().find(|pull| pull.number == number);
        let pull = pull.ok_or_else(|| io::Error::other("no such pull request"))?;
        let tip = bare.tip(&pull.head)?.unwrap_or(pull.head_commit);
        bare.set_branch(&pull.base, &tip)?;
        self.change_pull(full_name, number, |pull| {
            pull.state = PullState::Merged;
            pull.head_commit = tip;
        });
        Ok(())
    }

    /// Changes a pull request by hand.
    pub fn change_pull(&self, full_name: &str, number: u64, change: impl FnOnce(&mut FakePullRequest)) {
        let mut state = self.hub.state();
        let pulls = state.repository_mut(full_name).map(|repository| &mut repository.pulls);
        if let Some(pull) = pulls.and_then(|pulls| pulls.iter_mut().find(|pull| pull.number == number)) {
            change(pull);
        }
        drop(state);
        self.hub.changed();
    }

    /// Waits until the repository has this many pull requests.
    ///
    /// # Errors
    /// After a minute, with what is there instead.
    pub async fn wait_for_pull_requests(&self, full_name: &str, count: usize) -> Result<(), String> {
        let what = format!("{count} pull requests in {full_name}");
        self.wait_for(&what, |forge| forge.pull_requests(full_name).len() >= count).await
    }

    /// Waits until this many requests of one kind have come.
    ///
    /// # Errors
    /// After a minute, with what has come instead.
    pub async fn wait_for_requests(&self, on: On, count: usize) -> Result<(), String> {
        let what = format!("{count} requests of kind {on:?}");
        self.wait_for(&what, |forge| forge.requests_on(on).len() >= count).await
    }

    /// Waits until `fact` holds; it is looked at after every request and change.
    ///
    /// # Errors
    /// After a minute, with the requests that have come.
    pub async fn wait_for(&self, what: &str, fact: impl Fn(&Self) -> bool) -> Result<(), String> {
        let mut changes = self.hub.changes.subscribe();
        let holds = async {
            while !fact(self) {
                if changes.changed().await.is_err() {
                    break;
                }
            }
        };
        tokio::time::timeout(WAIT, holds).await.map_err(|_| {
            let log: Vec<String> =
                self.requests().iter().map(|r| format!("{} {}", r.method, r.path)).collect();
            format!("no {what} within {WAIT:?}; requests so far: {log:?}")
        })
    }

    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }

    fn bare(&self, full_name: &str) -> io::Result<BareRepository> {
        let state = self.hub.state();
        let repository = state.repository(full_name).ok_or_else(|| io::Error::other("no such repository"))?;
        Ok(repository.bare.clone())
    }
}

impl Drop for FakeForge {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    Shared(hub): Shared<Arc<Hub>>,
    ConnectInfo(shears): ConnectInfo<Shears>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return Reply::empty(413).into_response();
    };
    let logged = LoggedRequest {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        headers: parts
            .headers
            .iter()
            .map(|(k, v)| (k.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
            .collect(),
        body: body.to_vec(),
        on: api::kind_of(&hub, parts.method.as_str(), parts.uri.path(), parts.uri.query().unwrap_or("")),
    };
    let fault = record(&hub, &logged);
    let reply = match &fault {
        Some(fault) if !fault.commits() => api::refusal(&hub, fault, &logged),
        Some(_) | None => perform(&hub, logged).await,
    };
    hub.changed();
    match fault {
        Some(fault) => spoil(&fault, &hub, reply, &shears).await.into_response(),
        None => reply.into_response(),
    }
}

fn record(hub: &Hub, logged: &LoggedRequest) -> Option<Fault> {
    let mut state = hub.state();
    state.log.push(logged.clone());
    let fault = logged.on.and_then(|on| state.faults.take(on));
    drop(state);
    hub.changed();
    fault
}

async fn perform(hub: &Arc<Hub>, request: LoggedRequest) -> Reply {
    if matches!(request.on, Some(On::GitFetch | On::GitPush)) {
        return cgi::serve(hub, &request).await;
    }
    let hub = Arc::clone(hub);
    tokio::task::spawn_blocking(move || api::answer(&hub, &request))
        .await
        .unwrap_or_else(|_| Reply::empty(500))
}

/// Does to a finished answer what the fault says.
async fn spoil(fault: &Fault, hub: &Hub, reply: Reply, shears: &Shears) -> Reply {
    match fault {
        Fault::DropBeforeCommit | Fault::CommitThenDropReply => {
            shears.cut_after(0);
            reply
        }
        Fault::CommitThenCutReply(bytes) => {
            shears.cut_after(*bytes);
            reply
        }
        Fault::CommitThenStatus(status) => api::error(hub, *status, "the fake forge was told to say so"),
        Fault::CommitThenSlow(time) => {
            tokio::time::sleep(*time).await;
            reply
        }
        Fault::CommitThenHang => std::future::pending().await,
        Fault::CommitThenMalformedJson => Reply { body: b"{\"number\": 1, \"ur".to_vec(), ..reply },
        Fault::CommitThenWrongShape => Reply { body: b"{\"number\": \"one\"}".to_vec(), ..reply },
        Fault::Status(_)
        | Fault::EchoAuthorization(_)
        | Fault::TooManyRequests(_)
        | Fault::PrimaryLimit(_)
        | Fault::SecondaryLimit
        | Fault::RedirectTo(_)
        | Fault::HtmlPage
        | Fault::FalseDuplicate => reply,
    }
}

impl Reply {
    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(self.body)).unwrap_or_default()
    }
}
