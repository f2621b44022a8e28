//! Claims while most of what is ready may not run: fifty thousand jobs of one repository that is at its limit stand in front of a
//! thousand jobs of two hundred others.

use std::time::Instant;

use overnight_store::{LimitKey, Store};
use serde_json::{Value, json};

use crate::program::BATCH;

use super::{claim_of, new_job_of};

const BUSY: usize = 50_000;
const OTHERS: usize = 200;
const OF_EACH: usize = 5;

pub(super) async fn load(store: &Store) -> Value {
    let busy = new_job_of(store, "busy").await;
    store.limit_set(&LimitKey::repository("busy"), Some(1)).await.unwrap();
    for _ in 0..BUSY / BATCH {
        store.jobs_enqueue(&vec![busy.clone(); BATCH]).await.unwrap();
    }
    assert_eq!(store.jobs_claim(&claim_of(1)).await.unwrap().taken.len(), 1);
    for number in 0..OTHERS {
        let other = new_job_of(store, &format!("other{number}")).await;
        store.jobs_enqueue(&vec![other; OF_EACH]).await.unwrap();
    }
    json!({})
}

/// One slot at a time, as a worker claims whose jobs end one by one.
pub(super) async fn claims(store: &Store, count: usize) -> Value {
    let order = claim_of(1);
    let mut ms = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        let taken = store.jobs_claim(&order).await.unwrap().taken;
        ms.push(began.elapsed().as_secs_f64() * 1e3);
        assert!(taken.len() == 1 && taken[0].job.repository_name != "busy", "{taken:?}");
    }
    json!({ "ms": ms })
}
