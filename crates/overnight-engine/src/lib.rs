//! The spine: takes a claimed job through its stages.
//!
//! Owns the running of stages, the heartbeat and the recovery of what a dead runner left. Decides nothing itself: every
//! move of a job is [`overnight_core::job::transition`], and every write goes through `overnight-store` under a lease.
//!
//! ```text
//! Engine::work ─► Seat (lease + job) ─► stages::run ─► Input ─► transition ─► store.apply ─► next stage
//!                   ▲                        │
//!                   └── Signals: cancel, lease lost (heart, Ctrl-C) stop whatever the stage runs
//! ```

#![forbid(unsafe_code)]

mod accounts;
pub mod cascade;
mod clean;
mod configure;
pub mod credentials;
mod desk;
pub mod dirs;
pub mod dispatch;
mod engine;
mod error;
mod guard;
mod heart;
mod host;
mod ideas;
mod keys;
mod masks;
mod patience;
pub mod peers;
pub mod program;
pub mod progress;
mod purse;
mod random;
pub mod repo_file;
mod seat;
mod signals;
mod sprint;
mod stages;
pub mod sweep;
mod trouble;
mod watch;
mod work;

pub use accounts::AccountSettings;
pub use configure::Configure;
pub use desk::{DeskHandle, OpenTools, ToolDoor};
pub use engine::{Engine, EngineParts, EngineSettings};
pub use error::WorkError;
pub use heart::{Heart, Pulse, Rhythm};
pub use host::Host;
pub use signals::Stop;
