//! The door of persons and their programs: the tokens that the API takes, with the same scopes, open the tools of an assistant.

use std::sync::Arc;

use overnight_core::access::{Scope as TokenScope, TokenId, TokenKind, TokenText};
use overnight_core::id::TaskKey;
use overnight_store::{Store, TokenCheck};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::operator::{NewOrder, Operator, OrderRefused, Orders, Scope};
use super::tool::Toolbox;
use super::{Answer, Door};
use crate::Limits;
use crate::api::{self, Desk};

/// Knows tokens by the store, and takes orders by the same desk as the API.
pub(crate) struct PersonDoor {
    pub(crate) store: Store,
    pub(crate) desk: Arc<dyn Desk>,
    pub(crate) limits: Limits,
}

impl Door for PersonDoor {
    fn toolbox<'a>(&'a self, bearer: Option<&'a str>) -> Answer<'a, Option<Arc<dyn Toolbox>>> {
        Box::pin(async move {
            let (token, scope) = self.scope(bearer?).await?;
            let name = timeout(self.limits.store, self.store.token_name(&token)).await.ok()?.ok()??;
            let orders = ByDesk {
                store: self.store.clone(),
                desk: Arc::clone(&self.desk),
                any: scope == Scope::Admin,
            };
            let operator = Operator {
                store: self.store.clone(),
                scope,
                by: format!("token {name}"),
                requests: token.as_str().to_owned(),
                orders: Some(Arc::new(orders)),
                desk: Some(Arc::clone(&self.desk)),
            };
            Some(Arc::new(operator) as Arc<dyn Toolbox>)
        })
    }
}

impl PersonDoor {
    /// `None`: nobody that may come in, or nobody can say: the store does not answer.
    async fn scope(&self, bearer: &str) -> Option<(TokenId, Scope)> {
        let text = TokenText::parse(bearer).ok().filter(|text| text.kind() == TokenKind::Person)?;
        match timeout(self.limits.store, self.store.token_check(&text)).await.ok()?.ok()? {
            TokenCheck::Good { id, scope } => match scope {
                TokenScope::Read => Some((id, Scope::Read)),
                TokenScope::Operate => Some((id, Scope::Operate)),
                TokenScope::Admin => Some((id, Scope::Admin)),
                TokenScope::Worker => None,
            },
            TokenCheck::Unknown | TokenCheck::Expired | TokenCheck::Revoked => None,
        }
    }
}

struct ByDesk {
    store: Store,
    desk: Arc<dyn Desk>,
    any: bool,
}

impl Orders for ByDesk {
    fn add(&self, order: NewOrder) -> Answer<'_, Result<TaskKey, OrderRefused>> {
        let order =
            api::NewOrder { fields: fields(&order), request: order.request.clone(), any_directory: self.any };
        Box::pin(async move {
            let placed = self.desk.order(order).await.map_err(|refusal| refused(&refusal))?;
            let job = self.store.job(&placed.job).await;
            job.map(|job| job.key).map_err(|error| OrderRefused(error.to_string()))
        })
    }
}

/// In the words of the API's body.
fn fields(order: &NewOrder) -> Map<String, Value> {
    let texts = [
        ("prompt", Some(&order.prompt)),
        ("repository", order.repository.as_ref()),
        ("title", order.title.as_ref()),
        ("agent", order.agent.as_ref()),
        ("model", order.model.as_ref()),
    ];
    let given = texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.clone().into())));
    let asked = order.pull_request.then(|| ("pr".to_owned(), Value::Bool(true)));
    given.chain(asked).collect()
}

fn refused(refusal: &api::Refusal) -> OrderRefused {
    let help = refusal.help.as_ref().map(|help| format!("; help: {help}"));
    OrderRefused(format!("{}{}", refusal.what, help.unwrap_or_default()))
}
