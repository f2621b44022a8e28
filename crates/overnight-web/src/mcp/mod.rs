//! The Model Context Protocol: our tools, for programs that speak it.
//!
//! | file | what it is about |
//! |---|---|
//! | `rpc` | a message of JSON-RPC, and what is wrong with one |
//! | `protocol` | which method of which revision is answered how; pure but for the call of a tool |
//! | `tool` | what a tool is, and how its arguments are read |
//! | `http` | the endpoint: who may send what, and which of it must agree |
//! | `stdio` | the same over a pair of pipes |
//! | `operator` | the tools of a person's assistant |
//! | `agent` | the tools of an agent in its job |
//! | `door` | the address at which agents of this process call, and the tokens of those that may |
//!
//! Two revisions are spoken: 2026-07-28, in which every request says everything about itself, and those with a handshake up to
//! 2025-11-25. Nothing is kept between two requests in either: there are no sessions, so there is none to be taken over.
//!
//! The layer is our own: all that tools need are five methods, and what matters here (sizes, tokens, headers that must agree with
//! the body) stands outside of what a library gives.

mod agent;
mod door;
mod http;
pub mod operator;
mod person;
mod protocol;
mod rpc;
mod stdio;
#[cfg(test)]
mod tests;
mod tool;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use door::{AgentDoor, Desk, Opened};
pub(crate) use http::endpoint;
pub use http::router;
pub(crate) use person::PersonDoor;
pub use stdio::serve_stdio;
pub use tool::{Arguments, Tool, ToolError, Toolbox};

/// Bytes of one message: many times what the longest prompt takes.
pub const MAX_MESSAGE: usize = 1 << 20;

/// What an asynchronous port gives.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Who is behind a bearer token, and with it which tools there are. The tokens of agents and those of persons are known to
/// different doors, so that neither is taken for the other.
pub trait Door: Send + Sync {
    /// `None`: nobody that may come in. `bearer`: what the request carried, if anything; never passed on.
    fn toolbox<'a>(&'a self, bearer: Option<&'a str>) -> Answer<'a, Option<Arc<dyn Toolbox>>>;
}
