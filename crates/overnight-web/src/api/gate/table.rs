//! What the API can do about approvals and exceptions, and the shapes of it.

use overnight_core::access::Scope;
use overnight_core::policy::preflight::Rule;
use serde_json::{Value, json};

use super::super::fault::Code;
use super::super::operations::{self, Gives, KEY, LIMIT, Method, ONCE, Operation, READ, path, query};
use super::super::schemas::{enveloped, page};
use super::{Op, PAGE, PAGE_MAX};

const WORD: &[Code] = &[
    Code::BadKey,
    Code::RequestReused,
    Code::TooManyAnswers,
    Code::NoApproval,
    Code::OtherCommit,
    Code::CancelAsked,
    Code::JobHeld,
];

pub(crate) static OPERATIONS: [Operation; 7] = [
    Operation {
        op: operations::Op::Gate(Op::Waiting),
        id: "listApprovals",
        path: "/approvals",
        about: "The jobs that wait for a person's word, newest first, with what was found and measured",
        params: &[
            query("repository", "RepositoryName", "Only jobs of this repository"),
            query("cursor", "Cursor", "`next` of the page before"),
            query("limit", "FewPageSize", "Most entries of one answer"),
        ],
        gives: &[(200, Gives::Json("ApprovalPage"))],
        ..READ
    },
    Operation {
        op: operations::Op::Gate(Op::Evidence),
        id: "showApproval",
        path: "/jobs/{key}/approval",
        about: "What was found in the commit that a job waits with, and what its checks came to",
        params: &[KEY],
        gives: &[(200, Gives::Json("Approval"))],
        faults: &[Code::UnknownJob, Code::AmbiguousJob, Code::NoApproval],
        ..READ
    },
    Operation {
        op: operations::Op::Gate(Op::Approve),
        id: "approveJob",
        method: Method::Post,
        path: "/jobs/{key}/approve",
        scope: Scope::Operate,
        about: "Lets exactly this commit be published; refused where the job waits with another one by now",
        params: &[KEY, ONCE],
        takes: Some("NewApproval"),
        gives: &[(200, Gives::Json("Job"))],
        faults: WORD,
    },
    Operation {
        op: operations::Op::Gate(Op::Reject),
        id: "rejectJob",
        method: Method::Post,
        path: "/jobs/{key}/reject",
        scope: Scope::Operate,
        about: "Does not want this commit: the job's agent is told why and tries again, or the job ends",
        params: &[KEY, ONCE],
        takes: Some("NewRejection"),
        gives: &[(200, Gives::Json("Job"))],
        faults: WORD,
    },
    Operation {
        op: operations::Op::Gate(Op::Exceptions),
        id: "listExceptions",
        path: "/exceptions",
        about: "The exceptions from rules of the inspection that hold, newest first",
        params: &[
            query("all", "Flag", "Also those that are over"),
            query("cursor", "Cursor", "`next` of the page before"),
            LIMIT,
        ],
        gives: &[(200, Gives::Json("ExceptionPage"))],
        ..READ
    },
    Operation {
        op: operations::Op::Gate(Op::Except),
        id: "addException",
        method: Method::Post,
        path: "/exceptions",
        scope: Scope::Admin,
        about: "Lets a rule not hold for some files of a repository, for a while",
        params: &[ONCE],
        takes: Some("NewException"),
        gives: &[(201, Gives::Json("ExceptionDocument"))],
        faults: &[Code::BadKey, Code::RequestReused, Code::TooManyAnswers],
    },
    Operation {
        op: operations::Op::Gate(Op::Revoke),
        id: "endException",
        method: Method::Delete,
        path: "/exceptions/{id}",
        scope: Scope::Admin,
        about: "Ends an exception that holds",
        params: &[path("id", "ExceptionId", "Its id, as listed")],
        gives: &[(200, Gives::Json("ExceptionDocument"))],
        faults: &[Code::UnknownException],
        ..READ
    },
];

pub(crate) fn schemas() -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let commit = json!({
        "type": "string", "pattern": "^[0-9a-fA-F]{7,64}$",
        "description": "The commit that the word is about, named by at least 7 digits",
    });
    let rules: Vec<&str> = Rule::ALL.iter().map(|rule| rule.code()).collect();
    json!({
        "FewPageSize": { "type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE },
        "ExceptionId": { "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[0-9a-zA-Z-]+$" },
        "NewApproval": {
            "type": "object",
            "required": ["commit"],
            "additionalProperties": false,
            "properties": {
                "commit": commit,
                "message": { "type": "string", "maxLength": 4000, "description": "For the record and the pull request" },
            },
        },
        "NewRejection": {
            "type": "object",
            "required": ["commit", "message"],
            "additionalProperties": false,
            "properties": {
                "commit": commit,
                "message": { "type": "string", "minLength": 1, "maxLength": 4000, "description": "The agent is told it" },
                "end": { "type": "boolean", "default": false, "description": "End the job instead of letting its agent try again" },
            },
        },
        "NewException": {
            "type": "object",
            "required": ["repository", "rule", "message"],
            "additionalProperties": false,
            "properties": {
                "repository": { "type": "string" },
                "rule": { "type": "string", "enum": rules },
                "path": { "type": "string", "description": "Only for these files, like docs/** or *.sql" },
                "until": { "type": "string", "default": "7d", "description": "How long it holds, at most 90d" },
                "message": { "type": "string", "minLength": 1, "maxLength": 2000, "description": "Why" },
            },
        },
        "AwaitedApproval": {
            "type": "object",
            "required": ["job", "key", "title", "repository", "commit", "why", "since_ms", "diff", "inspection", "checks"],
            "properties": {
                "job": { "type": "string" },
                "key": { "type": "string" },
                "title": { "type": "string" },
                "repository": { "type": "string" },
                "commit": { "type": "string" },
                "why": { "type": "string" },
                "since_ms": reference("Time"),
                "diff": { "type": ["object", "null"] },
                "inspection": { "type": ["object", "null"], "description": "What was found, as of the event `inspected`" },
                "checks": { "type": "array", "items": { "type": "object", "required": ["check", "verdict"] } },
                "approve_with": { "type": "string" },
                "reject_with": { "type": "string" },
            },
        },
        "Exception": {
            "type": "object",
            "required": ["id", "repository", "rule", "path", "message", "by", "made_at_ms", "until_ms"],
            "properties": {
                "id": { "type": "string" },
                "repository": { "type": "string" },
                "rule": { "type": "string" },
                "path": { "type": ["string", "null"] },
                "message": { "type": "string" },
                "by": { "type": "string" },
                "made_at_ms": reference("Time"),
                "until_ms": reference("Time"),
            },
        },
        "ApprovalPage": page("approvals", "AwaitedApproval", "string"),
        "Approval": enveloped("approval", &reference("AwaitedApproval")),
        "ExceptionPage": page("exceptions", "Exception", "string"),
        "ExceptionDocument": enveloped("exception", &reference("Exception")),
    })
}
