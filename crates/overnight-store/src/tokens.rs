//! Tokens of the API: made, listed, checked, revoked. Only the hash of a token's text is ever stored.

use std::time::Duration;

use overnight_core::access::{Scope, TOKEN_BYTES, TokenId, TokenKind, TokenText, same};
use overnight_core::job::Label;
use overnight_core::units::Timestamp;
use sha2::{Digest, Sha256};

use crate::error::{CorruptRow, StoreError};
use crate::lease::span;
use crate::row;
use crate::sql::{Row, sql};
use crate::store::Store;

/// How old the note of a token's last use may become: it is for people, and costs a write.
const USED: Duration = Duration::from_secs(3600);

/// A token, without what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    pub id: TokenId,
    pub name: Label,
    pub scope: Scope,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    /// To the hour.
    pub last_used_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// What a token is worth now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenCheck {
    Good { id: TokenId, scope: Scope },
    Unknown,
    Expired,
    Revoked,
}

/// Why there is no new token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("there is a token {name} already")]
    NameTaken { name: Label },
    #[error("the system gives no random bytes")]
    NoRandomness(#[source] getrandom::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

const COLUMNS: &str = "id, name, scope, created_at, expires_at, last_used_at, revoked_at";

impl Store {
    /// Makes a token that is good from now on, for `length` if one is given. Its text is known to nobody else, and not kept.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn token_add(
        &self,
        name: &Label,
        scope: Scope,
        length: Option<Duration>,
    ) -> Result<(TokenRow, TokenText), TokenError> {
        let mut random = [0; TOKEN_BYTES];
        getrandom::fill(&mut random).map_err(TokenError::NoRandomness)?;
        let text = TokenText::new(TokenKind::Person, &random);
        let query = sql(format!(
            "INSERT INTO tokens (id, name, scope, hash, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, {{now}}, {{now}} + CAST($5 AS BIGINT)) ON CONFLICT DO NOTHING RETURNING {COLUMNS}"
        ));
        let query = query
            .bind(uuid::Uuid::now_v7().to_string())
            .bind(name.as_str())
            .bind(scope.as_str())
            .bind(hash(&text))
            .bind(length.map(span));
        let mut tx = self.begin("make the token").await?;
        let made = tx.optional(query).await?;
        tx.commit().await?;
        match made {
            Some(found) => Ok((token(&found).map_err(StoreError::from)?, text)),
            None => Err(TokenError::NameTaken { name: name.clone() }),
        }
    }

    /// Every token, newest first.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let query = sql(format!("SELECT {COLUMNS} FROM tokens ORDER BY created_at DESC, id DESC"));
        let rows = self.all("list the tokens", query).await?;
        Ok(rows.iter().map(token).collect::<Result<_, _>>()?)
    }

    /// What people call this token; `None`: it is not known.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn token_name(&self, id: &TokenId) -> Result<Option<Label>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM tokens WHERE id = $1");
        let found = self.optional("look for the token's name", sql(text).bind(id.as_str())).await?;
        Ok(found.as_ref().map(token).transpose()?.map(|token| token.name))
    }

    /// Makes the token with this name or id good for nothing, from the next request on. `None`: there is none that is good.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn token_revoke(&self, wanted: &str) -> Result<Option<TokenRow>, StoreError> {
        let query = sql(format!(
            "UPDATE tokens SET revoked_at = {{now}} WHERE revoked_at IS NULL AND (name = $1 OR id = $1) RETURNING {COLUMNS}"
        ));
        let mut tx = self.begin("revoke the token").await?;
        let revoked = tx.optional(query.bind(wanted)).await?;
        tx.commit().await?;
        Ok(revoked.as_ref().map(token).transpose()?)
    }

    /// What this token is worth, by the database's clock. Notes now and then that it was used.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn token_check(&self, text: &TokenText) -> Result<TokenCheck, StoreError> {
        let hash = hash(text);
        let query = sql(format!("SELECT {COLUMNS}, hash, {{now}} AS now FROM tokens WHERE hash = $1"));
        let Some(found) = self.optional("check the token", query.bind(&hash)).await? else {
            return Ok(TokenCheck::Unknown);
        };
        let known = token(&found)?;
        if !same(row::text(&found, "?", "hash")?.as_bytes(), hash.as_bytes()) {
            return Ok(TokenCheck::Unknown);
        }
        let now = Timestamp(row::number(&found, "?", "now")?);
        if known.revoked_at.is_some() {
            return Ok(TokenCheck::Revoked);
        }
        if known.expires_at.is_some_and(|at| at <= now) {
            return Ok(TokenCheck::Expired);
        }
        if known.last_used_at.is_none_or(|at| now.since(at) > USED) {
            self.note_use(&known.id).await;
        }
        Ok(TokenCheck::Good { id: known.id, scope: known.scope })
    }

    /// A database that cannot be written does not make a token bad.
    async fn note_use(&self, id: &TokenId) {
        let query = sql("UPDATE tokens SET last_used_at = {now} WHERE id = $1").bind(id.as_str());
        if let Err(error) = self.run("note the token's use", query).await {
            tracing::debug!(%error, "the use of a token was not noted");
        }
    }
}

fn hash(text: &TokenText) -> String {
    format!("{:x}", Sha256::digest(text.expose().as_bytes()))
}

fn token(found: &Row) -> Result<TokenRow, CorruptRow> {
    let raw = row::text(found, "?", "id")?;
    let corrupt = |column, why: String| CorruptRow::new(&raw, column, why);
    let scope = row::text(found, &raw, "scope")?;
    let at = |column| {
        let number = found.optional_number(column).map_err(|error| CorruptRow::new(&raw, column, error))?;
        Ok::<_, CorruptRow>(number.map(Timestamp))
    };
    Ok(TokenRow {
        id: TokenId::parse(&raw).map_err(|error| corrupt("id", error.to_string()))?,
        name: Label::parse(&row::text(found, &raw, "name")?)
            .map_err(|error| corrupt("name", error.to_string()))?,
        scope: Scope::find(&scope).ok_or_else(|| corrupt("scope", format!("{scope:?} is not a scope")))?,
        created_at: Timestamp(row::number(found, &raw, "created_at")?),
        expires_at: at("expires_at")?,
        last_used_at: at("last_used_at")?,
        revoked_at: at("revoked_at")?,
    })
}
