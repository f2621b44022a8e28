//! Which request is which, and what the forge does about it.
//!
//! Owns no state; works on the forge's under its lock. How an answer looks is in `github` and `gitea`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fault::{Fault, On};
use super::log::LoggedRequest;
use super::server::{Flavour, Hub};
use super::state::{FakePullRequest, FakeToken, PullState, Repository, State};
use super::{edit, gitea, github};

/// `Date` of limited answers, so that reset times need no clock: 2024-02-29 00:00:00 UTC.
const LIMIT_DATE: &str = "Thu, 29 Feb 2024 00:00:00 GMT";
const LIMIT_DATE_SECONDS: u64 = 1_709_164_800;
/// GitHub's longest body of a pull request, in characters.
const MAX_BODY: usize = 65_536;

/// An answer before it is sent.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
        Self { status, headers, body: text.as_bytes().to_vec() }
    }

    pub(super) fn json(status: u16, json: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
        Self { status, headers, body: json.to_string().into_bytes() }
    }

    fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name.to_owned(), format!("{value}")));
        self
    }
}

/// The place that a path names.
enum Place<'a> {
    Account,
    Repository(&'a str, &'a str),
    Pulls(&'a str, &'a str),
    Pull(&'a str, &'a str, u64),
    /// GitHub's other interface, beside the version of this one.
    GraphQl,
}

pub(super) fn kind_of(hub: &Hub, method: &str, path: &str, query: &str) -> Option<On> {
    let below = path.strip_prefix(&hub.sub_path)?;
    if is_graphql(hub, below) {
        return (method == "POST").then_some(On::ChangePullRequest);
    }
    if let Some(api) = below.strip_prefix(hub.api_path()) {
        return match (method, place(api)?) {
            ("GET", Place::Account) => Some(On::GetAccount),
            ("GET", Place::Repository(..)) => Some(On::GetRepository),
            ("GET", Place::Pulls(..)) => Some(On::ListPullRequests),
            ("POST", Place::Pulls(..)) => Some(On::CreatePullRequest),
            ("GET", Place::Pull(..)) => Some(On::GetPullRequest),
            ("PATCH", Place::Pull(..)) => Some(On::ChangePullRequest),
            _ => None,
        };
    }
    let (_, service) = below.split_once(".git/")?;
    let pushes = service == "git-receive-pack" || query.contains("service=git-receive-pack");
    Some(if pushes { On::GitPush } else { On::GitFetch })
}

fn is_graphql(hub: &Hub, below: &str) -> bool {
    hub.flavour == Flavour::GitHub && below == "/api/graphql"
}

fn place(path: &str) -> Option<Place<'_>> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["user"] => Some(Place::Account),
        ["repos", owner, repo] => Some(Place::Repository(owner, repo)),
        ["repos", owner, repo, "pulls"] => Some(Place::Pulls(owner, repo)),
        ["repos", owner, repo, "pulls", number] => Some(Place::Pull(owner, repo, number.parse().ok()?)),
        _ => None,
    }
}

/// The meaning of the request's token: `Bearer`, `token`, or the password of Basic auth.
pub(super) fn token_of(hub: &Hub, request: &LoggedRequest) -> Option<FakeToken> {
    let (scheme, value) = request.header("authorization")?.split_once(' ')?;
    let token = match scheme.to_ascii_lowercase().as_str() {
        "bearer" | "token" => value.trim().to_owned(),
        "basic" => {
            let pair = String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()?;
            pair.split_once(':')?.1.to_owned()
        }
        _ => return None,
    };
    hub.state().tokens.get(&token).cloned()
}

/// The answer to a request of the API.
pub(super) fn answer(hub: &Hub, request: &LoggedRequest) -> Reply {
    let path = request.path.strip_prefix(&hub.sub_path).unwrap_or("");
    let graphql = is_graphql(hub, path).then_some(Place::GraphQl);
    let place = graphql.or_else(|| path.strip_prefix(hub.api_path()).and_then(place));
    let Some((on, place)) = request.on.zip(place) else { return error(hub, 404, "Not Found") };
    let Some(token) = token_of(hub, request) else {
        return error(hub, 401, "Bad credentials");
    };
    let mut state = hub.state();
    let reply = match place {
        Place::Account => account(hub, &token),
        Place::Repository(owner, repo) => with_repository(hub, &mut state, owner, repo, |repository| {
            Reply::json(200, &show_repository(hub, repository, &token))
        }),
        Place::Pulls(owner, repo) => with_repository(hub, &mut state, owner, repo, |repository| {
            if on == On::CreatePullRequest {
                create(hub, repository, &token, request)
            } else {
                list(hub, repository, request)
            }
        }),
        Place::Pull(owner, repo, number) => with_repository(hub, &mut state, owner, repo, |repository| {
            if on == On::ChangePullRequest {
                return edit::change(hub, repository, &token, number, request);
            }
            let pull = repository.pulls.iter().find(|pull| pull.number == number);
            pull.map_or_else(
                || error(hub, 404, "Not Found"),
                |pull| Reply::json(200, &show_pull(hub, repository, pull, true)),
            )
        }),
        Place::GraphQl => edit::graphql(&mut state, &token, request),
    };
    drop(state);
    let remaining = reply.header("x-ratelimit-limit", 5_000).header("x-ratelimit-remaining", 4_999);
    remaining.header("x-ratelimit-reset", LIMIT_DATE_SECONDS + 3_600)
}

fn with_repository(
    hub: &Hub,
    state: &mut State,
    owner: &str,
    repo: &str,
    act: impl FnOnce(&mut Repository) -> Reply,
) -> Reply {
    let Some(repository) = state.repository_mut(&format!("{owner}/{repo}")) else {
        return error(hub, 404, "Not Found");
    };
    follow_branches(repository);
    act(repository)
}

/// An open pull request shows what its branches are now.
fn follow_branches(repository: &mut Repository) {
    let full_name = repository.full_name.clone();
    for pull in repository
        .pulls
        .iter_mut()
        .filter(|pull| pull.state == PullState::Open && pull.head_repository == full_name)
    {
        if let Ok(Some(tip)) = repository.bare.tip(&pull.head) {
            pull.head_commit = tip;
        }
    }
}

fn account(hub: &Hub, token: &FakeToken) -> Reply {
    match hub.flavour {
        Flavour::GitHub => {
            let reply = Reply::json(200, &github::account(hub, &token.login));
            match &token.scopes {
                Some(scopes) => reply.header("x-oauth-scopes", scopes.join(", ")),
                None => reply,
            }
        }
        Flavour::Gitea => Reply::json(200, &gitea::user(hub, &token.login)),
    }
}

fn show_repository(hub: &Hub, repository: &Repository, token: &FakeToken) -> Value {
    match hub.flavour {
        Flavour::GitHub => github::full_repository(hub, repository, token.can_push),
        Flavour::Gitea => gitea::repository(hub, repository, token.can_push),
    }
}

pub(super) fn show_pull(hub: &Hub, repository: &Repository, pull: &FakePullRequest, whole: bool) -> Value {
    match hub.flavour {
        Flavour::GitHub => github::pull(hub, repository, pull, whole),
        Flavour::Gitea => gitea::pull(hub, repository, pull),
    }
}

fn list(hub: &Hub, repository: &Repository, request: &LoggedRequest) -> Reply {
    let wanted = query_value(&request.query, "state").unwrap_or_else(|| "open".to_owned());
    let in_state = |pull: &&FakePullRequest| match wanted.as_str() {
        "all" => true,
        "closed" => pull.state != PullState::Open,
        _ => pull.state == PullState::Open,
    };
    let fits = |pull: &&FakePullRequest| hub.flavour == Flavour::Gitea || github_filter(pull, &request.query);
    // Newest first: GitHub's default, and Gitea's `recentupdate` as long as nothing is updated.
    let found: Vec<&FakePullRequest> = repository.pulls.iter().rev().filter(in_state).filter(fits).collect();
    let (size_key, max) = match hub.flavour {
        Flavour::GitHub => ("per_page", 100),
        Flavour::Gitea => ("limit", 50),
    };
    let number = |key| query_value(&request.query, key).and_then(|value| value.parse::<usize>().ok());
    let size = number(size_key).unwrap_or(30).clamp(1, max);
    let page = number("page").unwrap_or(1).max(1);
    let pages = found.len().div_ceil(size).max(1);
    let shown: Vec<Value> = found
        .iter()
        .skip((page - 1) * size)
        .take(size)
        .map(|pull| show_pull(hub, repository, pull, false))
        .collect();
    let reply = Reply::json(200, &Value::Array(shown));
    if page >= pages {
        return reply;
    }
    let at = |page| format!("{}{}?{}", hub.origin, request.path, with_page(&request.query, page));
    reply.header("link", format!("<{}>; rel=\"next\", <{}>; rel=\"last\"", at(page + 1), at(pages)))
}

/// A `head` without an owner is no filter to GitHub: everything is shown.
fn github_filter(pull: &FakePullRequest, query: &str) -> bool {
    let owner = pull.head_repository.split('/').next().unwrap_or("");
    let label = format!("{owner}:{}", pull.head);
    let head_fits = query_value(query, "head").is_none_or(|head| !head.contains(':') || head == label);
    head_fits && query_value(query, "base").is_none_or(|base| base == pull.base)
}

fn create(hub: &Hub, repository: &mut Repository, token: &FakeToken, request: &LoggedRequest) -> Reply {
    if !token.can_push {
        return error(hub, 403, "Resource not accessible by personal access token");
    }
    let Ok(json) = serde_json::from_slice::<Value>(&request.body) else {
        return error(hub, 400, "Problems parsing JSON");
    };
    let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    let (title, body, base) = (text("title"), text("body"), text("base"));
    let head = text("head");
    let head = head.strip_prefix(&format!("{}:", repository.owner())).unwrap_or(&head).to_owned();
    if let Some(refusal) = objection(hub, repository, &head, &base, &body) {
        return refusal;
    }
    let tips = repository.bare.tip(&head).ok().flatten().zip(repository.bare.tip(&base).ok().flatten());
    let Some((head_commit, base_commit)) = tips else { return error(hub, 500, "Server Error") };
    let draft = match hub.flavour {
        Flavour::GitHub => json.get("draft").and_then(Value::as_bool).unwrap_or(false),
        Flavour::Gitea => title.starts_with("WIP:") || title.starts_with("[WIP]"),
    };
    let pull = FakePullRequest {
        number: repository.pulls.len() as u64 + 1,
        title,
        body,
        head,
        base,
        head_repository: repository.full_name.clone(),
        head_commit,
        base_commit,
        draft,
        state: PullState::Open,
        author: token.login.clone(),
    };
    let reply = Reply::json(201, &show_pull(hub, repository, &pull, true));
    repository.pulls.push(pull);
    reply
}

/// Why this pull request cannot be, in the forge's own shape.
fn objection(hub: &Hub, repository: &Repository, head: &str, base: &str, body: &str) -> Option<Reply> {
    let missing = |branch: &str| !matches!(repository.bare.tip(branch), Ok(Some(_)));
    let full_name = &repository.full_name;
    let is_twin = |pull: &&FakePullRequest| {
        pull.state == PullState::Open
            && pull.head == head
            && pull.base == base
            && &pull.head_repository == full_name
    };
    let twin = repository.pulls.iter().find(is_twin);
    match hub.flavour {
        Flavour::GitHub => {
            let invalid = |field: &str| {
                github::invalid(json!({"resource": "PullRequest", "field": field, "code": "invalid"}))
            };
            let custom = |text: String| {
                github::invalid(json!({"resource": "PullRequest", "code": "custom", "message": text}))
            };
            if body.chars().count() > MAX_BODY {
                let text = format!("body is too long (maximum is {MAX_BODY} characters)");
                let problem =
                    json!({"resource": "Issue", "code": "custom", "field": "body", "message": text});
                return Some(github::invalid(problem));
            }
            match (missing(base), missing(head), twin) {
                (true, _, _) => Some(invalid("base")),
                (false, true, _) => Some(invalid("head")),
                (false, false, Some(_)) => {
                    Some(custom(format!("A pull request already exists for {}:{head}.", repository.owner())))
                }
                (false, false, None) if repository.bare.ahead(base, head).unwrap_or(0) == 0 => {
                    Some(custom(format!("No commits between {base} and {head}")))
                }
                (false, false, None) => None,
            }
        }
        // Gitea takes a pull request without commits, but not one of a branch with itself.
        Flavour::Gitea if missing(base) || missing(head) => {
            Some(error(hub, 404, "The target couldn't be found."))
        }
        Flavour::Gitea if head == base => {
            Some(error(hub, 422, "Invalid PullRequest: There are no changes between the head and the base"))
        }
        Flavour::Gitea => twin.map(|twin| gitea::duplicate(hub, repository, twin)),
    }
}

/// The answer to a request that a fault keeps from having an effect.
pub(super) fn refusal(hub: &Hub, fault: &Fault, request: &LoggedRequest) -> Reply {
    let limit = |status: u16, text: &str| error(hub, status, text).header("date", LIMIT_DATE);
    match fault {
        Fault::Status(status) => error(hub, *status, "the fake forge was told to say so"),
        Fault::EchoAuthorization(status) => {
            error(hub, *status, &format!("you sent {}", request.header("authorization").unwrap_or("nothing")))
        }
        Fault::TooManyRequests(seconds) => limit(429, "Too many requests").header("retry-after", seconds),
        Fault::PrimaryLimit(seconds) => limit(403, "API rate limit exceeded for user ID 1.")
            .header("x-ratelimit-limit", 5_000)
            .header("x-ratelimit-remaining", 0)
            .header("x-ratelimit-reset", LIMIT_DATE_SECONDS + seconds),
        Fault::SecondaryLimit => limit(
            403,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        ),
        Fault::RedirectTo(origin) => {
            let to = format!("{origin}{}?{}", request.path, request.query);
            Reply::json(307, &json!({"message": "Temporary Redirect", "url": to})).header("location", to)
        }
        Fault::FalseDuplicate => match hub.flavour {
            Flavour::GitHub => github::invalid(
                json!({"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for o:b."}),
            ),
            Flavour::Gitea => error(hub, 409, "pull request already exists for these targets"),
        },
        Fault::DropBeforeCommit
        | Fault::CommitThenDropReply
        | Fault::CommitThenCutReply(_)
        | Fault::CommitThenStatus(_)
        | Fault::CommitThenSlow(_)
        | Fault::CommitThenHang
        | Fault::CommitThenMalformedJson
        | Fault::CommitThenWrongShape => Reply::empty(500),
    }
}

/// An error in the forge's own shape.
pub(super) fn error(hub: &Hub, status: u16, message: &str) -> Reply {
    match hub.flavour {
        Flavour::GitHub => github::error(status, message),
        Flavour::Gitea => gitea::error(hub, status, message),
    }
}

/// The decoded value of a key in a query.
fn query_value(query: &str, key: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == key))?.1;
    let mut bytes = Vec::new();
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok()
}

fn with_page(query: &str, page: usize) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("page="));
    kept.map(str::to_owned).chain([format!("page={page}")]).collect::<Vec<_>>().join("&")
}
