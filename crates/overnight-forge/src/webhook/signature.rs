//! Each forge's way of signing a delivery.
//!
//! Owns no state. Comparisons take the same time whatever they compare. A signature that is there and wrong is never made
//! good by another one.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use overnight_core::secret::Secret;
use overnight_core::units::Timestamp;
use reqwest::header::HeaderMap;
use ring::{digest, hmac};

use super::{Refusal, TOLERANCE_SECONDS, first};

/// `X-Hub-Signature-256: sha256=<hex>`. The older `X-Hub-Signature` (SHA-1) is not accepted.
pub(super) fn github(headers: &HeaderMap, body: &[u8], secret: &Secret) -> Result<(), Refusal> {
    let given = first(headers, &["x-hub-signature-256"])?.ok_or(Refusal::NoSignature)?;
    check_hex(given.strip_prefix("sha256=").ok_or(Refusal::WrongSignature)?, body, secret)
}

/// `X-Forgejo-Signature` or `X-Gitea-Signature`, bare hex. Both send it; one is enough.
pub(super) fn gitea(headers: &HeaderMap, body: &[u8], secret: &Secret) -> Result<(), Refusal> {
    let given = first(headers, &["x-forgejo-signature", "x-gitea-signature"])?.ok_or(Refusal::NoSignature)?;
    check_hex(given, body, secret)
}

/// `webhook-signature` (GitLab's signing token, after the Standard Webhooks scheme: over id, time and body), where there
/// is one; else the secret itself in `X-Gitlab-Token`, which proves the sender and nothing about the body.
pub(super) fn gitlab(
    headers: &HeaderMap,
    body: &[u8],
    secret: &Secret,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some(signatures) = first(headers, &["webhook-signature"])? else {
        let given = first(headers, &["x-gitlab-token"])?.ok_or(Refusal::NoSignature)?;
        return same(given.as_bytes(), secret.expose().as_bytes());
    };
    let id = first(headers, &["webhook-id"])?.ok_or(Refusal::NoDelivery)?;
    let time = first(headers, &["webhook-timestamp"])?.ok_or(Refusal::WrongSignature)?;
    let key = match secret.expose().strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).map_err(|_| Refusal::WrongSignature)?,
        None => secret.expose().as_bytes().to_vec(),
    };
    // A key of nothing would be everybody's.
    if key.is_empty() {
        return Err(Refusal::WrongSignature);
    }
    let mut signed = format!("{id}.{time}.").into_bytes();
    signed.extend_from_slice(body);
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let fits = |one: &str| {
        let tag = one.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
        tag.is_some_and(|tag| hmac::verify(&key, &signed, &tag).is_ok())
    };
    if !signatures.split_ascii_whitespace().take(8).any(fits) {
        return Err(Refusal::WrongSignature);
    }
    let age = time.parse::<i64>().map_err(|_| Refusal::Stale)?.saturating_sub(now.0.div_euclid(1_000));
    if age.checked_abs().is_none_or(|age| age > TOLERANCE_SECONDS) { Err(Refusal::Stale) } else { Ok(()) }
}

/// SHA-256 in hex.
pub(super) fn digest(body: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest::digest(&digest::SHA256, body).as_ref() {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn check_hex(given: &str, body: &[u8], secret: &Secret) -> Result<(), Refusal> {
    let tag = unhex(given).ok_or(Refusal::WrongSignature)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    hmac::verify(&key, body, &tag).map_err(|_| Refusal::WrongSignature)
}

/// Whether two texts are the same, without telling by its time how far they agree or how long they are.
fn same(given: &[u8], expected: &[u8]) -> Result<(), Refusal> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"one key for both sides");
    hmac::verify(&key, given, hmac::sign(&key, expected).as_ref()).map_err(|_| Refusal::WrongSignature)
}

/// 32 bytes in hex.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}
