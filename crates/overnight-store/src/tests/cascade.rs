//! What a cascade knows and waits for.

use overnight_core::backlog::{EpicBody, Item, ItemBody, RepositorySettings, StoryBody};
use overnight_core::id::TaskKey;
use overnight_core::job::{CancelledBy, TaskOrder};
use overnight_core::policy::alignment::VerifyRequired;
use overnight_core::policy::cascade::Cascade;

use super::*;
use crate::{CancelRequest, NewItem};

on_both!(
    the_jobs_of_an_epic_are_those_of_its_tasks,
    the_epic_says_whether_failures_are_carried_on_else_its_repository,
    a_cascade_is_woken_by_the_last_end_that_it_waits_for,
    an_end_before_the_wait_is_not_waited_for,
    what_has_failed_by_itself_is_not_cancelled_by_another_ones_failure,
);

async fn item(store: &Store, title: &str, body: ItemBody, parent: Option<&Item>) -> Item {
    let new = NewRepository { name: "app".to_owned(), remote: "/src/app".to_owned() };
    let repository = store.repository_ensure(&new).await.unwrap().id;
    let parent = parent.map(|parent| parent.id.clone());
    store.item_add(&NewItem { repository, title: title.to_owned(), body, parent }).await.unwrap()
}

async fn epic(store: &Store, cascade: Option<bool>) -> (Item, Item) {
    let body = ItemBody::Epic(EpicBody { cascade, ..EpicBody::default() });
    let epic = item(store, "House", body, None).await;
    let story = item(store, "Doors", ItemBody::Story(StoryBody::default()), Some(&epic)).await;
    (epic, story)
}

/// A job of a new task of the story.
async fn job(store: &Store, epic: &TaskKey, story: &Item) -> Job {
    let task = item(store, "Hang", ItemBody::Task(Box::default()), Some(story)).await;
    let order = TaskOrder {
        item: task.id.clone(),
        key: task.key.clone(),
        story: Some(story.key.clone()),
        epic: Some(epic.clone()),
        plan: None,
        verify_required: VerifyRequired::default(),
        verify_only: false,
    };
    let spec = JobSpec { task: Some(Box::new(order)), ..spec("Hang it") };
    store.job_enqueue(&NewJob::new(task.repository.clone(), spec)).await.unwrap()
}

async fn the_jobs_of_an_epic_are_those_of_its_tasks(f: &Fixture) {
    let (house, doors) = epic(&f.store, None).await;
    let windows = item(&f.store, "Windows", ItemBody::Story(StoryBody::default()), Some(&house)).await;
    let (other, gates) = epic(&f.store, None).await;
    let one = job(&f.store, &house.key, &doors).await;
    let two = job(&f.store, &house.key, &windows).await;
    job(&f.store, &other.key, &gates).await;
    enqueue(&f.store).await;
    // It was started when the task belonged to something else.
    job(&f.store, &other.key, &doors).await;
    let found = f.store.epic_jobs(&house.key).await.unwrap().unwrap();
    let ids: Vec<_> = found.jobs.iter().map(|job| job.id.clone()).collect();
    assert_eq!(ids, [one.id, two.id]);
    let nobody = TaskKey::parse("app-99").unwrap();
    assert_eq!(f.store.epic_jobs(&nobody).await.unwrap(), None);
    // A story is no epic.
    assert_eq!(f.store.epic_jobs(&doors.key).await.unwrap(), None);
}

async fn the_epic_says_whether_failures_are_carried_on_else_its_repository(f: &Fixture) {
    let (silent, _) = epic(&f.store, None).await;
    let (never, _) = epic(&f.store, Some(false)).await;
    let (always, _) = epic(&f.store, Some(true)).await;
    for whole in [true, false] {
        let before = f.store.repository_settings(&silent.repository).await.unwrap();
        let after = RepositorySettings { cascade: whole, ..before.clone() };
        f.store.repository_settle(&silent.repository, &before, &after).await.unwrap();
        for (epic, wanted) in [(&silent, whole), (&never, false), (&always, true)] {
            assert_eq!(f.store.epic_jobs(&epic.key).await.unwrap().unwrap().cascade, wanted);
        }
    }
}

fn waits() -> Input {
    parks(ParkReason::Dependency, Some(Timestamp(i64::MAX)))
}

async fn a_cascade_is_woken_by_the_last_end_that_it_waits_for(f: &Fixture) {
    let (one, two) = (enqueue(&f.store).await, enqueue(&f.store).await);
    let mut first = claim(&f.store, &one.id, "w").await;
    let mut second = claim(&f.store, &two.id, "w").await;
    let failed = enqueue(&f.store).await;
    let Claimed { lease, job: mut waiting, .. } = claim(&f.store, &failed.id, "w").await;
    let ids = [one.id.clone(), two.id.clone()];
    // It may look more than once before it waits.
    for _ in 0..2 {
        assert_eq!(f.store.job_await_ends(&lease, &ids).await.unwrap(), 2);
    }
    advance(&f.store, &lease, &mut waiting, waits()).await;
    end(&f.store, &mut first, EndReason::Cancelled).await;
    assert!(claim_next(&f.store, "w", 9).await.is_empty());
    end(&f.store, &mut second, EndReason::AgentFailed).await;
    let taken = claim_next(&f.store, "w", 9).await;
    assert_eq!(keys(&taken), [failed.key.to_string()]);
    let late = f.store.job_await_ends(&lease, &ids).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
}

async fn an_end_before_the_wait_is_not_waited_for(f: &Fixture) {
    let other = enqueue(&f.store).await;
    let mut running = claim(&f.store, &other.id, "w").await;
    let failed = enqueue(&f.store).await;
    let Claimed { lease, job: mut waiting, .. } = claim(&f.store, &failed.id, "w").await;
    assert_eq!(f.store.job_await_ends(&lease, std::slice::from_ref(&other.id)).await.unwrap(), 1);
    end(&f.store, &mut running, EndReason::Cancelled).await;
    assert_eq!(f.store.job_await_ends(&lease, &[other.id]).await.unwrap(), 0);
    // And one that waits with a time of its own is not held up for ever.
    advance(&f.store, &lease, &mut waiting, parks(ParkReason::Dependency, Some(Timestamp(1)))).await;
    f.store.jobs_due().await.unwrap();
    assert_eq!(claim_next(&f.store, "w", 9).await.len(), 1);
}

async fn what_has_failed_by_itself_is_not_cancelled_by_another_ones_failure(f: &Fixture) {
    let by = CancelledBy::Cascade { failed: TaskKey::parse("app-12").unwrap() };
    let running = enqueue(&f.store).await;
    let held = claim(&f.store, &running.id, "w").await;
    assert_eq!(f.store.cancel_request(&running.id, by.clone()).await.unwrap(), CancelRequest::Asked);
    let seen = f.store.job(&held.job.id).await.unwrap();
    assert_eq!(seen.cancel, Some(by.clone()));
    let (house, doors) = epic(&f.store, None).await;
    let failing = job(&f.store, &house.key, &doors).await;
    let mut claimed = claim(&f.store, &failing.id, "w").await;
    end(&f.store, &mut claimed, EndReason::AgentFailed).await;
    let state = f.store.job(&failing.id).await.unwrap().state;
    assert_eq!(state.cascade(), Some(&Cascade::default()));
    assert_eq!(f.store.cancel_request(&failing.id, by).await.unwrap(), CancelRequest::AlreadyEnded);
    assert_eq!(f.store.job(&failing.id).await.unwrap().cancel, None);
    // A person can stop it all the same.
    let person = f.store.cancel_request(&failing.id, CancelledBy::Command).await.unwrap();
    assert_eq!(person, CancelRequest::Asked);
}
