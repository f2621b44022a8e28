//! Who asks, and whether they may: checked for every request, also from this machine. Any page that a browser shows can send
//! requests to the loopback device, and any user of the machine can connect to it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use overnight_core::access::{Principal, Scope, TokenKind, TokenText};
use overnight_store::TokenCheck;

use super::Api;
use super::fault::{Code, Fault};

/// Names under which a token is sometimes put into a URL, where logs and histories keep it.
const IN_URL: [&str; 5] = ["token", "access_token", "api_key", "apikey", "authorization"];

/// Finds out who asks, or refuses.
pub(super) async fn identify(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    if let Err(fault) = same_site(request.headers()).and_then(|()| no_token_in_url(&request)) {
        return fault.into_response();
    }
    match bearer(request.headers()) {
        Ok(text) => match principal(&api, &text).await {
            Ok(principal) => {
                request.extensions_mut().insert(principal);
                request.extensions_mut().insert(Shown(text));
                next.run(request).await
            }
            Err(fault) => fault.into_response(),
        },
        Err(fault) => fault.into_response(),
    }
}

/// The token that was shown, to look at it again while a stream is open.
#[derive(Debug, Clone)]
pub(super) struct Shown(pub(super) TokenText);

/// Refuses who may not do what needs this scope.
pub(super) async fn allow(State(needed): State<Scope>, request: Request, next: Next) -> Response {
    match request.extensions().get::<Principal>() {
        Some(principal) if principal.may(needed) => next.run(request).await,
        Some(_) | None => {
            let detail = format!("this needs a token of the scope {needed}");
            let hint = format!("overnight token add NAME --scope {needed}");
            Fault::new(Code::ScopeTooSmall, detail).hint(hint).into_response()
        }
    }
}

/// What the token is worth now.
pub(super) async fn principal(api: &Api, text: &TokenText) -> Result<Principal, Fault> {
    let new = "overnight token add makes a new one";
    if text.kind() == TokenKind::Agent {
        let detail = "that is the token of a job's agent, which is good for the job's own tools only";
        return Err(Fault::new(Code::TokenInvalid, detail));
    }
    match api.in_time(api.store.token_check(text)).await? {
        TokenCheck::Good { id, scope } => Ok(Principal::Person { token: id, scope }),
        TokenCheck::Unknown => Err(Fault::new(Code::TokenInvalid, "the token is not known here")
            .hint("it may be one of another database; overnight token ls lists those there are")),
        TokenCheck::Expired => Err(Fault::new(Code::TokenExpired, "the token's time is over").hint(new)),
        TokenCheck::Revoked => Err(Fault::new(Code::TokenRevoked, "the token was revoked").hint(new)),
    }
}

fn bearer(headers: &HeaderMap) -> Result<TokenText, Fault> {
    let hint = "send the header \"Authorization: Bearer ovn_…\"; overnight token add makes a token";
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(field), None) = (fields.next(), fields.next()) else {
        return Err(Fault::new(Code::TokenMissing, "the request shows no token, or several").hint(hint));
    };
    let text = field.to_str().ok().and_then(|text| text.split_once(' '));
    let text =
        text.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let text =
        text.ok_or_else(|| Fault::new(Code::TokenMissing, "the request shows no bearer token").hint(hint))?;
    TokenText::parse(text).map_err(|error| Fault::new(Code::TokenInvalid, error.to_string()).hint(hint))
}

/// A browser says where a request comes from. Programs say nothing of it.
fn same_site(headers: &HeaderMap) -> Result<(), Fault> {
    let refused = |detail: &str| Err(Fault::new(Code::CrossSite, detail));
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    if site.is_some_and(|site| !matches!(site, b"same-origin" | b"none")) {
        return refused("a browser sent this for a page of another site");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    // The host was found to be ours before.
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().unwrap_or_default();
    let own = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    if own.is_some() && own == host { Ok(()) } else { refused("the origin of the request is another one") }
}

fn no_token_in_url(request: &Request) -> Result<(), Fault> {
    let query = request.uri().query().unwrap_or_default();
    let named = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let kinds = [TokenKind::Person, TokenKind::Agent];
        IN_URL.iter().any(|word| name.eq_ignore_ascii_case(word))
            || kinds.iter().any(|kind| value.starts_with(kind.prefix()))
    };
    if query.split('&').any(named) {
        return Err(Fault::new(Code::TokenInUrl, "a token in a URL is kept by logs and histories").hint(
            "revoke it (overnight token revoke NAME) and send the new one as \"Authorization: Bearer …\"",
        ));
    }
    Ok(())
}
