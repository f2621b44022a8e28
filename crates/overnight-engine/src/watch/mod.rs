//! Looks after our pull requests: asks the forge about those that are due, lets the core decide what follows, and does it. Everything that
//! is done can be done again, so that a runner that is killed in between costs another look and nothing else.

mod act;
mod connections;
mod look;

use std::time::Duration;

use overnight_core::units::Timestamp;
use overnight_core::watch::{WatchPolicy, after_trouble};
use overnight_forge::ForgeError;
use overnight_store::{StoreError, Watched};
use tokio::time::timeout;

use crate::credentials::TokenError;
use crate::engine::Engine;
use crate::trouble;

pub(crate) use connections::Connections;

/// Looks that are taken at once. They are had one after the other: the forge's limit matters more than the minute.
const AT_ONCE: u32 = 8;
/// Longest look. Others leave the pull request alone for longer than so many of them.
const LONGEST: Duration = Duration::from_secs(60);
const HOLD: Duration = Duration::from_secs(60 * (AT_ONCE as u64 + 1));
/// A forge that limits us without saying for how long is left alone for this long.
const LIMITED: Duration = Duration::from_secs(10 * 60);

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("{0}")]
    Other(String),
}

/// Looks at what is due until nothing is. Returns how many looks were had.
pub(crate) async fn round(engine: &Engine, policy: &WatchPolicy) -> Result<usize, StoreError> {
    let mut looks = 0;
    loop {
        let taken = engine.store().looks_take(AT_ONCE, HOLD).await?;
        if taken.is_empty() {
            return Ok(looks);
        }
        for watched in &taken {
            looks += 1;
            one(engine, policy, watched).await?;
        }
    }
}

async fn one(engine: &Engine, policy: &WatchPolicy, watched: &Watched) -> Result<(), StoreError> {
    let looked = timeout(LONGEST, Box::pin(look::look(engine, policy, watched))).await;
    let (why, pause) = match looked {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(LookError::Store(error))) => return Err(error),
        Ok(Err(error)) => (trouble::chain(&error), pause_after(policy, watched, &error)),
        Err(_) => {
            let why = format!("the forge did not answer everything within {} s", LONGEST.as_secs());
            (why, after_trouble(policy, &watched.memory))
        }
    };
    tracing::warn!(pull_request = %watched.url, %why, "a pull request could not be looked at");
    engine.store().look_put_off(watched, &overnight_core::text::one_line(&why, 300), pause).await.map(drop)
}

fn pause_after(policy: &WatchPolicy, watched: &Watched, error: &LookError) -> Duration {
    match error {
        LookError::Forge(ForgeError::BudgetExhausted { wait, .. }) => *wait,
        LookError::Forge(ForgeError::RateLimited { retry_after, .. }) => retry_after.unwrap_or(LIMITED),
        LookError::Store(_) | LookError::Forge(_) | LookError::Token(_) | LookError::Other(_) => {
            after_trouble(policy, &watched.memory)
        }
    }
}

/// A time of the database's clock.
async fn now(engine: &Engine) -> Result<Timestamp, StoreError> {
    engine.store().now().await
}
