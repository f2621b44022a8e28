//! Tools about what waits for a person's word, and about exceptions from rules.

use overnight_core::git::CommitPrefix;
use overnight_core::job::ParkReason;
use overnight_core::policy::preflight::{ExceptionTerms, Glob, Rule};
use overnight_core::text::one_line;
use overnight_store::{Answer, ExceptionFilter, JobFilter, NewException, WordError};
use serde_json::{Value, json};

use super::super::tool::{Arguments, Tool, ToolError};
use super::jobs::job_argument;
use super::{Operator, Page, failed};

/// Jobs of one page, each with all that was found in it: what a model reads at once.
const FEW: usize = 20;

pub(super) fn reading() -> Vec<Tool> {
    let mut waiting = Page::properties();
    waiting["limit"] =
        json!({"type": "integer", "minimum": 1, "maximum": FEW, "description": "20 unless said"});
    let mut exceptions = Page::properties();
    exceptions["all"] = json!({"type": "boolean", "description": "also those that are over"});
    vec![
        Tool::reading(
            "list_approvals",
            "The jobs that wait for a person's word, newest first, each with its commit, what was found in it (file, line, rule) and what \
             its checks came to.",
            &waiting,
            &[],
        ),
        Tool::reading(
            "list_exceptions",
            "The exceptions from rules of the inspection that hold, newest first, in pages.",
            &exceptions,
            &[],
        ),
    ]
}

pub(super) fn saying() -> Vec<Tool> {
    let commit = json!({"type": "string", "description": "the commit that the word is about: at least its first 7 digits"});
    vec![
        Tool::reading(
            "approve_job",
            "Let exactly this commit be published. Only for what the person you work for has looked at and agreed to; refused where the \
             job waits with another commit by now.",
            &json!({"job": job_argument(), "commit": commit, "message": {"type": "string", "description": "why, for the record"}}),
            &["job", "commit"],
        )
        .destroying(),
        Tool::reading(
            "reject_job",
            "Do not want this commit: the job's agent is told the message and tries again, or the job ends.",
            &json!({
                "job": job_argument(),
                "commit": commit,
                "message": {"type": "string", "description": "why; the agent is told it"},
                "end": {"type": "boolean", "description": "end the job instead"},
            }),
            &["job", "commit", "message"],
        )
        .destroying(),
    ]
}

pub(super) fn excepting() -> Vec<Tool> {
    let rules: Vec<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    vec![
        Tool::reading(
            "add_exception",
            "Let a rule of the inspection not hold for some files of a repository, for a while.",
            &json!({
                "repository": {"type": "string", "description": "name, as of list_repositories"},
                "rule": {"type": "string", "enum": rules},
                "path": {"type": "string", "description": "only for these files, like docs/** or *.sql"},
                "until": {"type": "string", "description": "how long it holds, as in 12h or 7d; 7d unless said, at most 90d"},
                "message": {"type": "string", "description": "why"},
                "request": {"type": "string", "description": "a key of yours: the same key makes one exception"},
            }),
            &["repository", "rule", "message"],
        )
        .writing(),
        Tool::reading(
            "end_exception",
            "End an exception that holds.",
            &json!({"id": {"type": "string", "description": "as of list_exceptions"}}),
            &["id"],
        )
        .destroying(),
    ]
}

pub(super) async fn approvals(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let page = Page::of(arguments)?;
    let page = Page { limit: page.limit.min(FEW), ..page };
    let limit = page.from.saturating_add(page.limit).saturating_add(1);
    let filter = JobFilter {
        parked: Some(ParkReason::Approval),
        ended: Some(false),
        limit: Some(u32::try_from(limit).unwrap_or(u32::MAX)),
        ..JobFilter::default()
    };
    let jobs = operator.store.jobs(&filter).await.map_err(|error| failed(&error))?.jobs;
    let mut shown = Vec::new();
    for job in jobs.iter().skip(page.from).take(page.limit) {
        shown.extend(operator.store.awaited_approval(job).await.map_err(|error| failed(&error))?);
    }
    let next = (jobs.len() > page.from.saturating_add(page.limit))
        .then(|| page.from.saturating_add(page.limit).to_string());
    Ok(json!({"approvals": shown, "next_cursor": next}))
}

pub(super) async fn approve(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let message = arguments.text("message")?.map(str::to_owned);
    say(operator, arguments, Answer::Approve { message }, "it goes on to publish exactly this commit").await
}

pub(super) async fn reject(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let end = arguments.flag("end")?.unwrap_or(false);
    let message = arguments.needed("message")?.to_owned();
    let meaning = if end { "the job ends" } else { "its agent is told, and tries again" };
    say(operator, arguments, Answer::Reject { message, end }, meaning).await
}

async fn say(
    operator: &Operator,
    arguments: &Arguments,
    word: Answer,
    meaning: &str,
) -> Result<Value, ToolError> {
    let commit = CommitPrefix::parse(arguments.needed("commit")?);
    let commit = commit.map_err(|error| ToolError::bad(error.to_string()))?;
    let job = operator.job(arguments).await?;
    let said = operator.store.job_say(&job, Some(&commit), &operator.by, word).await;
    let commit = said.map_err(|error| refused(&error))?;
    Ok(json!({"job": job.key, "commit": commit, "meaning": meaning}))
}

fn refused(error: &WordError) -> ToolError {
    let what = error.to_string();
    match error {
        WordError::Words(_) => ToolError::bad(what),
        WordError::NotAsked { .. } => {
            ToolError::new("NO_APPROVAL_AWAITED", format!("{what}; list_approvals lists those that do"))
        }
        WordError::OtherCommit { .. } => {
            ToolError::new("OTHER_COMMIT", format!("{what}; look at that one with list_approvals first"))
        }
        WordError::Cancelled { .. } => ToolError::new("CANCEL_ASKED", what),
        WordError::Held { .. } => ToolError::new("HELD", format!("{what}: say it again in a moment")),
        WordError::Store(error) => failed(error),
    }
}

pub(super) async fn exceptions(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let page = Page::of(arguments)?;
    let filter =
        ExceptionFilter { all: arguments.flag("all")?.unwrap_or(false), ..ExceptionFilter::default() };
    let listed = operator.store.exceptions(&filter).await.map_err(|error| failed(&error))?;
    Ok(page.cut(listed, "exceptions", |one| json!(one)))
}

pub(super) async fn except(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let (path, until) = (arguments.text("path")?, arguments.text("until")?);
    let terms = ExceptionTerms::parse(arguments.needed("rule")?, path, arguments.needed("message")?, until);
    let terms = terms.map_err(|error| ToolError::bad(error.to_string()))?;
    let name = arguments.needed("repository")?;
    let all = operator.store.repositories().await.map_err(|error| failed(&error))?;
    let found = all.into_iter().find(|repository| repository.name == name);
    let unknown = || {
        let name = one_line(name, 60);
        ToolError::new("NOT_FOUND", format!("there is no repository {name:?}; list_repositories lists them"))
    };
    let repository = found.ok_or_else(unknown)?.id;
    let request = operator.request(arguments, "except")?;
    let new = NewException { repository, terms, by: operator.by.clone() };
    let made =
        operator.store.exception_add(&new, request.as_deref()).await.map_err(|error| failed(&error))?;
    let path = new.terms.path.as_ref().map(Glob::as_str);
    let same = made.repository == name
        && made.rule == new.terms.rule.code()
        && made.path.as_deref() == path
        && made.message == new.terms.message;
    if !same {
        let what = "that request made another exception; give each a key of its own";
        return Err(ToolError::new("REQUEST_REUSED", what));
    }
    Ok(json!({"exception": made}))
}

pub(super) async fn end_exception(operator: &Operator, arguments: &Arguments) -> Result<Value, ToolError> {
    let id = arguments.needed("id")?;
    let fits = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let ended =
        if fits { operator.store.exception_end(id).await.map_err(|error| failed(&error))? } else { 0 };
    if ended == 0 {
        return Err(ToolError::new(
            "NOT_FOUND",
            "no exception with this id holds; list_exceptions lists those that do",
        ));
    }
    Ok(json!({"ended": id}))
}
