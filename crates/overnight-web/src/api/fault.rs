//! Why the API did not do as asked: problems (RFC 9457) with codes that do not change, and what to do about each.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use overnight_store::{ErrorClass, FindError, StoreError};
use serde_json::json;

use super::desk::{Refusal, RefusalKind};

macro_rules! codes {
    ($($name:ident $text:literal $status:ident $title:literal),+ $(,)?) => {
        /// What went wrong. The texts are public, and end the `type` of a problem.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code { $($name),+ }

        impl Code {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            pub(crate) fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status),+ }
            }

            pub(crate) fn title(self) -> &'static str {
                match self { $(Self::$name => $title),+ }
            }
        }
    };
}

codes! {
    BadRequest "bad-request" BAD_REQUEST "The request cannot be read",
    BadQuery "bad-query" BAD_REQUEST "The query cannot be used",
    BadCursor "bad-cursor" BAD_REQUEST "The cursor is none of ours",
    BadPosition "bad-position" BAD_REQUEST "The position in the stream is none of ours",
    BadKey "bad-idempotency-key" BAD_REQUEST "The idempotency key cannot be used",
    TokenInUrl "token-in-url" BAD_REQUEST "A token must not stand in a URL",
    TokenMissing "token-missing" UNAUTHORIZED "A token is needed",
    TokenInvalid "token-invalid" UNAUTHORIZED "The token is not good",
    TokenExpired "token-expired" UNAUTHORIZED "The token has expired",
    TokenRevoked "token-revoked" UNAUTHORIZED "The token was revoked",
    ScopeTooSmall "scope-too-small" FORBIDDEN "The token may not do this",
    CrossSite "cross-site" FORBIDDEN "Pages of other sites may not ask here",
    NotFound "not-found" NOT_FOUND "There is no such thing",
    UnknownJob "unknown-job" NOT_FOUND "There is no such job",
    UnknownWorker "unknown-worker" NOT_FOUND "There is no such worker",
    UnknownItem "unknown-item" NOT_FOUND "There is no such item",
    UnknownRepository "unknown-repository" NOT_FOUND "There is no such repository",
    UnknownQuestion "unknown-question" NOT_FOUND "There is no such question",
    UnknownException "unknown-exception" NOT_FOUND "There is no such exception",
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED "This cannot be done here",
    BodyTooSlow "body-too-slow" REQUEST_TIMEOUT "The body took too long",
    AmbiguousJob "ambiguous-job" CONFLICT "Several jobs are called so",
    JobEnded "job-ended" CONFLICT "The job has ended",
    JobNotEnded "job-not-ended" CONFLICT "The job has not ended",
    JobHeld "job-held" CONFLICT "Somebody works on the job",
    JobBlocked "job-blocked" CONFLICT "The job waits for other jobs",
    ItemBusy "item-busy" CONFLICT "A job of the item has not ended",
    ItemHasParts "item-has-parts" CONFLICT "Other items belong to it",
    RepositoryInUse "repository-in-use" CONFLICT "The repository has jobs or items",
    JobPublishing "job-publishing" CONFLICT "The job's work is being published",
    CancelAsked "cancel-asked" CONFLICT "The job is to be cancelled",
    SeveralQuestions "several-questions" CONFLICT "The job has several open questions",
    QuestionSettled "question-settled" CONFLICT "The question cannot be answered any more",
    TooManyMessages "too-many-messages" CONFLICT "The job has as many messages as it may",
    NoApproval "no-approval-awaited" CONFLICT "The job does not wait for approval",
    OtherCommit "other-commit" CONFLICT "The job waits with another commit",
    RequestReused "request-reused" CONFLICT "The key belongs to another request",
    ChangedMeanwhile "changed-meanwhile" PRECONDITION_FAILED "It was changed since it was looked at",
    BodyTooLarge "body-too-large" PAYLOAD_TOO_LARGE "The body is too large",
    NotJson "not-json" UNSUPPORTED_MEDIA_TYPE "The body has to be application/json",
    OrderRefused "order-refused" UNPROCESSABLE_ENTITY "The order cannot be accepted",
    ItemRefused "item-refused" UNPROCESSABLE_ENTITY "The backlog cannot be changed so",
    PlanRefused "plan-refused" UNPROCESSABLE_ENTITY "The plan cannot be used",
    BadBody "bad-body" UNPROCESSABLE_ENTITY "The body does not say what it has to",
    TooManyStreams "too-many-streams" TOO_MANY_REQUESTS "Too many streams are open",
    TooManyAnswers "too-many-requests-kept" TOO_MANY_REQUESTS "Too many idempotency keys are in use",
    StoreFailed "store-failed" SERVICE_UNAVAILABLE "The store does not answer",
    Unexpected "unexpected" INTERNAL_SERVER_ERROR "Overnight made a mistake",
}

/// One refusal.
#[derive(Debug)]
pub(crate) struct Fault {
    code: Code,
    detail: String,
    hint: Option<String>,
    /// Where in a document that was sent: line and column, from 1.
    place: Option<(usize, usize)>,
}

impl Fault {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), hint: None, place: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn with(self, code: Code) -> Self {
        Self { code, ..self }
    }

    pub(crate) fn at(self, line: usize, column: usize) -> Self {
        Self { place: Some((line, column)), ..self }
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Self { code, detail, hint, place } = self;
        let mut body = json!({
            "type": format!("urn:overnight:problem:{}", code.as_str()),
            "title": code.title(),
            "status": code.status().as_u16(),
            "detail": detail,
            "code": code.as_str(),
            "hint": hint,
        });
        if let Some((line, column)) = place {
            (body["line"], body["column"]) = (line.into(), column.into());
        }
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (code.status(), [(header::CONTENT_TYPE, kind)], body.to_string()).into_response();
        let headers = response.headers_mut();
        if code.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"overnight\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if matches!(code, Code::TooManyStreams | Code::StoreFailed) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// What failed is in the log: it may name what is not everybody's business.
impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::UnknownJob { job } => Self::new(Code::UnknownJob, format!("there is no job {job}")),
            StoreError::Blocked { key } => Self::new(Code::JobBlocked, format!("{key} waits for other jobs"))
                .hint("GET the job: queue.waits_for names them"),
            error => {
                tracing::warn!(error = error as &dyn std::error::Error, "the store failed a request");
                let class = error.class();
                let code = if class == ErrorClass::Bug { Code::Unexpected } else { Code::StoreFailed };
                let fault = Self::new(code, "the store failed; the log of the server says more");
                Self { hint: class.hint().map(str::to_owned), ..fault }
            }
        }
    }
}

impl From<FindError> for Fault {
    fn from(error: FindError) -> Self {
        let what = error.to_string();
        match error {
            FindError::NotFound { nearest, .. } => {
                let near: Vec<&str> = nearest.iter().map(|key| key.as_str()).collect();
                let hint = if near.is_empty() {
                    "GET /api/v1/jobs lists those there are".to_owned()
                } else {
                    format!("did you mean {}?", near.join(" or "))
                };
                Self::new(Code::UnknownJob, what).hint(hint)
            }
            FindError::Ambiguous { matches, .. } => {
                let keys: Vec<&str> = matches.iter().map(|(key, _)| key.as_str()).collect();
                Self::new(Code::AmbiguousJob, what).hint(format!("name one of these: {}", keys.join(", ")))
            }
            FindError::Store(error) => error.into(),
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        let Refusal { kind, what, help } = refusal;
        let code = match kind {
            RefusalKind::Unusable => Code::OrderRefused,
            RefusalKind::Forbidden => Code::ScopeTooSmall,
            RefusalKind::Store => Code::StoreFailed,
            RefusalKind::Unexpected => Code::Unexpected,
        };
        Self { code, detail: what, hint: help, place: None }
    }
}
