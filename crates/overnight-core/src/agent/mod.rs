//! What the runner asks of an agent CLI, and the small neutral vocabulary into which everything a vendor says is put.

mod account;
pub mod adapter;
mod backend;
mod event;
mod named;
mod settings;
mod turn;
mod usage;

pub use account::{Account, AccountId};
pub use adapter::Adapter;
pub use backend::{BackendId, Capabilities};
pub use event::AgentEvent;
pub use named::Agent;
pub use settings::{AgentSettings, Billing, COMPACT_AFTER, Effort};
pub use turn::{LimitKind, RemainingLimits, SessionStart, ToolServer, TurnOutcome, TurnReport, TurnRequest};
pub use usage::Usage;
