//! `overnight token`: who may use the API.

use std::fmt::Write;
use std::time::Duration;

use overnight_core::access::{Scope, TokenId};
use overnight_core::job::{ExitCode, Label};
use overnight_core::units::Timestamp;
use overnight_store::{TokenError, TokenRow};
use serde::Serialize;

use crate::app::{App, store_error};
use crate::cli::token_args::{TokenAction, TokenArgs};
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, DIM, styled};
use crate::render::words;

/// A token as JSON.
#[derive(Debug, Serialize)]
struct TokenView<'a> {
    id: &'a TokenId,
    name: &'a Label,
    scope: Scope,
    created_at_ms: Timestamp,
    expires_at_ms: Option<Timestamp>,
    /// To the hour.
    last_used_at_ms: Option<Timestamp>,
    revoked_at_ms: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
struct AddedView<'a> {
    #[serde(flatten)]
    view: TokenView<'a>,
    /// Shown this once.
    token: &'a str,
}

impl<'a> TokenView<'a> {
    fn of(row: &'a TokenRow) -> Self {
        let TokenRow { id, name, scope, created_at, expires_at, last_used_at, revoked_at } = row;
        Self {
            id,
            name,
            scope: *scope,
            created_at_ms: *created_at,
            expires_at_ms: *expires_at,
            last_used_at_ms: *last_used_at,
            revoked_at_ms: *revoked_at,
        }
    }
}

/// # Errors
/// When the store fails, the name is taken, or there is no such token.
pub async fn run(app: &App, args: &TokenArgs) -> Outcome {
    match &args.action {
        TokenAction::Add { name, scope, expires, json } => add(app, name, *scope, *expires, *json).await,
        TokenAction::Ls { json } => ls(app, *json).await,
        TokenAction::Revoke { token, json } => revoke(app, token, *json).await,
    }
}

async fn add(app: &App, name: &Label, scope: Scope, expires: Option<Duration>, json: bool) -> Outcome {
    let store = app.store().await?;
    let (row, text) = store.token_add(name, scope, expires).await.map_err(|error| match error {
        TokenError::NameTaken { .. } => AppError::usage(error.to_string()).help(format!(
            "choose another name, or make the old one useless first: overnight token revoke {name}"
        )),
        TokenError::NoRandomness(_) => AppError::unexpected("the token cannot be made").because(&error),
        TokenError::Store(error) => store_error(&error),
    })?;
    if json {
        app.out.json("token", &AddedView { view: TokenView::of(&row), token: text.expose() })?;
        return Ok(ExitCode::Done);
    }
    app.out.data(&format!("{}\n", text.expose()))?;
    let until = row
        .expires_at
        .map_or_else(|| "until it is revoked".to_owned(), |at| format!("until {}", words::moment(at)));
    app.out
        .say(&format!("{} is good {until}, for {scope}; it is not shown again", styled(BOLD, name.as_str())));
    app.out.say("use it as the header \"Authorization: Bearer …\"; docs/api.md says how");
    Ok(ExitCode::Done)
}

async fn ls(app: &App, json: bool) -> Outcome {
    let (rows, now) = match app.store_if_any().await? {
        Some(store) => {
            let failed = |error| store_error(&error);
            (store.tokens().await.map_err(failed)?, store.now().await.map_err(failed)?)
        }
        None => (Vec::new(), Timestamp(0)),
    };
    if json {
        app.out.json("tokens", &rows.iter().map(TokenView::of).collect::<Vec<_>>())?;
    } else if rows.is_empty() {
        app.out.say("no tokens: overnight token add NAME --scope read makes one");
    } else {
        app.out.data(&table(&rows, now))?;
    }
    Ok(ExitCode::Done)
}

fn table(rows: &[TokenRow], now: Timestamp) -> String {
    let wide = rows.iter().map(|row| row.name.as_str().len()).max().unwrap_or(0).max("TOKEN".len());
    let head = format!("{:<wide$}  {:<8}{:>8}  {:>8}  STATE", "TOKEN", "SCOPE", "AGE", "USED");
    let mut text = format!("{}\n", styled(DIM, &head));
    for row in rows {
        let used = row.last_used_at.map_or_else(|| "never".to_owned(), |at| words::age(now.since(at)));
        let state = match (row.revoked_at, row.expires_at) {
            (Some(_), _) => "revoked".to_owned(),
            (None, Some(at)) if at <= now => "expired".to_owned(),
            (None, Some(at)) => format!("good until {}", words::moment(at)),
            (None, None) => "good".to_owned(),
        };
        let name = styled(BOLD, &format!("{:<wide$}", row.name.as_str()));
        let age = words::age(now.since(row.created_at));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}  {:<8}{age:>8}  {used:>8}  {state}", row.scope.as_str());
    }
    text
}

async fn revoke(app: &App, token: &str, json: bool) -> Outcome {
    let unknown = || {
        AppError::usage(format!("there is no token {token:?} that is good"))
            .help("overnight token ls lists them; the name or the id is wanted, not the token itself")
    };
    let store = app.store_if_any().await?.ok_or_else(unknown)?;
    let revoked = store.token_revoke(token).await.map_err(|error| store_error(&error))?;
    let row = revoked.ok_or_else(unknown)?;
    if json {
        app.out.json("token", &TokenView::of(&row))?;
    } else {
        app.out.say(&format!("{} is good for nothing any more", row.name));
    }
    Ok(ExitCode::Done)
}
