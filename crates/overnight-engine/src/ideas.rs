//! What follows a document of an idea: the next part, or the next round of the review, as a job of its own.
//!
//! A job that brought its document says in its link that somebody has to look; whoever looks makes at most one job of it, because
//! the job's request is named after the one before it. So it is done after each such job, and once more by every worker from time to
//! time: a kill in between costs nothing.

use overnight_core::backlog::idea::{DocumentPart, next_spec};
use overnight_core::job::{Job, Queueing};
use overnight_store::{ErrorClass, GoingOn, NewJob, Store, StoreError};

/// Looks at every idea that has to be looked at. Returns how many jobs came of it.
pub(crate) async fn go_on(store: &Store) -> Result<usize, StoreError> {
    let mut made = 0;
    for due in store.ideas_going_on().await? {
        made += usize::from(one(store, &due).await?);
    }
    Ok(made)
}

async fn one(store: &Store, due: &GoingOn) -> Result<bool, StoreError> {
    let made = match next(store, due).await? {
        Some(new) => match store.job_enqueue(&new).await {
            Ok(job) => {
                tracing::info!(job.id = %job.id, item.id = %due.item, "an idea goes on");
                true
            }
            // Somebody began another part, or changed the idea, after this one was there: it is theirs now.
            Err(StoreError::TaskBusy { .. } | StoreError::RequestReused { .. }) => false,
            // As for every other error of one job: the others do not wait for it.
            Err(error) if error.class() == ErrorClass::Refused => {
                tracing::warn!(item.id = %due.item, %error, "an idea cannot go on");
                false
            }
            Err(error) => return Err(error),
        },
        None => false,
    };
    store.idea_went_on(&due.job).await?;
    Ok(made)
}

async fn next(store: &Store, due: &GoingOn) -> Result<Option<NewJob>, StoreError> {
    let Some(idea) = store.item_of(&due.item).await? else { return Ok(None) };
    let before: Job = match store.job(&due.job).await {
        // Forgotten in between.
        Err(StoreError::UnknownJob { .. }) => return Ok(None),
        found => found?,
    };
    let documents = store.documents(&due.item).await?;
    let grill = store.document(&due.item, DocumentPart::Grill, None).await?;
    let plan = store.document(&due.item, DocumentPart::Plan, None).await?;
    let texts = (grill.map(|grill| grill.text), plan.map(|plan| plan.text));
    let Some(spec) = next_spec(&before.spec, &idea, &documents, (texts.0.as_deref(), texts.1.as_deref()))
    else {
        return Ok(None);
    };
    let queueing = Queueing { not_before: None, ..before.queueing.clone() };
    let request = Some(format!("idea-after:{}", before.id));
    Ok(Some(NewJob { queueing, request, ..NewJob::new(before.repository, spec) }))
}
