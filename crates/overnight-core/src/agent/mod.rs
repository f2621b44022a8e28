//! What the runner asks of an agent CLI, and the small neutral vocabulary into which everything a vendor says is put.

pub mod adapter;
mod backend;
mod event;
mod settings;
mod turn;
mod usage;

pub use adapter::Adapter;
pub use backend::{BackendId, Capabilities};
pub use event::AgentEvent;
pub use settings::{AgentSettings, Billing, Effort};
pub use turn::{LimitKind, RemainingLimits, SessionStart, TurnOutcome, TurnReport, TurnRequest};
pub use usage::Usage;
