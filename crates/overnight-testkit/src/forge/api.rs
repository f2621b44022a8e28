//! Which request is which, and what the forge does about it.
//!
//! Owns no state; works on the forge's under its lock. How an answer looks is in `github` and `gitea`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::fault::{Fault, On};
use super::log::LoggedRequest;
use super::more::{self, Asked};
use super::people::FakeFit;
use super::route::{self, Place, Target, decoded};
use super::server::{Flavour, Hub};
use super::state::{FakePullRequest, FakeToken, PullState, Repository, State};
use super::{gitea, github, shapes};

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

    pub(super) fn header(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name.to_owned(), format!("{value}")));
        self
    }
}

/// The place of a request's path.
fn target(hub: &Hub, path: &str) -> Option<Target> {
    let below = path.strip_prefix(&hub.sub_path)?;
    // GitHub's GraphQL is beside the REST API.
    if hub.flavour == Flavour::GitHub && below == "/api/graphql" {
        return Some(Target { repository: None, place: Place::GraphQl });
    }
    route::target(hub.flavour, below.strip_prefix(hub.api_path())?)
}

pub(super) fn kind_of(hub: &Hub, method: &str, path: &str, query: &str) -> Option<On> {
    if let Some(target) = target(hub, path) {
        return route::on(method, &target.place);
    }
    let (_, service) = path.strip_prefix(&hub.sub_path)?.split_once(".git/")?;
    let pushes = service == "git-receive-pack" || query.contains("service=git-receive-pack");
    Some(if pushes { On::GitPush } else { On::GitFetch })
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
    let state = hub.state();
    let statement = || {
        let of_app = state.app.is_some() && token.split('.').count() == 3;
        of_app.then(|| FakeToken { login: "nightly[bot]".to_owned(), can_push: true, scopes: None })
    };
    state.tokens.get(&token).cloned().or_else(statement)
}

/// The answer to a request of the API.
pub(super) fn answer(hub: &Hub, request: &LoggedRequest) -> Reply {
    let Some((on, target)) = request.on.zip(target(hub, &request.path)) else {
        return error(hub, 404, "Not Found");
    };
    let Some(token) = token_of(hub, request) else {
        return error(hub, 401, "Bad credentials");
    };
    let json = serde_json::from_slice(&request.body).unwrap_or_default();
    let asked = Asked { hub, request, token: &token, json };
    let reply = reply(&asked, on, &target);
    let rate = hub.state().rate.unwrap_or((5_000, 4_999));
    let names = if hub.flavour == Flavour::GitLab { "ratelimit" } else { "x-ratelimit" };
    let reply = reply
        .header(&format!("{names}-limit"), rate.0)
        .header(&format!("{names}-remaining"), rate.1)
        .header(&format!("{names}-reset"), LIMIT_DATE_SECONDS + 3_600)
        .header("date", LIMIT_DATE);
    if hub.state().etags && request.method == "GET" && reply.status == 200 {
        tagged(reply, request)
    } else {
        reply
    }
}

/// A weak tag from the body's content, and nothing but it where the client has that already.
fn tagged(reply: Reply, request: &LoggedRequest) -> Reply {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    reply.body.hash(&mut hasher);
    let tag = format!("W/\"{:x}\"", hasher.finish());
    if request.header("if-none-match") == Some(tag.as_str()) {
        return Reply { status: 304, body: Vec::new(), ..reply };
    }
    reply.header("etag", tag)
}

fn reply(asked: &Asked<'_>, on: On, target: &Target) -> Reply {
    let (hub, request, token) = (asked.hub, asked.request, asked.token);
    let mut state = hub.state();
    let Some(name) = &target.repository else {
        return match &target.place {
            Place::App => Reply::json(200, &json!({"id": 5, "slug": "nightly", "name": "Nightly"})),
            Place::AccessTokens => make_token(&mut state),
            Place::GraphQl => more::graphql(asked, &mut state.repositories),
            Place::Users => {
                let login = query_value(&request.query, "username").unwrap_or_default();
                let at = state.people.keys().position(|known| *known == login);
                Reply::json(
                    200,
                    &at.map_or(
                        json!([]),
                        |at| json!([{"id": at + 1, "username": login, "name": login, "state": "active"}]),
                    ),
                )
            }
            _ => account(hub, token),
        };
    };
    // Copied before the repository is borrowed: rights are the forge's, not its.
    let people: Rights = state.people.clone();
    with_repository(hub, &mut state, name, |repository| match &target.place {
        Place::Repository => Reply::json(200, &show_repository(hub, repository, token)),
        Place::Pulls if on == On::CreatePullRequest => create(hub, repository, token, request),
        Place::Pulls => list(hub, repository, request),
        place => more::answer(asked, repository, place, &people),
    })
}

/// Who may write, by name.
pub(super) type Rights = std::collections::BTreeMap<String, bool>;

fn make_token(state: &mut State) -> Reply {
    let Some(life) = state.app else { return Reply::empty(404) };
    state.app_tokens += 1;
    let token = format!("ghs_{}", state.app_tokens);
    let meaning = FakeToken { login: "nightly[bot]".to_owned(), can_push: true, scopes: None };
    state.tokens.insert(token.clone(), meaning);
    let expires = super::people::shown(1_709_164_800 + life);
    Reply::json(201, &json!({"token": token, "expires_at": expires, "permissions": {"contents": "write"}}))
}

fn with_repository(
    hub: &Hub,
    state: &mut State,
    full_name: &str,
    act: impl FnOnce(&mut Repository) -> Reply,
) -> Reply {
    let Some(repository) = state.repository_mut(full_name) else {
        return error(hub, 404, "Not Found");
    };
    refresh(repository);
    act(repository)
}

/// An open pull request shows what its branches are now.
pub(super) fn refresh(repository: &mut Repository) {
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
        Flavour::GitLab => Reply::json(
            200,
            &json!({"id": 1, "username": token.login, "name": token.login, "state": "active"}),
        ),
    }
}

fn show_repository(hub: &Hub, repository: &Repository, token: &FakeToken) -> Value {
    match hub.flavour {
        Flavour::GitHub => github::full_repository(hub, repository, token.can_push),
        Flavour::Gitea => gitea::repository(hub, repository, token.can_push),
        Flavour::GitLab => shapes::project(hub, repository, token.can_push),
    }
}

pub(super) fn show_pull(hub: &Hub, repository: &Repository, pull: &FakePullRequest, whole: bool) -> Value {
    match hub.flavour {
        Flavour::GitHub => {
            let mut shape = github::pull(hub, repository, pull, whole);
            if let Some(commit) = repository.people.merge_commits.get(&pull.number) {
                shape["merge_commit_sha"] = json!(commit);
            }
            if whole {
                let (mergeable, state) = match shapes::fit(repository, pull.number) {
                    Some(FakeFit::Conflict) => (json!(false), "dirty"),
                    Some(FakeFit::Behind) => (json!(true), "behind"),
                    Some(FakeFit::UnknownThenConflict(_)) => (Value::Null, "unknown"),
                    None => (json!(true), "clean"),
                };
                (shape["mergeable"], shape["mergeable_state"]) = (mergeable, json!(state));
            }
            shape
        }
        Flavour::Gitea => {
            let mut shape = gitea::pull(hub, repository, pull);
            shape["merge_commit_sha"] = json!(repository.people.merge_commits.get(&pull.number));
            match shapes::fit(repository, pull.number) {
                Some(FakeFit::Conflict | FakeFit::UnknownThenConflict(_)) => {
                    shape["mergeable"] = json!(false)
                }
                Some(FakeFit::Behind) => shape["merge_base"] = json!("0".repeat(40)),
                None => {}
            }
            shape
        }
        Flavour::GitLab => shapes::merge_request(hub, repository, pull),
    }
}

fn list(hub: &Hub, repository: &Repository, request: &LoggedRequest) -> Reply {
    let wanted = query_value(&request.query, "state").unwrap_or_else(|| "open".to_owned());
    let in_state = |pull: &&FakePullRequest| match wanted.as_str() {
        "all" => true,
        "closed" => pull.state != PullState::Open,
        _ => pull.state == PullState::Open,
    };
    let fits = |pull: &&FakePullRequest| match hub.flavour {
        Flavour::GitHub => github_filter(pull, &request.query),
        Flavour::Gitea => true,
        Flavour::GitLab => query_value(&request.query, "source_branch").is_none_or(|head| head == pull.head),
    };
    // Newest first: GitHub's default, and Gitea's `recentupdate` as long as nothing is updated.
    let found: Vec<&FakePullRequest> = repository.pulls.iter().rev().filter(in_state).filter(fits).collect();
    let (size_key, max) = match hub.flavour {
        Flavour::GitHub | Flavour::GitLab => ("per_page", 100),
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
    let names = match hub.flavour {
        Flavour::GitHub | Flavour::Gitea => ["body", "base", "head"],
        Flavour::GitLab => ["description", "target_branch", "source_branch"],
    };
    let title = text("title");
    let [body, base, head] = names.map(text);
    let head = head.strip_prefix(&format!("{}:", repository.owner())).unwrap_or(&head).to_owned();
    if let Some(refusal) = objection(hub, repository, &head, &base, &body) {
        return refusal;
    }
    let tips = repository.bare.tip(&head).ok().flatten().zip(repository.bare.tip(&base).ok().flatten());
    let Some((head_commit, base_commit)) = tips else { return error(hub, 500, "Server Error") };
    let draft = match hub.flavour {
        Flavour::GitHub => json.get("draft").and_then(Value::as_bool).unwrap_or(false),
        Flavour::Gitea | Flavour::GitLab => more::is_draft(&title),
    };
    let pull = FakePullRequest {
        number: repository.next_number(),
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
        Flavour::GitLab if missing(base) || missing(head) => {
            Some(Reply::json(422, &json!({"message": ["Source branch does not exist"]})))
        }
        Flavour::GitLab if head == base => Some(Reply::json(
            422,
            &json!({"message": ["You can't use same project/branch for source and target"]}),
        )),
        Flavour::GitLab => twin.map(|twin| {
            let text =
                format!("Another open merge request already exists for this source branch: !{}", twin.number);
            Reply::json(409, &json!({"message": [text]}))
        }),
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
            Flavour::Gitea | Flavour::GitLab => {
                error(hub, 409, "pull request already exists for these targets")
            }
        },
        Fault::HtmlPage => Reply {
            status: 200,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: b"<!DOCTYPE html><title>Sign in</title>".to_vec(),
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
        Flavour::GitLab => Reply::json(status, &json!({"message": message})),
    }
}

/// The decoded value of a key in a query.
pub(super) fn query_value(query: &str, key: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.split_once('=').filter(|(name, _)| *name == key))?.1;
    decoded(&value.replace('+', " "))
}

pub(super) fn with_page(query: &str, page: usize) -> String {
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("page="));
    kept.map(str::to_owned).chain([format!("page={page}")]).collect::<Vec<_>>().join("&")
}
