//! Changing a pull request that is there: its title, its text, and whether it is a draft. Each may be repeated at any time.
//!
//! Owns no state. Must not close, merge or reopen anything.

use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Forge;
use crate::error::{ForgeError, Operation};
use crate::http::{Http, Order};
use crate::retry::Budget;

/// What Gitea and Forgejo put before the title of a draft, and take for one.
const DRAFT_PREFIXES: [&str; 2] = ["WIP:", "[WIP]"];

/// The words of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestText {
    /// Without what marks a draft.
    pub title: String,
    pub body: String,
    pub draft: bool,
}

impl Forge {
    /// # Errors
    /// Any [`ForgeError`] except those of writing.
    pub async fn pull_request_text(&self, number: u64) -> Result<PullRequestText, ForgeError> {
        Ok(self.raw(number, &mut self.budget()).await?.text(self))
    }

    /// Gives the pull request this title and this text. A draft stays one.
    ///
    /// # Errors
    /// Any [`ForgeError`], after bounded repetitions where they can help. Repeating the whole call later is safe.
    pub async fn update_pull_request(&self, number: u64, title: &str, body: &str) -> Result<(), ForgeError> {
        let mut budget = self.budget();
        let title = match self {
            Self::GitHub(_) => title.to_owned(),
            Self::Gitea(_) if self.raw(number, &mut budget).await?.text(self).draft => marked(title),
            Self::Gitea(_) => title.to_owned(),
        };
        self.change(number, &json!({ "title": title, "body": body }), &mut budget).await
    }

    /// Makes the pull request a draft, or one that is ready. Nothing is sent where it is that already.
    ///
    /// # Errors
    /// As [`Self::update_pull_request`].
    pub async fn set_draft(&self, number: u64, draft: bool) -> Result<(), ForgeError> {
        let mut budget = self.budget();
        let raw = self.raw(number, &mut budget).await?;
        let text = raw.text(self);
        if text.draft == draft {
            return Ok(());
        }
        match self {
            Self::GitHub(forge) => {
                github_draft(forge.http(), graphql(self.address().api_base()), &raw, draft, &mut budget).await
            }
            Self::Gitea(_) => {
                let title = if draft { marked(&text.title) } else { text.title };
                self.change(number, &json!({ "title": title }), &mut budget).await
            }
        }
    }

    async fn raw(&self, number: u64, budget: &mut Budget<'_>) -> Result<Raw, ForgeError> {
        let operation = Operation::GetPullRequest;
        let answer = self.http().get(operation, self.pull(number), budget).await?;
        serde_json::from_value(answer.json)
            .map_err(|error| self.http().unexpected(operation, error.to_string()))
    }

    async fn change(&self, number: u64, json: &Value, budget: &mut Budget<'_>) -> Result<(), ForgeError> {
        let order = |json| Order {
            operation: Operation::ChangePullRequest,
            url: self.pull(number),
            json: Some(json),
            patch: true,
        };
        send(self.http(), || order(json), budget).await.map(drop)
    }

    fn pull(&self, number: u64) -> Url {
        self.address().repository_endpoint(&["pulls", &number.to_string()])
    }
}

/// Sends what can be sent twice, and repeats it while the budget lasts.
async fn send<'a>(
    http: &Http,
    order: impl Fn() -> Order<'a>,
    budget: &mut Budget<'_>,
) -> Result<Value, ForgeError> {
    loop {
        match http.send_once(order(), budget.request_timeout()).await {
            Ok(answer) => return Ok(answer.json),
            Err(error) if budget.pause_after(&error).await => {}
            Err(error) => return Err(error),
        }
    }
}

/// GitHub's REST interface cannot change what a draft is; its other one can, and says 200 to whatever it refuses.
async fn github_draft(
    http: &Http,
    url: Result<Url, String>,
    raw: &Raw,
    draft: bool,
    budget: &mut Budget<'_>,
) -> Result<(), ForgeError> {
    let operation = Operation::ChangePullRequest;
    let url = url.map_err(|why| http.unexpected(operation, why))?;
    let Some(node) = &raw.node_id else {
        return Err(http.unexpected(operation, "the pull request has no node id"));
    };
    let mutation = if draft { "convertPullRequestToDraft" } else { "markPullRequestReadyForReview" };
    let query = format!(
        "mutation($id: ID!) {{ {mutation}(input: {{pullRequestId: $id}}) {{ pullRequest {{ isDraft }} }} }}"
    );
    let json = json!({ "query": query, "variables": { "id": node } });
    let order = || Order { operation, url: url.clone(), json: Some(&json), patch: false };
    let answer: Answer = serde_json::from_value(send(http, order, budget).await?)
        .map_err(|error| http.unexpected(operation, error.to_string()))?;
    match answer.errors.first() {
        None => Ok(()),
        Some(error) => {
            let said = crate::body::one_line(&error.message).chars().take(300).collect::<String>();
            Err(ForgeError::Permission { call: http.call(operation), message: said })
        }
    }
}

/// Where GraphQL is answered: beside the REST interface on github.com, and beside its version elsewhere.
fn graphql(api_base: &str) -> Result<Url, String> {
    let base = api_base.trim_end_matches('/');
    let base = base.strip_suffix("/v3").unwrap_or(base);
    Url::parse(&format!("{base}/graphql")).map_err(|error| error.to_string())
}

fn marked(title: &str) -> String {
    format!("WIP: {title}")
}

#[derive(Debug, Deserialize)]
struct Raw {
    title: String,
    body: Option<String>,
    draft: Option<bool>,
    /// GitHub's name for it in GraphQL.
    node_id: Option<String>,
}

impl Raw {
    fn text(&self, forge: &Forge) -> PullRequestText {
        let body = self.body.clone().unwrap_or_default();
        let prefix = DRAFT_PREFIXES.into_iter().find_map(|prefix| self.title.strip_prefix(prefix));
        match (forge, prefix) {
            (Forge::Gitea(_), Some(rest)) => {
                PullRequestText { title: rest.trim_start().to_owned(), body, draft: true }
            }
            (Forge::Gitea(_), None) => PullRequestText { title: self.title.clone(), body, draft: false },
            (Forge::GitHub(_), _) => {
                PullRequestText { title: self.title.clone(), body, draft: self.draft.unwrap_or(false) }
            }
        }
    }
}

/// What GraphQL answers.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    errors: Vec<Refused>,
}

#[derive(Debug, Deserialize)]
struct Refused {
    #[serde(default)]
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphql_is_beside_the_rest_interface() {
        for (base, wanted) in [
            ("https://api.github.com", "https://api.github.com/graphql"),
            ("https://api.github.com/", "https://api.github.com/graphql"),
            ("https://git.example.com/api/v3", "https://git.example.com/api/graphql"),
            ("http://127.0.0.1:1/sub/api/v3/", "http://127.0.0.1:1/sub/api/graphql"),
        ] {
            assert_eq!(graphql(base).unwrap().as_str(), wanted);
        }
    }
}
