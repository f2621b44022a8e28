//! Answers of the API that are given again when the same request comes again with the same idempotency key.

use std::time::Duration;

use overnight_core::access::TokenId;
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::lease::span;
use crate::row;
use crate::sql::sql;
use crate::store::Store;

/// Most answers that are kept for one token: some days of a busy program, and a few tens of megabytes.
pub const ANSWERS_MAX: u64 = 20_000;

/// An answer that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    pub status: u16,
    pub body: String,
}

/// What is known of a request with this key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recalled {
    New,
    Again(KeptAnswer),
    /// The key belongs to another request.
    Other,
    /// Too many answers are kept for this token.
    Full,
}

impl Store {
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn answer_recall(
        &self,
        token: &TokenId,
        key: &str,
        request: &str,
    ) -> Result<Recalled, StoreError> {
        let text = "SELECT request, status, body FROM kept_answers \
                    WHERE token_id = $1 AND request_key = $2 AND expires_at > {now}";
        let found = self.optional("look for the answer", sql(text).bind(token.as_str()).bind(key)).await?;
        if let Some(found) = found {
            if row::text(&found, "?", "request")? != request {
                return Ok(Recalled::Other);
            }
            let status = u16::try_from(row::number(&found, "?", "status")?).unwrap_or(500);
            return Ok(Recalled::Again(KeptAnswer { status, body: row::text(&found, "?", "body")? }));
        }
        let text = "SELECT COUNT(*) AS count FROM kept_answers WHERE token_id = $1 AND expires_at > {now}";
        let found = self.one("count the answers", sql(text).bind(token.as_str())).await?;
        Ok(if row::count(&found, "count")? < ANSWERS_MAX { Recalled::New } else { Recalled::Full })
    }

    /// Keeps an answer for `length`, unless there is one for the key; and forgets those whose time is over.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn answer_keep(
        &self,
        token: &TokenId,
        key: &str,
        request: &str,
        answer: &KeptAnswer,
        length: Duration,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin("keep the answer").await?;
        tx.run(sql("DELETE FROM kept_answers WHERE expires_at <= {now}")).await?;
        let text = "INSERT INTO kept_answers (token_id, request_key, request, status, body, created_at, expires_at) \
                    VALUES ($1, $2, $3, $4, $5, {now}, {now} + CAST($6 AS BIGINT)) ON CONFLICT DO NOTHING";
        let insert = sql(text)
            .bind(token.as_str())
            .bind(key)
            .bind(request)
            .bind(i64::from(answer.status))
            .bind(&answer.body)
            .bind(span(length));
        tx.run(insert).await?;
        tx.commit().await
    }
}

/// The id of what a request makes. A request that has a name makes the same id each time, so that what it made is found and not made
/// again; any other is a new one.
pub(crate) fn id_of_request(request: Option<&str>) -> String {
    let Some(request) = request else { return uuid::Uuid::now_v7().to_string() };
    let hash = Sha256::digest(request.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_bytes(bytes).with_variant(uuid::Variant::RFC4122).into_uuid().to_string()
}
