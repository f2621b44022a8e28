//! What the API can do: the one table that the router and the OpenAPI document are made from.

use overnight_core::access::Scope;

use super::backlog;
use super::fault::Code;

/// Names of the operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    JobsList,
    JobPlace,
    JobShow,
    JobEvents,
    JobStream,
    JobCancel,
    JobResume,
    JobRetry,
    Stream,
    Backlog(backlog::Op),
    Workers,
    WorkerDrain,
    Status,
    Budget,
    Cost,
    Limits,
    LimitSet,
    LimitRemove,
    Whoami,
    OpenApi,
    Talk(super::talk::Op),
    Gate(super::gate::Op),
    Log,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum In {
    Path,
    Query,
    Header,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) place: In,
    /// Of the list in `schemas`.
    pub(crate) schema: &'static str,
    pub(crate) about: &'static str,
}

/// What comes back when all is well.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gives {
    Json(&'static str),
    Stream,
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) op: Op,
    pub(crate) id: &'static str,
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) scope: Scope,
    pub(crate) about: &'static str,
    pub(crate) params: &'static [Param],
    /// Schema of the body.
    pub(crate) takes: Option<&'static str>,
    pub(crate) gives: &'static [(u16, Gives)],
    /// Besides those that every operation has.
    pub(crate) faults: &'static [Code],
}

pub(super) const fn path(name: &'static str, schema: &'static str, about: &'static str) -> Param {
    Param { name, place: In::Path, schema, about }
}

pub(super) const fn query(name: &'static str, schema: &'static str, about: &'static str) -> Param {
    Param { name, place: In::Query, schema, about }
}

pub(super) const fn header(name: &'static str, schema: &'static str, about: &'static str) -> Param {
    Param { name, place: In::Header, schema, about }
}

pub(super) const KEY: Param = path("key", "JobName", "Key (app-12), id or beginning of an id");
pub(super) const LIMIT: Param = query("limit", "PageSize", "Most entries of one answer");
pub(super) const ONCE: Param = header(
    "Idempotency-Key",
    "IdempotencyKey",
    "Your own name for this request: sent again within a day, it gets the same answer and changes nothing",
);
const SINCE_EVENT: Param = header("Last-Event-ID", "EventId", "The id of the last event that was received");

pub(super) const JOB: &[Code] = &[Code::UnknownJob, Code::AmbiguousJob];
const ORDER: &[Code] = &[Code::BadKey, Code::OrderRefused, Code::RequestReused, Code::TooManyAnswers];

/// What most operations are like.
pub(super) const READ: Operation = Operation {
    op: Op::OpenApi,
    id: "",
    method: Method::Get,
    path: "",
    scope: Scope::Read,
    about: "",
    params: &[],
    takes: None,
    gives: &[],
    faults: &[],
};

/// Every operation there is.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS
        .iter()
        .chain(backlog::OPERATIONS)
        .chain(&super::talk::OPERATIONS)
        .chain(&super::gate::OPERATIONS)
        .chain(&super::log::OPERATIONS)
}

/// Jobs and what surrounds them; the other groups stand beside their handlers.
static OPERATIONS: [Operation; 19] = [
    Operation {
        op: Op::JobsList,
        id: "listJobs",
        path: "/jobs",
        about: "Jobs, newest first",
        params: &[
            query("state", "States", "Only jobs in these states, separated by commas"),
            query("label", "Label", "Only jobs with this label"),
            query("repository", "RepositoryName", "Only jobs of this repository"),
            query("ended", "Flag", "Only those that have ended, or only those that have not"),
            query("cursor", "Cursor", "`next` of the page before"),
            LIMIT,
        ],
        gives: &[(200, Gives::Json("JobPage"))],
        ..READ
    },
    Operation {
        op: Op::JobPlace,
        id: "placeJob",
        method: Method::Post,
        path: "/jobs",
        scope: Scope::Operate,
        about: "Puts a job into the queue, as overnight add does",
        params: &[ONCE],
        takes: Some("NewJob"),
        gives: &[(201, Gives::Json("PlacedJob")), (200, Gives::Json("PlacedJob"))],
        faults: ORDER,
    },
    Operation {
        op: Op::JobShow,
        id: "showJob",
        path: "/jobs/{key}",
        about: "What became of a job, as overnight show --json",
        params: &[KEY, header("If-None-Match", "ETag", "The ETag of the answer that you have")],
        gives: &[(200, Gives::Json("JobDocument")), (304, Gives::Nothing)],
        faults: JOB,
        ..READ
    },
    Operation {
        op: Op::JobEvents,
        id: "listJobEvents",
        path: "/jobs/{key}/events",
        about: "A job's events, in order and without gaps",
        params: &[KEY, query("after", "EventNumber", "Only events after the one with this number"), LIMIT],
        gives: &[(200, Gives::Json("EventPage"))],
        faults: JOB,
        ..READ
    },
    Operation {
        op: Op::JobStream,
        id: "streamJobEvents",
        path: "/jobs/{key}/events/stream",
        about: "A job's events from its first, or from Last-Event-ID, as they come; the stream ends with the job",
        params: &[KEY, SINCE_EVENT],
        gives: &[(200, Gives::Stream), (204, Gives::Nothing)],
        faults: &[Code::UnknownJob, Code::AmbiguousJob, Code::BadPosition, Code::TooManyStreams],
        ..READ
    },
    Operation {
        op: Op::JobCancel,
        id: "cancelJob",
        method: Method::Post,
        path: "/jobs/{key}/cancel",
        scope: Scope::Operate,
        about: "Asks for a job's end: 200 when it has ended, 202 when somebody has to end it",
        params: &[KEY],
        takes: Some("Nothing"),
        gives: &[(200, Gives::Json("Job")), (202, Gives::Json("Job"))],
        faults: &[Code::JobEnded],
    },
    Operation {
        op: Op::JobResume,
        id: "resumeJob",
        method: Method::Post,
        path: "/jobs/{key}/resume",
        scope: Scope::Operate,
        about: "Lets a job that waits go on",
        params: &[KEY],
        takes: Some("Nothing"),
        gives: &[(200, Gives::Json("Job"))],
        faults: &[Code::JobEnded, Code::JobHeld, Code::JobBlocked],
    },
    Operation {
        op: Op::JobRetry,
        id: "retryJob",
        method: Method::Post,
        path: "/jobs/{key}/retry",
        scope: Scope::Operate,
        about: "The order of a job that has ended, again as a new job",
        params: &[KEY, ONCE],
        takes: Some("Nothing"),
        gives: &[(201, Gives::Json("PlacedJob")), (200, Gives::Json("PlacedJob"))],
        faults: &[
            Code::JobNotEnded,
            Code::BadKey,
            Code::OrderRefused,
            Code::RequestReused,
            Code::TooManyAnswers,
        ],
    },
    Operation {
        op: Op::Stream,
        id: "streamEvents",
        path: "/events",
        about: "The events of all jobs as they come, from Last-Event-ID or from now on",
        params: &[
            header("Last-Event-ID", "Position", "The id of the last event that was received"),
            query(
                "since",
                "Since",
                "start: from the first event that there is, where no Last-Event-ID is given",
            ),
        ],
        gives: &[(200, Gives::Stream)],
        faults: &[Code::BadPosition, Code::TooManyStreams],
        ..READ
    },
    Operation {
        op: Op::Workers,
        id: "listWorkers",
        path: "/workers",
        about: "The workers, as overnight worker ls --json",
        params: &[query("all", "Flag", "Also those that are gone")],
        gives: &[(200, Gives::Json("Workers"))],
        ..READ
    },
    Operation {
        op: Op::WorkerDrain,
        id: "drainWorker",
        method: Method::Post,
        path: "/workers/{id}/drain",
        scope: Scope::Admin,
        about: "Lets a worker take no more jobs and end when it has finished those that it has; or undoes that",
        params: &[path("id", "WorkerName", "The worker's whole id")],
        takes: Some("Drain"),
        gives: &[(200, Gives::Json("Drained"))],
        faults: &[Code::UnknownWorker],
    },
    Operation {
        op: Op::Status,
        id: "showStatus",
        path: "/status",
        about: "The queue, the workers and what somebody should do, as overnight status --json",
        gives: &[(200, Gives::Json("Document"))],
        ..READ
    },
    Operation {
        op: Op::Budget,
        id: "showBudget",
        path: "/budget",
        about: "What is left of each budget, as overnight budget --json",
        gives: &[(200, Gives::Json("Document"))],
        ..READ
    },
    Operation {
        op: Op::Cost,
        id: "showCost",
        path: "/cost",
        about: "What agents have used, as overnight cost --json",
        params: &[
            query("by", "CostBy", "What the lines are about"),
            query("since", "Day", "The first day that counts"),
        ],
        gives: &[(200, Gives::Json("Document"))],
        ..READ
    },
    Operation {
        op: Op::Limits,
        id: "listLimits",
        path: "/limits",
        about: "How many jobs of a repository, a label or a group may run at a time",
        gives: &[(200, Gives::Json("Limits"))],
        ..READ
    },
    Operation {
        op: Op::LimitSet,
        id: "setLimit",
        method: Method::Put,
        path: "/limits",
        scope: Scope::Admin,
        about: "Sets a limit",
        takes: Some("NewLimit"),
        gives: &[(200, Gives::Json("Limits"))],
        ..READ
    },
    Operation {
        op: Op::LimitRemove,
        id: "removeLimit",
        method: Method::Delete,
        path: "/limits",
        scope: Scope::Admin,
        about: "Takes a limit away; one that is not set is none",
        params: &[query("key", "LimitKey", "repository:NAME, label:NAME or group:REPOSITORY/NAME")],
        gives: &[(200, Gives::Json("Limits"))],
        ..READ
    },
    Operation {
        op: Op::Whoami,
        id: "showToken",
        path: "/token",
        about: "What the token of this request may do",
        gives: &[(200, Gives::Json("Token"))],
        ..READ
    },
    Operation {
        op: Op::OpenApi,
        id: "showOpenApi",
        path: "/openapi.json",
        about: "This description",
        gives: &[(200, Gives::Json("Anything"))],
        ..READ
    },
];
