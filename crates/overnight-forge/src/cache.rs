//! Answers that the forge lets us keep, so that asking again costs nothing of its limit.
//!
//! Owns them, by URL, bounded in number and size. An answer is only used after the forge said that it still holds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::http::Answer;

/// Enough for the pull requests, checks and issues that one worker follows at a time.
const MAX_ENTRIES: usize = 256;
/// Together, as they came over the wire. One that is larger than an eighth is not kept at all.
const MAX_BYTES: usize = 8 << 20;

#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<String, Entry>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry {
    etag: HeaderValue,
    answer: Answer,
    bytes: usize,
    used: u64,
}

impl Cache {
    pub(crate) fn etag(&self, url: &Url) -> Option<HeaderValue> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.get(url.as_str()).map(|entry| entry.etag.clone())
    }

    pub(crate) fn get(&self, url: &Url) -> Option<Answer> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let now = kept.clock;
        let entry = kept.entries.get_mut(url.as_str())?;
        entry.used = now;
        Some(entry.answer.clone())
    }

    pub(crate) fn keep(&self, url: &Url, etag: HeaderValue, answer: &Answer, bytes: usize) {
        if bytes > MAX_BYTES / 8 {
            return;
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let entry = Entry { etag, answer: answer.clone(), bytes, used: kept.clock };
        kept.bytes += bytes;
        if let Some(old) = kept.entries.insert(url.as_str().to_owned(), entry) {
            kept.bytes -= old.bytes;
        }
        while kept.entries.len() > MAX_ENTRIES || kept.bytes > MAX_BYTES {
            let oldest = kept.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(url, _)| url.clone());
            let Some(gone) = oldest.and_then(|url| kept.entries.remove(&url)) else { break };
            kept.bytes -= gone.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;
    use serde_json::json;

    use super::*;

    fn url(number: usize) -> Url {
        Url::parse(&format!("https://h/{number}")).unwrap()
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let cache = Cache::default();
        let answer = Answer { headers: HeaderMap::new(), json: json!(1) };
        for number in 0..MAX_ENTRIES {
            cache.keep(&url(number), HeaderValue::from_static("\"e\""), &answer, 10);
        }
        assert!(cache.get(&url(0)).is_some());
        cache.keep(&url(1_000), HeaderValue::from_static("\"e\""), &answer, 10);
        assert!(cache.etag(&url(0)).is_some() && cache.etag(&url(1)).is_none());
        cache.keep(&url(2_000), HeaderValue::from_static("\"e\""), &answer, MAX_BYTES);
        assert!(cache.etag(&url(2_000)).is_none(), "too large to be worth it");
        for number in 0..9 {
            cache.keep(&url(number), HeaderValue::from_static("\"e\""), &answer, MAX_BYTES / 8);
        }
        let kept = cache.0.lock().unwrap();
        assert!(kept.bytes <= MAX_BYTES, "{}", kept.bytes);
        assert_eq!(kept.bytes, kept.entries.values().map(|entry| entry.bytes).sum::<usize>());
    }
}
