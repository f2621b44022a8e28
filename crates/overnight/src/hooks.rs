//! Deliveries of forges: verified with the secret of the configuration, known again, and turned into hints about what is to be looked at.
//! The truth is always asked for; a delivery that is lost only makes it come later.

use std::sync::Arc;

use overnight_core::secret::Secret;
use overnight_engine::credentials::ForgeSettings;
use overnight_forge::webhook::{Event, HookSecret, MAX_BODY, What, verify};
use overnight_store::{Delivery, Hint, Repository, Store, StoreError};
use overnight_web::hooks::{Delivered, HookAnswer, HookDoor};

use crate::app::{App, kind_of};
use crate::cli::Global;
use crate::config::{Environment, HostConfig};
use crate::error::AppError;

/// Bytes of a file with a secret; more is a mistake.
const SECRET_FILE: u64 = 64 << 10;

/// The door of a worker's process. The configuration is read anew for each delivery, so that a secret can be changed at any time.
#[derive(Debug, Clone)]
pub struct Hooks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    global: Global,
    env: Environment,
    store: Store,
}

impl Hooks {
    #[must_use]
    pub fn new(global: &Global, env: &Environment, store: &Store) -> Self {
        Self(Arc::new(Inner { global: global.clone(), env: env.clone(), store: store.clone() }))
    }
}

impl HookDoor for Hooks {
    fn deliver(&self, delivered: Delivered) -> std::pin::Pin<Box<dyn Future<Output = HookAnswer> + Send>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.deliver(&delivered).await })
    }
}

impl Inner {
    async fn deliver(&self, delivered: &Delivered) -> HookAnswer {
        let (app, secret) = match self.ready(&delivered.host) {
            Ok(Some(ready)) => ready,
            Ok(None) => return HookAnswer::UnknownForge,
            Err(error) => {
                tracing::warn!(what = %error.what, "a delivery could not be judged");
                return HookAnswer::Failed;
            }
        };
        let Ok(forges) = app.forges() else { return HookAnswer::Failed };
        let config = app.config().hosts.get(&delivered.host);
        let Some(Ok(kind)) = config.map(|config| kind_of(&delivered.host, config)) else {
            return HookAnswer::UnknownForge;
        };
        if delivered.body.len() > MAX_BODY {
            return HookAnswer::Refused("the body is too long".to_owned());
        }
        let Ok(now) = self.store.now().await else { return HookAnswer::Failed };
        let verified = match verify(kind, &delivered.headers, &delivered.body, &secret, now) {
            Ok(verified) => verified,
            Err(refusal) => return HookAnswer::Refused(refusal.to_string()),
        };
        let event = match verified.read() {
            Ok(event) => event,
            Err(malformed) => return HookAnswer::Malformed(malformed.to_string()),
        };
        let key = verified.key();
        let delivery = Delivery { host: &delivered.host, id: &key.id, digest: &key.digest };
        match self.act(&forges, &delivery, &event).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "a delivery could not be written down");
                HookAnswer::Failed
            }
        }
    }

    /// The configuration and the host's secret; `None`: it has none.
    fn ready(&self, host: &str) -> Result<Option<(App, HookSecret)>, AppError> {
        let app = App::new(&self.global, self.env.clone())?;
        let Some(config) = app.config().hosts.get(host) else { return Ok(None) };
        let secret = secret(config, &self.env)?.and_then(HookSecret::new);
        Ok(secret.map(|secret| (app, secret)))
    }

    async fn act(
        &self,
        forges: &ForgeSettings,
        delivery: &Delivery<'_>,
        event: &Event,
    ) -> Result<HookAnswer, StoreError> {
        if !self.store.delivery_new(delivery).await? {
            return Ok(HookAnswer::Known);
        }
        let Some(hint) = hint(&event.what) else { return Ok(HookAnswer::Ignored) };
        let mut changed = 0;
        for repository in self.store.repositories().await? {
            if is_of(forges, &repository, delivery.host, &event.repository) {
                changed += self.store.watch_hint(&repository.id, &hint).await?;
            }
        }
        Ok(if changed > 0 { HookAnswer::Taken } else { HookAnswer::Ignored })
    }
}

/// The registered repository that the forge calls `name`.
fn is_of(forges: &ForgeSettings, repository: &Repository, host: &str, name: &str) -> bool {
    let named = forges
        .address(&repository.remote)
        .is_some_and(|address| address.to_string().eq_ignore_ascii_case(name));
    named && ForgeSettings::is_on(&repository.remote, host)
}

/// What may have changed; `None`: nothing that we look after.
fn hint(what: &What) -> Option<Hint> {
    match what {
        What::PullRequest { number, .. }
        | What::Review { number, .. }
        | What::IssueComment { number, on_pull_request: true, .. } => Some(Hint::Number(*number)),
        What::CheckFinished { commit } => Some(Hint::Head(commit.clone())),
        What::Push { branch, .. } => Some(Hint::Branch(branch.clone())),
        What::Ping | What::IssueLabeled { .. } | What::IssueComment { .. } | What::Ignored => None,
    }
}

/// What the host's configuration names, the file first.
fn secret(config: &HostConfig, env: &Environment) -> Result<Option<Secret>, AppError> {
    use std::io::Read;
    if let Some(path) = &config.webhook_secret_file {
        let read = || {
            let mut text = String::new();
            std::fs::File::open(path)?.take(SECRET_FILE).read_to_string(&mut text)?;
            Ok::<_, std::io::Error>(text)
        };
        let text = read().map_err(|error| {
            AppError::usage(format!("the webhook secret {} cannot be read", path.display())).because(&error)
        })?;
        return Ok(Some(Secret::new(text.trim())));
    }
    let named = config.webhook_secret_env.as_deref().and_then(|name| env.get(name));
    Ok(named.map(|value| Secret::new(value.to_string_lossy().trim())))
}
