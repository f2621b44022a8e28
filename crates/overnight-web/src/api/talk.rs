//! Questions of jobs' agents with their answers, and messages to jobs: as `overnight questions`, `answer`, `tell` and `inbox`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use overnight_core::id::QuestionId;
use overnight_core::job::Job;
use overnight_core::talk::{MESSAGE_CHARS, MOST_OPTIONS, QUESTION_CHARS, Question, QuestionView};
use overnight_core::text::one_line;
use overnight_store::{MeantError, QuestionFilter, Reply, TalkError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::{Code, Fault};
use super::jobs::{cursor, no_cursor, page_size};
use super::once::{Done, nothing, once, words};
use super::operations::{self, Gives, JOB, KEY, LIMIT, Method, ONCE, Operation, Param, READ, path, query};
use super::schemas::{enveloped, page};
use super::take::{Fields, Params, Part, Sender};
use super::world::NoParams;
use super::{Api, answer, document};
use overnight_core::access::Scope;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    List,
    Show,
    Answer,
    TakeBack,
    Inbox,
    Tell,
}

pub(super) fn handler(op: Op, method: MethodFilter) -> MethodRouter<Arc<Api>> {
    match op {
        Op::List => on(method, list),
        Op::Show => on(method, show),
        Op::Answer => on(method, reply),
        Op::TakeBack => on(method, take_back),
        Op::Inbox => on(method, inbox),
        Op::Tell => on(method, tell),
    }
}

const QUESTION: Param = path(
    "question",
    "QuestionName",
    "Its name (app-12/q1, with the / as %2F), its id, or a job that has one open question",
);
const MEANT: &[Code] = &[Code::UnknownQuestion, Code::UnknownJob, Code::AmbiguousJob, Code::SeveralQuestions];
const SETTLES: &[Code] = &[
    Code::BadKey,
    Code::RequestReused,
    Code::TooManyAnswers,
    Code::UnknownQuestion,
    Code::SeveralQuestions,
    Code::QuestionSettled,
    Code::JobEnded,
];

pub(super) static OPERATIONS: [Operation; 6] = [
    Operation {
        op: operations::Op::Talk(Op::List),
        id: "listQuestions",
        path: "/questions",
        about: "What agents ask, newest first, as overnight questions --json",
        params: &[
            query("all", "Flag", "Also those that nobody can answer any more"),
            query("job", "JobName", "Only those of this job"),
            query("cursor", "Cursor", "`next` of the page before"),
            LIMIT,
        ],
        gives: &[(200, Gives::Json("QuestionPage"))],
        faults: JOB,
        ..READ
    },
    Operation {
        op: operations::Op::Talk(Op::Show),
        id: "showQuestion",
        path: "/questions/{question}",
        about: "One question, and what has become of it",
        params: &[QUESTION],
        gives: &[(200, Gives::Json("QuestionDocument"))],
        faults: MEANT,
        ..READ
    },
    Operation {
        op: operations::Op::Talk(Op::Answer),
        id: "answerQuestion",
        method: Method::Post,
        path: "/questions/{question}/answer",
        scope: Scope::Operate,
        about: "Answers a question: of two answers the first counts. A job that waited for nothing else goes on",
        params: &[QUESTION, ONCE],
        takes: Some("NewAnswer"),
        gives: &[(200, Gives::Json("QuestionDocument"))],
        faults: SETTLES,
    },
    Operation {
        op: operations::Op::Talk(Op::TakeBack),
        id: "takeBackQuestion",
        method: Method::Post,
        path: "/questions/{question}/take-back",
        scope: Scope::Operate,
        about: "Takes a question back: its job goes on without an answer",
        params: &[QUESTION, ONCE],
        takes: Some("Nothing"),
        gives: &[(200, Gives::Json("QuestionDocument"))],
        faults: SETTLES,
    },
    Operation {
        op: operations::Op::Talk(Op::Inbox),
        id: "listMessages",
        path: "/jobs/{key}/messages",
        about: "The messages to a job, oldest first, and whether its agent knows of them",
        params: &[KEY],
        gives: &[(200, Gives::Json("Messages"))],
        faults: JOB,
        ..READ
    },
    Operation {
        op: operations::Op::Talk(Op::Tell),
        id: "sendMessage",
        method: Method::Post,
        path: "/jobs/{key}/messages",
        scope: Scope::Operate,
        about: "Tells a job's agent something with its next turn",
        params: &[KEY, ONCE],
        takes: Some("NewMessage"),
        gives: &[(201, Gives::Json("MessageDocument"))],
        faults: &[
            Code::BadKey,
            Code::RequestReused,
            Code::TooManyAnswers,
            Code::JobEnded,
            Code::JobPublishing,
            Code::TooManyMessages,
        ],
    },
];

pub(super) fn schemas() -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    json!({
        "QuestionName": { "type": "string", "minLength": 1, "maxLength": 200, "examples": ["app-12", "app-12%2Fq1"] },
        "NewAnswer": {
            "type": "object",
            "additionalProperties": false,
            "description": "Either in words or the number of an offered answer",
            "properties": {
                "text": { "type": "string", "minLength": 1, "maxLength": QUESTION_CHARS },
                "option": { "type": "integer", "minimum": 1, "maximum": MOST_OPTIONS },
            },
        },
        "NewMessage": {
            "type": "object",
            "required": ["text"],
            "additionalProperties": false,
            "properties": { "text": { "type": "string", "minLength": 1, "maxLength": MESSAGE_CHARS } },
        },
        "Question": {
            "type": "object",
            "required": ["name", "state", "answer_with", "id", "job", "key", "number", "turn", "text", "options",
                "asked_at_ms", "expires_at_ms", "awaited", "answer"],
            "properties": {
                "name": { "type": "string" },
                "state": { "type": "string", "enum": ["open", "answered", "cancelled", "expired"] },
                "answer_with": { "type": ["string", "null"], "description": "The command that answers it, while it is open" },
                "id": { "type": "string" },
                "job": { "type": "string" },
                "key": { "type": "string" },
                "number": { "type": "integer" },
                "turn": { "type": "integer" },
                "text": { "type": "string" },
                "options": { "type": "array", "items": { "type": "string" } },
                "asked_at_ms": reference("Time"),
                "expires_at_ms": reference("Time"),
                "awaited": { "type": "boolean" },
                "answer": { "type": ["object", "null"] },
                "cancelled_at_ms": reference("MaybeTime"),
            },
        },
        "Message": {
            "type": "object",
            "required": ["id", "job", "number", "from", "text", "sent_at_ms", "delivered", "acknowledged_at_ms"],
            "properties": {
                "id": { "type": "string" },
                "job": { "type": "string" },
                "number": { "type": "integer" },
                "from": { "type": "object", "description": "kind: operator, or job with its key: another agent's words" },
                "text": { "type": "string" },
                "sent_at_ms": reference("Time"),
                "delivered": { "type": ["object", "null"], "description": "The turn that was told, and when it had ended" },
                "acknowledged_at_ms": reference("MaybeTime"),
            },
        },
        "QuestionPage": page("questions", "Question", "string"),
        "QuestionDocument": enveloped("question", &reference("Question")),
        "Messages": enveloped("messages", &json!({ "type": "array", "items": reference("Message") })),
        "MessageDocument": enveloped("message", &reference("Message")),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParams {
    all: Option<bool>,
    job: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

async fn list(State(api): State<Arc<Api>>, Params(params): Params<ListParams>) -> Result<Response, Fault> {
    let size = page_size(params.limit)?;
    let job = match &params.job {
        Some(wanted) => Some(api.job(wanted).await?.id),
        None => None,
    };
    let after = params.cursor.as_deref().map(after_question).transpose()?;
    let filter = QuestionFilter { job, all: params.all.unwrap_or(false), limit: Some(size + 1), after };
    let now = api.in_time(api.store.now()).await?;
    let mut found = api.told(api.store.questions(&filter)).await?;
    let more = found.len() > size as usize;
    found.truncate(size as usize);
    let next = found.last().filter(|_| more).map(|last| format!("{}.{}", last.asked_at.0, last.id));
    let views: Vec<QuestionView> = found.into_iter().map(|one| QuestionView::of(one, now)).collect();
    let mut body = document("questions", &json!(views));
    body["next"] = json!(next);
    Ok(answer(StatusCode::OK, &body))
}

fn after_question(text: &str) -> Result<(overnight_core::units::Timestamp, QuestionId), Fault> {
    let (asked, id) = cursor(text)?;
    Ok((asked, QuestionId::parse(id).map_err(|_| no_cursor())?))
}

impl Api {
    /// As [`Api::in_time`].
    async fn told<T>(&self, asked: impl Future<Output = Result<T, TalkError>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.patience, asked).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Fault::new(Code::StoreFailed, "the store does not answer")),
        }
    }

    async fn meant(&self, wanted: &str) -> Result<Question, Fault> {
        match tokio::time::timeout(self.patience, self.store.question_meant(wanted)).await {
            Ok(found) => Ok(found?),
            Err(_) => Err(Fault::new(Code::StoreFailed, "the store does not answer")),
        }
    }

    async fn question_view(&self, question: Question) -> Result<Value, Fault> {
        let now = self.in_time(self.store.now()).await?;
        Ok(document("question", &json!(QuestionView::of(question, now))))
    }
}

async fn show(
    State(api): State<Arc<Api>>,
    Part(wanted): Part,
    _: Params<NoParams>,
) -> Result<Response, Fault> {
    let question = api.meant(&wanted).await?;
    Ok(answer(StatusCode::OK, &api.question_view(question).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAnswer {
    text: Option<String>,
    option: Option<usize>,
}

async fn reply(
    State(api): State<Arc<Api>>,
    Part(wanted): Part,
    sender: Sender,
    fields: Fields,
) -> Result<Response, Fault> {
    let asked = words("answer", &wanted, &fields);
    let reply = match fields.into()? {
        NewAnswer { text: Some(text), option: None } => Reply::Text(text),
        NewAnswer { text: None, option: Some(number) } => Reply::Option(number),
        NewAnswer { .. } => {
            return Err(Fault::new(Code::BadBody, "say either text or option"));
        }
    };
    let act = async || {
        let question = api.meant(&wanted).await?;
        Ok(Done::ok(api.question_view(api.store.answer(&question.id, &reply).await?).await?))
    };
    once(&api, &sender, &asked, act).await
}

async fn take_back(
    State(api): State<Arc<Api>>,
    Part(wanted): Part,
    sender: Sender,
    fields: Fields,
) -> Result<Response, Fault> {
    nothing(fields)?;
    let act = async || {
        let question = api.meant(&wanted).await?;
        Ok(Done::ok(api.question_view(api.store.cancel_question(&question.id).await?).await?))
    };
    once(&api, &sender, &format!("take back {wanted}"), act).await
}

async fn inbox(State(api): State<Arc<Api>>, Part(key): Part, _: Params<NoParams>) -> Result<Response, Fault> {
    let job = api.job(&key).await?;
    let messages = api.told(api.store.messages(&job.id)).await?;
    Ok(answer(StatusCode::OK, &document("messages", &json!(messages))))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewMessage {
    text: String,
}

async fn tell(
    State(api): State<Arc<Api>>,
    Part(key): Part,
    sender: Sender,
    fields: Fields,
) -> Result<Response, Fault> {
    let job: Job = api.job(&key).await?;
    let asked = words("tell", job.id.as_str(), &fields);
    let NewMessage { text } = fields.into()?;
    let request = sender.request().map(|request| format!("{request} {asked}"));
    let act = async || {
        let sent = api.store.send_message_once(&job.id, &text, request.as_deref()).await?;
        Ok(Done::made(document("message", &json!(sent))))
    };
    once(&api, &sender, &asked, act).await
}

impl From<TalkError> for Fault {
    fn from(error: TalkError) -> Self {
        let what = one_line(&error.to_string(), 500);
        let plain = |code| Self::new(code, what.clone());
        match error {
            TalkError::Store(error) => error.into(),
            TalkError::Words(_) => plain(Code::BadBody),
            TalkError::NoSuchOption { .. } => {
                plain(Code::BadBody).hint("GET the question: options are numbered from 1")
            }
            TalkError::UnknownQuestion { .. } => {
                plain(Code::UnknownQuestion).hint("GET /api/v1/questions?all=true lists every question")
            }
            TalkError::Answered { .. } | TalkError::Cancelled { .. } => plain(Code::QuestionSettled),
            TalkError::Expired { key, .. } => plain(Code::QuestionSettled)
                .hint(format!("POST /api/v1/jobs/{key}/messages tells its agent something")),
            TalkError::Ended { .. } => plain(Code::JobEnded),
            TalkError::Publishing { key } => plain(Code::JobPublishing).hint(format!(
                "say what is to be done next, once it has ended: overnight continue {key} -m \"…\""
            )),
            TalkError::TooManyMessages { .. } => plain(Code::TooManyMessages),
            // Said to agents only.
            TalkError::UnknownMessage { .. }
            | TalkError::TooManyQuestions { .. }
            | TalkError::AnotherRepository { .. }
            | TalkError::NotWorking { .. } => plain(Code::Unexpected),
        }
    }
}

impl From<MeantError> for Fault {
    fn from(error: MeantError) -> Self {
        let what = error.to_string();
        match error {
            MeantError::Talk(error) => error.into(),
            MeantError::Job(error) => error.into(),
            MeantError::NoneOpen { key } => Self::new(Code::UnknownQuestion, what)
                .hint(format!("GET /api/v1/questions?all=true&job={key} lists those that it had")),
            MeantError::SeveralOpen { questions, .. } => {
                let names: Vec<String> = questions.iter().map(Question::name).collect();
                Self::new(Code::SeveralQuestions, what).hint(format!("name one: {}", names.join(", ")))
            }
        }
    }
}
