//! Lists that come in pages, and answers read into types.
//!
//! Owns no state. A page may hold fewer entries than asked for where the server's own limit is lower, so the forge's link
//! to the next page counts first.

use overnight_core::units::Timestamp;
use reqwest::Url;
use reqwest::header::{HeaderMap, LINK};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{ForgeError, Operation};
use crate::http::{Http, Order};
use crate::retry::Budget;
use crate::time;

/// How a list is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pages {
    /// The parameter for a page's size.
    pub(crate) size_key: &'static str,
    pub(crate) size: usize,
    pub(crate) most: usize,
    /// The field of the answer that holds the list; `None` when the answer is the list.
    pub(crate) field: Option<&'static str>,
}

/// A list, and whether there is more of it than we read.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    pub(crate) items: Vec<T>,
    pub(crate) cut: bool,
}

impl Http {
    pub(crate) fn decode<T: DeserializeOwned>(
        &self,
        operation: Operation,
        json: Value,
    ) -> Result<T, ForgeError> {
        serde_json::from_value(json).map_err(|error| self.unexpected(operation, error.to_string()))
    }

    /// A time that must be there: without it nobody could go on from where a list ended.
    pub(crate) fn time_of(
        &self,
        operation: Operation,
        what: &str,
        text: &str,
    ) -> Result<Timestamp, ForgeError> {
        time::parse(text).ok_or_else(|| self.unexpected(operation, format!("the time of {what} is none")))
    }

    pub(crate) async fn read_as<T: DeserializeOwned>(
        &self,
        operation: Operation,
        url: Url,
        budget: &mut Budget<'_>,
    ) -> Result<T, ForgeError> {
        let answer = self.get(operation, url, budget).await?;
        self.decode(operation, answer.json)
    }

    /// Sends what may be done twice, and reads what it came to.
    pub(crate) async fn change_as<T: DeserializeOwned>(
        &self,
        order: &Order<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<T, ForgeError> {
        let answer = self.send(order, budget).await?;
        self.decode(order.operation, answer.json)
    }

    /// Sends what must not be done twice, and reads what it came to.
    pub(crate) async fn once_as<T: DeserializeOwned>(
        &self,
        order: Order<'_>,
        budget: &Budget<'_>,
    ) -> Result<T, ForgeError> {
        let operation = order.operation;
        let answer = self.send_once(order, budget.request_timeout()).await?;
        self.decode(operation, answer.json)
    }

    /// Deletes what may be gone already.
    pub(crate) async fn delete_if_there(
        &self,
        operation: Operation,
        url: Url,
        budget: &mut Budget<'_>,
    ) -> Result<(), ForgeError> {
        match self.send(&Order::delete(operation, url), budget).await {
            Ok(_) | Err(ForgeError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Like [`Http::read_as`]; `None` where the forge knows no such thing.
    pub(crate) async fn find_as<T: DeserializeOwned>(
        &self,
        operation: Operation,
        url: Url,
        budget: &mut Budget<'_>,
    ) -> Result<Option<T>, ForgeError> {
        match self.read_as(operation, url, budget).await {
            Ok(found) => Ok(Some(found)),
            Err(ForgeError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        operation: Operation,
        url: &Url,
        pages: Pages,
        budget: &mut Budget<'_>,
    ) -> Result<Listed<T>, ForgeError> {
        let mut items = Vec::new();
        for page in 1..=pages.most {
            let mut url = url.clone();
            url.query_pairs_mut()
                .append_pair(pages.size_key, &pages.size.to_string())
                .append_pair("page", &page.to_string());
            let mut answer = self.get(operation, url, budget).await?;
            let list = match pages.field {
                Some(field) => answer.json.get_mut(field).map(Value::take).unwrap_or_default(),
                None => answer.json,
            };
            let shown: Vec<T> = self.decode(operation, list)?;
            let last = match has_next(&answer.headers) {
                _ if shown.is_empty() => true,
                Some(more) => !more,
                None => shown.len() < pages.size,
            };
            items.extend(shown);
            if last {
                return Ok(Listed { items, cut: false });
            }
        }
        Ok(Listed { items, cut: true })
    }
}

/// `None` when the forge says nothing of further pages.
fn has_next(headers: &HeaderMap) -> Option<bool> {
    let link = headers.get(LINK)?.to_str().ok()?;
    Some(link.contains("rel=\"next\""))
}
