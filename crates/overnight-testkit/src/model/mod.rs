//! A scripted model: an HTTP server on the loopback interface that answers like a vendor's model API, so that
//! the real agent CLIs run offline with a dummy key.
//!
//! [`Scenario`] says what the model does, in words that belong to no vendor; [`ModelServer`] keeps how far each
//! session has come and what was asked. It speaks Anthropic Messages, OpenAI Responses, OpenAI Chat Completions and
//! Gemini at once, each at its own path; one module per wire format renders the answers, and `calls` knows what each
//! client's tools are called. Must not know which test uses it.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use overnight_testkit::model::{ModelServer, Scenario};
//!
//! let server = ModelServer::start(Scenario::new().shell("date > now.txt").say("done")).await?;
//! // Start a CLI with ANTHROPIC_BASE_URL=server.base_url(), or with another vendor's setting, then:
//! assert_eq!(server.main_requests(), 2);
//! # Ok(())
//! # }
//! ```

mod anthropic;
mod calls;
mod chat;
mod filler;
mod gemini;
mod openai;
mod pieces;
mod question;
mod record;
mod reply;
mod responses;
mod scenario;
mod server;

#[cfg(test)]
mod cli;
#[cfg(test)]
mod cli_tests;
#[cfg(test)]
mod http_client;
#[cfg(test)]
mod recorder;
#[cfg(test)]
mod tests;

pub use record::{RecordedRequest, RequestKind};
pub use scenario::{Action, Scenario, Step, Usage};
pub use server::ModelServer;
