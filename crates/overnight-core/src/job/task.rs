//! What a job that carries out a task of the backlog takes from it.

use serde::{Deserialize, Serialize};

use crate::id::{ItemId, TaskKey};
use crate::policy::alignment::VerifyRequired;

/// The task of a job, frozen when the job is enqueued: what is changed in the backlog afterwards does not reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskOrder {
    pub item: ItemId,
    pub key: TaskKey,
    /// The story and the epic that it belongs to, if any: the epic is the unit of the fail-cascade.
    pub story: Option<TaskKey>,
    pub epic: Option<TaskKey>,
    /// How the work is to be done; the change is compared with the paths that it names.
    pub plan: Option<String>,
    pub verify_required: VerifyRequired,
    /// The task only looks at something: a result without a change is none to be held against it.
    pub verify_only: bool,
}
