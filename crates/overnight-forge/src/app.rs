//! Speaking for a GitHub App: a signed statement of who we are, exchanged for a token of one hour.
//!
//! Owns the key and the token that holds now. The key is used for nothing but signing, and neither is ever shown.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use overnight_core::secret::Secret;
use overnight_core::units::Timestamp;
use reqwest::Url;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;

use crate::address::ForgeAddress;
use crate::error::{ForgeError, Operation};
use crate::http::{Http, Order};

/// How long a statement holds; GitHub takes ten minutes at most.
const STATEMENT: Duration = Duration::from_secs(540);
/// A statement is dated back, because GitHub refuses one from its future.
const SKEW: Duration = Duration::from_secs(60);
/// A token with less life than this is replaced: the longest operation is over in time.
const SPARE: Duration = Duration::from_secs(300);

/// A GitHub App and its key.
#[derive(Debug)]
pub struct AppKey {
    /// The App's id or its client id.
    pub id: String,
    /// The PEM file that GitHub gave out (PKCS#1), or the same in PKCS#8.
    pub private_key: Secret,
    /// The time now. This crate has no clock of its own.
    pub now: fn() -> Timestamp,
}

/// A key that is ready, and the token that was made with it last.
pub(crate) struct AppTokens {
    id: String,
    key: RsaKeyPair,
    now: fn() -> Timestamp,
    endpoints: Endpoints,
    held: Mutex<Option<Held>>,
    /// One exchange at a time.
    making: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Endpoints {
    app: Url,
    installation: Url,
    installations: Url,
}

#[derive(Debug, Clone)]
struct Held {
    token: Secret,
    expires: Timestamp,
}

impl std::fmt::Debug for AppTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppTokens").field("id", &self.id).finish_non_exhaustive()
    }
}

#[derive(Debug, Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Debug, Deserialize)]
struct App {
    slug: String,
}

#[derive(Debug, Deserialize)]
struct Issued {
    token: String,
    expires_at: String,
}

impl AppTokens {
    /// `None` when the key is no RSA key in PEM.
    pub(crate) fn new(app: &AppKey, address: &ForgeAddress) -> Option<Self> {
        let key = match PrivateKeyDer::from_pem_slice(app.private_key.expose().as_bytes()).ok()? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return None,
        };
        let endpoints = Endpoints {
            app: address.endpoint(&["app"]),
            installation: address.repository_endpoint(&["installation"]),
            installations: address.endpoint(&["app", "installations"]),
        };
        let making = tokio::sync::Mutex::default();
        Some(Self {
            id: app.id.clone(),
            key: key.ok()?,
            now: app.now,
            endpoints,
            held: Mutex::default(),
            making,
        })
    }

    /// The token of the App's installation in our repository.
    pub(crate) async fn current(&self, http: &Http, limit: Duration) -> Result<Secret, ForgeError> {
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(token) = self.fresh() {
            return Ok(token);
        }
        let held = self.exchange(http, limit).await?;
        let token = held.token.clone();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(token)
    }

    /// The name under which the App writes.
    pub(crate) async fn login(&self, http: &Http, limit: Duration) -> Result<String, ForgeError> {
        let order = Order::get(Operation::GetAccount, self.endpoints.app.clone());
        let answer = http.send_as(order, "Bearer", &self.statement(http)?, limit).await?;
        let app: App = serde_json::from_value(answer.json)
            .map_err(|error| http.unexpected(Operation::GetAccount, error.to_string()))?;
        Ok(format!("{}[bot]", app.slug))
    }

    /// The token was refused: the next call makes a new one.
    pub(crate) fn forget(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn fresh(&self) -> Option<Secret> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let lasts = |held: &&Held| held.expires > (self.now)().plus(SPARE);
        held.as_ref().filter(lasts).map(|held| held.token.clone())
    }

    async fn exchange(&self, http: &Http, limit: Duration) -> Result<Held, ForgeError> {
        let operation = Operation::MakeToken;
        let unexpected = |problem: String| http.unexpected(operation, problem);
        let statement = self.statement(http)?;
        let order = Order::get(operation, self.endpoints.installation.clone());
        let answer = http.send_as(order, "Bearer", &statement, limit).await?;
        let installation: Installation =
            serde_json::from_value(answer.json).map_err(|error| unexpected(error.to_string()))?;
        let mut url = self.endpoints.installations.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend([installation.id.to_string().as_str(), "access_tokens"]);
        }
        let nothing = json!({});
        let answer = http.send_as(Order::post(operation, url, &nothing), "Bearer", &statement, limit).await?;
        // What the answer says is not put into the error: it holds a token.
        let issued: Issued = serde_json::from_value(answer.json)
            .map_err(|_| unexpected("the answer holds no token with an end".to_owned()))?;
        let expires = crate::time::parse(&issued.expires_at)
            .ok_or_else(|| unexpected("the token's end is no time".to_owned()))?;
        Ok(Held { token: Secret::new(&issued.token), expires })
    }

    /// A JSON Web Token (RFC 7519) with RS256.
    fn statement(&self, http: &Http) -> Result<Secret, ForgeError> {
        let now = (self.now)().0.div_euclid(1_000);
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(0);
        let claims = json!({"iat": now - seconds(SKEW), "exp": now + seconds(STATEMENT) - seconds(SKEW), "iss": self.id});
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!(
            "{}.{}",
            encode(br#"{"alg":"RS256","typ":"JWT"}"#),
            encode(claims.to_string().as_bytes())
        );
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| http.unexpected(Operation::MakeToken, "the App's key cannot sign"))?;
        Ok(Secret::new(&format!("{signed}.{}", encode(&signature))))
    }
}
