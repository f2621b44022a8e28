//! What people see of the queue: where each job stands, what it waits for, and lists by label and repository.

use overnight_core::job::{AfterRule, CancelledBy};

use super::*;
use crate::{After, CancelRequest, JobFilter, LimitKey, Parent, Phase};

on_both!(
    every_phase_is_seen,
    what_a_job_waits_for_is_named_until_it_has_ended,
    lists_of_a_label_hold_its_jobs_only,
    a_cancel_needs_no_slot,
);

async fn add(store: &Store, queueing: Queueing, after: Vec<After>) -> Job {
    store.job_enqueue(&NewJob { queueing, after, ..new_job(store, "app").await }).await.unwrap()
}

fn after(parent: &Job, rule: AfterRule) -> After {
    After { on: Parent::Job(parent.id.clone()), rule }
}

async fn every_phase_is_seen(f: &Fixture) {
    let later = f.store.now().await.unwrap().plus(MINUTE * 60);
    let bound = Queueing { place: Some(label("there")), ..Queueing::default() };
    let due = Queueing { not_before: Some(later), ..Queueing::default() };
    let ready = add(&f.store, bound, Vec::new()).await;
    let due = add(&f.store, due, Vec::new()).await;
    let mut held = claim(&f.store, &enqueue(&f.store).await.id, "w").await;
    let mut asleep = claim(&f.store, &enqueue(&f.store).await.id, "w").await;
    advance(&f.store, &asleep.lease, &mut asleep.job, prepared()).await;
    advance(&f.store, &asleep.lease, &mut asleep.job, parks(ParkReason::AgentLogin, None)).await;
    let blocked = add(&f.store, Queueing::default(), vec![after(&held.job, AfterRule::Ended)]).await;
    let all = [&ready, &due, &held.job, &asleep.job, &blocked].map(|job| job.id.clone());
    let standings = f.store.standings(&all).await.unwrap();
    let phases = all.each_ref().map(|id| standings[id].phase);
    assert_eq!(phases, [Phase::Ready, Phase::Due, Phase::Held, Phase::Asleep, Phase::Blocked]);
    assert_eq!(standings[&due.id].wake, Some(later));
    let places = all.each_ref().map(|id| standings[id].place.clone());
    // Of a job that has only begun nothing is anywhere.
    assert_eq!(places, [Some(label("there")), None, None, Some(label("here")), None]);
    end(&f.store, &mut held, EndReason::Published).await;
    assert_eq!(f.store.standing(&held.job.id).await.unwrap().phase, Phase::Ended);
    assert_eq!(f.store.standing(&blocked.id).await.unwrap().phase, Phase::Ready);
    let nobody = JobId::parse("nobody").unwrap();
    assert!(f.store.standings(std::slice::from_ref(&nobody)).await.unwrap().is_empty());
    assert!(matches!(f.store.standing(&nobody).await, Err(StoreError::UnknownJob { .. })));
}

async fn what_a_job_waits_for_is_named_until_it_has_ended(f: &Fixture) {
    let (one, two) = (enqueue(&f.store).await, enqueue(&f.store).await);
    let both = vec![after(&two, AfterRule::Done), after(&one, AfterRule::Ended)];
    let child = add(&f.store, Queueing::default(), both).await;
    assert_eq!(f.store.standing(&child.id).await.unwrap().waits_for, [one.key.clone(), two.key.clone()]);
    end(&f.store, &mut claim(&f.store, &one.id, "w").await, EndReason::NoChanges).await;
    assert_eq!(f.store.standing(&child.id).await.unwrap().waits_for, std::slice::from_ref(&two.key));
    let parents = f.store.parents(&child.id).await.unwrap();
    let told: Vec<_> = parents.iter().map(|one| (&one.key, one.rule, one.end.as_deref())).collect();
    let wanted = [(&one.key, AfterRule::Ended, Some("no_changes")), (&two.key, AfterRule::Done, None)];
    assert_eq!(told, wanted);
    assert_eq!((parents[0].state.as_str(), parents[1].state.as_str()), ("ended", "queued"));
    assert!(f.store.parents(&one.id).await.unwrap().is_empty());
}

async fn lists_of_a_label_hold_its_jobs_only(f: &Fixture) {
    let words = |words: &[&str]| {
        let labels = words.iter().map(|word| label(word)).collect();
        Queueing { labels, ..Queueing::default() }
    };
    let both = add(&f.store, words(&["a_b", "c"]), Vec::new()).await;
    add(&f.store, words(&["a.b"]), Vec::new()).await;
    add(&f.store, words(&["A_B"]), Vec::new()).await;
    let of = async |word: &str, ended| {
        let filter = JobFilter { label: Some(label(word)), ended, limit: Some(9), ..JobFilter::default() };
        let found = f.store.jobs(&filter).await.unwrap().jobs;
        found.into_iter().map(|job| job.key).collect::<Vec<_>>()
    };
    assert_eq!(of("a_b", None).await, std::slice::from_ref(&both.key));
    assert_eq!(of("c", Some(false)).await, std::slice::from_ref(&both.key));
    assert!(of("c", Some(true)).await.is_empty() && of("nobody", None).await.is_empty());
    let names: Vec<_> = f.store.repositories().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["app"]);
}

async fn a_cancel_needs_no_slot(f: &Fixture) {
    let mut parked = claim(&f.store, &enqueue(&f.store).await.id, "w").await;
    advance(&f.store, &parked.lease, &mut parked.job, prepared()).await;
    advance(&f.store, &parked.lease, &mut parked.job, parks(ParkReason::AgentLogin, None)).await;
    f.store.limit_set(&LimitKey::repository("app"), Some(0)).await.unwrap();
    let id = &parked.job.id;
    assert!(matches!(f.store.job_claim(id, &claimant("w"), &[]).await.unwrap(), Claim::Full { .. }));
    assert_eq!(f.store.cancel_request(id, CancelledBy::Command).await.unwrap(), CancelRequest::Recorded);
    claim(&f.store, id, "w").await;
}
