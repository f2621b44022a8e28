//! Every SQL statement, row decoding and migration: what Overnight remembers, and who may change it.
//!
//! The store keeps repositories, jobs, their events and outside effects, and the workers that may hold a job. It decides
//! nothing about a job's way: it asks the core's transition function when nobody holds the job, and otherwise writes the
//! [`Step`](overnight_core::job::Step) it is given, in one transaction, for whoever holds the job's [`Lease`].
//!
//! One text for each statement serves SQLite and PostgreSQL (`sql`, `dialect`); only what goes with one round trip has one for
//! each of them (`at_once`). Where a job stands for a claim is its *phase*:
//!
//! ```text
//!             enqueue                     claim                    apply: parked
//! (blocked) ─────────► ready ◄──────────────────────────► held ──────────────────► due / asleep
//!     └─ last parent ended ┘ ▲      release, lost worker    └─ apply: ended ─► ended    │
//!                            └──────────── its time has come, woken ───────────────────┘
//! ```
//!
//! Times come from the database's clock. A mutation is not undone when its future is dropped: it then happened, or it did
//! not, and the caller does not know. Await it to its end.

#![forbid(unsafe_code)]

mod answers;
mod apply;
mod at_once;
mod backlog;
mod cancel;
mod cascade;
mod circuits;
mod claim;
mod commit;
mod configure;
mod copy;
mod database;
mod dialect;
mod ends;
mod enqueue;
mod error;
mod feed;
mod find;
mod free;
mod gate;
mod heartbeat;
mod insert;
mod lane;
mod lease;
mod limits;
mod migrate;
mod open;
mod placement;
mod postgres;
mod prune;
mod reclaim;
mod record;
mod records;
mod repository;
mod row;
mod spend;
mod sql;
mod standing;
mod stats;
mod store;
mod talk;
#[cfg(test)]
mod tests;
mod tokens;
mod wake;
mod wakes;
mod watch;
mod worker;

pub use answers::{ANSWERS_MAX, KeptAnswer, Recalled};
pub use apply::Applied;
pub use backlog::{
    Added, Backlog, BacklogError, Document, ExportedPlan, GoingOn, Imported, ItemChange, ItemView, ItemViews,
    NewItem, NewLinks, PlanView, PullRequest, RepositoryView, RunView, SettledRepository, ShownItem,
};
pub use cancel::CancelRequest;
pub use cascade::EpicJobs;
pub use claim::{Claim, ClaimOrder, Claimant, Claimed, Claims};
pub use copy::{
    BackupError, BackupReport, CopyError, CopyProgress, CopyReport, CopyStep, DatabaseFacts, Difference,
    RowsHash, Side, TableCount, TableSum, Tell, backup, check_backup, copy, restore,
};
pub use database::{Database, InvalidDatabase};
pub use enqueue::{After, NewJob, Parent, on_line, put_on_line};
pub use error::{CorruptRow, ErrorClass, OpenError, StoreError};
pub use feed::{FeedItem, FeedPosition, FeedWindow, InvalidPosition};
pub use find::{FindError, JobFilter, Jobs};
pub use gate::{Answer, ExceptionFilter, Heard, ListedException, NewException, Word, WordError};
pub use heartbeat::{Beat, HeldJob};
pub use lane::{LimitKey, Offer};
pub use lease::{Lease, Renewal};
pub use limits::{GROUP_LIMIT, Limit};
pub use migrate::{SCHEMA_VERSION, Schema};
pub use prune::{Ended, JobFate, NeededCommits, OpenTurn};
pub use reclaim::{ReclaimPolicy, Reclaimed};
pub use record::{EffectRecord, EffectStatus, EventRecord};
pub use repository::{NewRepository, Repository};
pub use spend::{CostBy, CostLine, NewRaise, Raise, SpendQuery, SpendSoFar};
pub use standing::{Dependency, Phase, QueueStanding};
pub use store::Store;
pub use talk::{AgentOf, MeantError, QuestionFilter, Reply, TalkError, TalkStanding};
pub use tokens::{TokenCheck, TokenError, TokenRow};
pub use wakes::Listening;
pub use watch::{Delivery, Hint, LookEnd, Watched};
pub use worker::{WorkerRow, WorkerSeen};
