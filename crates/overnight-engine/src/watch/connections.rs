//! Connections to forges that outlive one look: their kept answers make asking again free, and their meters know what is left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use overnight_forge::{Forge, Secret};

use super::LookError;
use crate::engine::Engine;

/// By remote. A token that has changed makes a new one.
#[derive(Debug, Default)]
pub(crate) struct Connections(Mutex<HashMap<String, Arc<Connection>>>);

/// A forge, and who we are there.
#[derive(Debug)]
pub(super) struct Connection {
    /// `None`: an App's, which the connection makes itself.
    token: Option<Secret>,
    pub(super) forge: Arc<Forge>,
    login: tokio::sync::OnceCell<String>,
}

impl Connection {
    /// Our own name there.
    pub(super) async fn login(&self) -> Result<&str, LookError> {
        let asked = self.login.get_or_try_init(|| async { self.forge.account().await.map(|own| own.login) });
        Ok(asked.await?.as_str())
    }
}

impl Connections {
    pub(super) async fn of(&self, engine: &Engine, remote: &str) -> Result<Arc<Connection>, LookError> {
        let forges = engine.forges();
        let address = forges
            .address(remote)
            .ok_or_else(|| LookError::Other(format!("no forge is known for {remote} on this machine")))?;
        let none = || LookError::Other(format!("there is no token for {remote} on this machine"));
        let (forge, token) = forges.connect(address, remote, engine.host()).await?.ok_or_else(none)?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(remote).filter(|found| found.token == token) {
            return Ok(Arc::clone(found));
        }
        let made = Arc::new(Connection { token, forge, login: tokio::sync::OnceCell::new() });
        known.insert(remote.to_owned(), Arc::clone(&made));
        Ok(made)
    }
}
