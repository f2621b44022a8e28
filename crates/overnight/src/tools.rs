//! The tools of agents in their jobs: joins the engine, which knows what a job is, and the web crate, which knows the protocol.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use overnight_core::agent::ToolServer;
use overnight_core::desk::{Ask, Refusal, Told};
use overnight_engine::{DeskHandle, OpenTools, ToolDoor};
use overnight_web::mcp::{AgentDoor, Answer, Desk};

/// One address for all agents of this process.
#[derive(Debug, Default)]
pub struct AgentTools(AgentDoor);

impl ToolDoor for AgentTools {
    fn open(&self, desk: DeskHandle) -> Pin<Box<dyn Future<Output = io::Result<OpenTools>> + Send + '_>> {
        Box::pin(async move {
            let opened = self.0.open(Arc::new(Handed(desk))).await?;
            let server = ToolServer { url: opened.url.clone(), token: opened.token.clone() };
            Ok(OpenTools { server, kept: Box::new(opened) })
        })
    }
}

struct Handed(DeskHandle);

impl Desk for Handed {
    fn ask(&self, ask: Ask) -> Answer<'_, Result<Told, Refusal>> {
        Box::pin(self.0.ask(ask))
    }
}
