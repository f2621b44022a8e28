//! Why something cannot be done with the backlog.

use overnight_core::backlog::plan::PlanError;
use overnight_core::backlog::{InvalidItem, InvalidText, ItemKind};
use overnight_core::id::TaskKey;

use crate::error::{CorruptRow, StoreError};

/// A failed operation on the backlog. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum BacklogError {
    /// `nearest`: existing keys that look like it, nearest first.
    #[error("there is nothing called {wanted:?} in the backlog")]
    NotFound { wanted: String, nearest: Vec<TaskKey> },
    #[error("{key} was changed by somebody else in the meantime")]
    Changed { key: TaskKey },
    #[error("{what} cannot belong to {found}")]
    Parent { what: ItemKind, found: String },
    #[error("{key} belongs to another repository")]
    Elsewhere { key: TaskKey },
    #[error("{key} is no {wanted}")]
    WrongKind { key: TaskKey, wanted: ItemKind },
    #[error("tasks would wait for each other in a circle: {}", circle(.0))]
    Circle(Vec<TaskKey>),
    #[error("{count} items belong to {key}")]
    HasParts { key: TaskKey, count: usize },
    #[error("job {job} of {key} has not ended")]
    Running { key: TaskKey, job: TaskKey },
    #[error("the request {request:?} was used before, for something else: {key}")]
    RequestReused { request: String, key: TaskKey },
    #[error("{key} became {epic} already")]
    Planned { key: TaskKey, epic: TaskKey },
    #[error("{key} has no plan{}", revision.map(|number| format!(" of revision {number}")).unwrap_or_default())]
    NoPlan { key: TaskKey, revision: Option<u32> },
    #[error("the plan of {key} cannot be used: {why}")]
    Plan { key: TaskKey, why: PlanError },
    #[error("the repository {name} still has {what}")]
    RepositoryInUse { name: String, what: &'static str },
    #[error("the repository's settings were changed by somebody else in the meantime")]
    SettingsChanged,
    #[error(transparent)]
    Invalid(#[from] InvalidItem),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn circle(keys: &[TaskKey]) -> String {
    let names: Vec<&str> = keys.iter().chain(keys.first()).map(TaskKey::as_str).collect();
    names.join(" after ")
}

impl From<InvalidText> for BacklogError {
    fn from(why: InvalidText) -> Self {
        Self::Invalid(why.into())
    }
}

impl From<CorruptRow> for BacklogError {
    fn from(row: CorruptRow) -> Self {
        Self::Store(row.into())
    }
}

impl BacklogError {
    /// It was undone by the database and can be done again.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Store(error) => error.is_collision() || error.is_duplicate(),
            Self::NotFound { .. }
            | Self::Changed { .. }
            | Self::Parent { .. }
            | Self::Elsewhere { .. }
            | Self::WrongKind { .. }
            | Self::Circle(_)
            | Self::HasParts { .. }
            | Self::Running { .. }
            | Self::RequestReused { .. }
            | Self::RepositoryInUse { .. }
            | Self::Planned { .. }
            | Self::NoPlan { .. }
            | Self::Plan { .. }
            | Self::SettingsChanged
            | Self::Invalid(_) => false,
        }
    }
}

/// How often a transaction is tried that collides with others.
const TRIES: u32 = 5;

/// Does it again where it collided with somebody else.
pub(super) async fn retried<T, A: Future<Output = Result<T, BacklogError>>>(
    act: impl Fn() -> A,
) -> Result<T, BacklogError> {
    let mut tried = 1;
    loop {
        match act().await {
            Err(error) if error.is_passing() && tried < TRIES => tried += 1,
            done => return done,
        }
    }
}
