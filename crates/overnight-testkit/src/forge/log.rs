//! What was asked of the fake forge.
//!
//! Owns no state; a request is recorded whole, headers included, before anything else happens to it.

use super::fault::On;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct LoggedRequest {
    pub method: String,
    pub path: String,
    pub query: String,
    /// Lower-case names.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// `None` for a path that the forge does not have.
    pub on: Option<On>,
}

impl LoggedRequest {
    /// The first header of this lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The parts of this request, other than `Authorization`, that contain `secret`.
    #[must_use]
    pub fn leaks(&self, secret: &str) -> Vec<String> {
        let url = format!("{}?{}", self.path, self.query);
        let body = String::from_utf8_lossy(&self.body);
        let headers = self.headers.iter().filter(|(name, _)| name != "authorization");
        let mut places = vec![("url".to_owned(), url), ("body".to_owned(), body.into_owned())];
        places.extend(headers.cloned());
        places
            .into_iter()
            .filter(|(_, text)| text.contains(secret))
            .map(|(place, _)| format!("{} {place}", self.path))
            .collect()
    }
}
