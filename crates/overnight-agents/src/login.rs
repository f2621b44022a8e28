//! When a login that a vendor's CLI keeps in a file has to be renewed. CLIs that share one login renew it with a token that works once:
//! whoever starts several of them wants to know when that is near.
//!
//! Only times are read; nothing of a token leaves this module.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use overnight_core::agent::BackendId;
use overnight_core::units::Timestamp;
use serde_json::Value;

use crate::json;

/// When the login in this file (see [`crate::login_places`]) runs out; `None`: it does not, or not as far as we can read.
#[must_use]
pub fn login_expiry(backend: BackendId, file: &[u8]) -> Option<Timestamp> {
    let login: Value = serde_json::from_slice(file).ok()?;
    match backend {
        BackendId::Claude => millis(json::at(&login, &["claudeAiOauth", "expiresAt"])?),
        BackendId::Codex => of_token(json::at(&login, &["tokens", "access_token"])?.as_str()?),
        BackendId::Gemini | BackendId::Qwen => millis(login.get("expiry_date")?),
        BackendId::Opencode => {
            let logins = login.as_object()?.values();
            logins.filter_map(|login| millis(login.get("expires")?)).min()
        }
        BackendId::Acp | BackendId::Adapter | BackendId::Command | BackendId::Rehearsal => None,
    }
}

/// The variable in which a vendor's CLI looks for its key first; `None`: it has none of its own.
#[must_use]
pub fn key_variable(backend: BackendId) -> Option<&'static str> {
    match backend {
        BackendId::Claude => Some("ANTHROPIC_API_KEY"),
        BackendId::Codex => Some("CODEX_API_KEY"),
        BackendId::Gemini => Some("GEMINI_API_KEY"),
        BackendId::Qwen => Some("OPENAI_API_KEY"),
        BackendId::Opencode => Some("OPENCODE_API_KEY"),
        BackendId::Acp | BackendId::Adapter | BackendId::Command | BackendId::Rehearsal => None,
    }
}

/// Whether a conversation can be taken up in another directory than the one it was begun in.
#[must_use]
pub fn session_travels(backend: BackendId) -> bool {
    match backend {
        // Seen with 2.1.328 and 0.169.0.
        BackendId::Claude | BackendId::Codex => true,
        // Gemini and Qwen refuse it, and opencode never ends.
        BackendId::Gemini | BackendId::Qwen | BackendId::Opencode => false,
        BackendId::Rehearsal => true,
        // Each agent has ways of its own, which nobody has tried.
        BackendId::Acp | BackendId::Adapter | BackendId::Command => false,
    }
}

/// Zero stands for "never" in some of the files.
fn millis(value: &Value) -> Option<Timestamp> {
    value.as_i64().filter(|at| *at > 0).map(Timestamp)
}

/// The `exp` of a JSON Web Token, in seconds there.
fn of_token(token: &str) -> Option<Timestamp> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("exp")?.as_i64()?.checked_mul(1000).map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vendors_file_says_when_its_login_runs_out() {
        let token = URL_SAFE_NO_PAD.encode(r#"{"exp":1900000000,"sub":"x"}"#);
        let codex = format!(r#"{{"tokens":{{"access_token":"h.{token}.s"}}}}"#);
        let cases: [(BackendId, &str, Option<i64>); 8] = [
            (BackendId::Claude, r#"{"claudeAiOauth":{"expiresAt":1900000000123}}"#, Some(1_900_000_000_123)),
            (BackendId::Codex, &codex, Some(1_900_000_000_000)),
            (BackendId::Gemini, r#"{"expiry_date":1900000000123}"#, Some(1_900_000_000_123)),
            (BackendId::Qwen, r#"{"expiry_date":1900000000123}"#, Some(1_900_000_000_123)),
            (BackendId::Opencode, r#"{"a":{"type":"api"},"b":{"expires":7},"c":{"expires":5}}"#, Some(5)),
            (BackendId::Opencode, r#"{"a":{"expires":0}}"#, None),
            (BackendId::Codex, r#"{"tokens":{"access_token":"nonsense"}}"#, None),
            (BackendId::Claude, "not json", None),
        ];
        for (backend, file, wanted) in cases {
            assert_eq!(login_expiry(backend, file.as_bytes()), wanted.map(Timestamp), "{backend} {file}");
        }
    }
}
