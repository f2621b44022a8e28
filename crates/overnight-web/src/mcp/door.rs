//! The address at which the agents of this process call, and the tokens of those that may.
//!
//! Owns one listener on the loopback device, made when the first agent is to have tools, and the tokens of the turns that run. A
//! token is known here by its hash only, and dies with what [`AgentDoor::open`] gave for it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use overnight_core::access::{TOKEN_BYTES, TokenKind, TokenText};
use overnight_core::desk::{Ask, Refusal, Told};
use overnight_core::secret::Secret;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tokio::task::AbortHandle;

use super::agent::AgentToolbox;
use super::tool::Toolbox;
use super::{Answer, Door};
use crate::{Limits, listen};

/// Whoever works on a job, as its agent may talk to them while a turn runs.
pub trait Desk: Send + Sync {
    fn ask(&self, ask: Ask) -> Answer<'_, Result<Told, Refusal>>;
}

type Hash = [u8; 32];

#[derive(Default)]
struct Known(Mutex<HashMap<Hash, Arc<dyn Desk>>>);

/// The agents' way in.
#[derive(Default)]
pub struct AgentDoor {
    known: Arc<Known>,
    address: OnceCell<Listening>,
}

struct Listening {
    url: String,
    task: AbortHandle,
}

/// A turn's way in, as long as it is kept.
pub struct Opened {
    pub url: String,
    pub token: Secret,
    hash: Hash,
    known: Arc<Known>,
}

impl std::fmt::Debug for AgentDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentDoor").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("url", &self.url).finish_non_exhaustive()
    }
}

impl AgentDoor {
    /// Lets the agent of one turn in, to talk to whoever is behind `desk`.
    ///
    /// # Errors
    /// When no address can be had, or no chance.
    pub async fn open(&self, desk: Arc<dyn Desk>) -> io::Result<Opened> {
        let url = self.address.get_or_try_init(|| self.listen()).await?.url.clone();
        let token = token()?;
        let hash = hash(token.expose());
        self.known.lock().insert(hash, desk);
        Ok(Opened { url, token, hash, known: Arc::clone(&self.known) })
    }

    async fn listen(&self) -> io::Result<Listening> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}/mcp", listener.local_addr()?);
        let door: Arc<dyn Door> = Arc::<Known>::clone(&self.known);
        let serving = listen::accept(
            Arc::new(listener),
            super::router(door, &[]),
            Limits::default(),
            std::future::pending(),
        );
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::warn!(%error, "agents cannot call their tools any more");
            }
        });
        Ok(Listening { url, task: task.abort_handle() })
    }
}

impl Drop for AgentDoor {
    fn drop(&mut self) {
        if let Some(listening) = self.address.get() {
            listening.task.abort();
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.known.lock().remove(&self.hash);
    }
}

impl Known {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, Arc<dyn Desk>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door for Known {
    /// What is compared is the hash of a token, which says nothing about how near another token came.
    fn toolbox<'a>(&'a self, bearer: Option<&'a str>) -> Answer<'a, Option<Arc<dyn Toolbox>>> {
        let desk = bearer.and_then(|token| self.lock().get(&hash(token)).cloned());
        let toolbox = desk.map(|desk| Arc::new(AgentToolbox(desk)) as Arc<dyn Toolbox>);
        Box::pin(std::future::ready(toolbox))
    }
}

fn hash(token: &str) -> Hash {
    Sha256::digest(token.as_bytes()).into()
}

fn token() -> io::Result<Secret> {
    let mut chance = [0; TOKEN_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut chance)?;
    Ok(Secret::new(TokenText::new(TokenKind::Agent, &chance).expose()))
}
