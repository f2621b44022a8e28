//! Whether a request that is sent again waits for the same jobs as the first time.
//!
//! What was waited for is in the dependencies, except for jobs that had ended by then: those were no reason to wait, and no
//! row tells of them. So one that is named now and has no row is the same as before only if it had ended before the job
//! was made.

use std::collections::BTreeMap;

use overnight_core::job::{AfterRule, Job};
use overnight_core::units::Timestamp;

use crate::error::StoreError;
use crate::row;
use crate::sql::{places, sql};
use crate::store::WriteTx;

use super::{NewJob, Parent};

/// By the id of the job to wait for.
type Rules = BTreeMap<String, String>;

/// Refuses requests whose jobs are there and wait for others than they are to now.
pub(super) async fn same_parents(
    tx: &mut WriteTx,
    new: &[NewJob],
    known: &[Option<Job>],
) -> Result<(), StoreError> {
    for (new, job) in new.iter().zip(known).filter_map(|(new, job)| Some((new, job.as_ref()?))) {
        let recorded = recorded(tx, job).await?;
        let same = match named(new, known) {
            Some(named) => {
                let extra: Vec<&String> = named.keys().filter(|id| !recorded.contains_key(*id)).collect();
                recorded.iter().all(|(id, rule)| named.get(id) == Some(rule))
                    && had_ended(tx, &extra, job.created_at).await?
            }
            None => false,
        };
        if !same {
            let request = new.request.clone().unwrap_or_default();
            return Err(StoreError::RequestReused { request, key: job.key.clone() });
        }
    }
    Ok(())
}

/// `None`: one of them is only now being made.
fn named(new: &NewJob, known: &[Option<Job>]) -> Option<Rules> {
    let mut rules = Rules::new();
    for after in &new.after {
        let id = match &after.on {
            Parent::Job(id) => id.as_str(),
            Parent::Earlier(at) => known.get(*at)?.as_ref()?.id.as_str(),
        };
        // Of two rules for the same job the stricter one.
        let rule = rules.entry(id.to_owned()).or_insert_with(|| after.rule.as_str().to_owned());
        if after.rule == AfterRule::Done {
            after.rule.as_str().clone_into(rule);
        }
    }
    Some(rules)
}

async fn recorded(tx: &mut WriteTx, job: &Job) -> Result<Rules, StoreError> {
    let text = "SELECT d.parent_id, d.rule FROM job_dependencies d WHERE d.child_id = $1";
    let id = job.id.as_str();
    let mut rules = Rules::new();
    for found in tx.all(sql(text).bind(id)).await? {
        rules.insert(row::text(&found, id, "parent_id")?, row::text(&found, id, "rule")?);
    }
    Ok(rules)
}

/// Whether all of these had ended by this time.
async fn had_ended(tx: &mut WriteTx, ids: &[&String], by: Timestamp) -> Result<bool, StoreError> {
    for some in ids.chunks(64) {
        let text = format!(
            "SELECT COUNT(*) AS count FROM jobs j WHERE j.ended AND j.updated_at <= $1 AND j.id IN ({})",
            places(2, some.len())
        );
        let found = tx.optional(sql(text).bind(by.0).bind_all(some.iter().map(|id| id.as_str()))).await?;
        let count = found.map_or(Ok(0), |found| row::count(&found, "count"))?;
        if count != some.len() as u64 {
            return Ok(false);
        }
    }
    Ok(true)
}
