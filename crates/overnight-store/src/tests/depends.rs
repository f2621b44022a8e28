//! Jobs that wait for others: when they may run, and what comes of them when they never may.

use std::sync::Arc;

use overnight_core::job::{AfterRule, CancelledBy, JobEvent};
use tokio::sync::Barrier;

use super::*;
use crate::{After, CancelRequest, Parent};

on_both!(
    a_waiting_job_runs_when_its_parent_was_published,
    a_waiting_job_ends_when_its_parent_ends_in_another_way,
    a_job_that_waits_for_any_end_runs_after_every_end,
    a_chain_in_one_batch_runs_in_its_order,
    a_bad_end_reaches_everybody_who_waits,
    a_job_with_several_parents_waits_for_all_of_them,
    parents_that_ended_before_are_looked_at,
    two_rules_for_one_parent_are_the_stricter_one,
    a_job_with_a_time_waits_for_both,
    parents_that_end_together_leave_no_child_behind,
    a_parent_that_ends_while_a_child_is_enqueued_does_not_forget_it,
    a_child_that_cannot_be_read_does_not_keep_its_parent_from_ending,
);

async fn after(store: &Store, parents: &[(&Job, AfterRule)]) -> Result<Job, StoreError> {
    let after =
        parents.iter().map(|(job, rule)| After { on: Parent::Job(job.id.clone()), rule: *rule }).collect();
    store.job_enqueue(&NewJob { after, ..new_job(store, "app").await }).await
}

async fn finish(store: &Store, job: &Job, reason: EndReason) {
    end(store, &mut claim(store, &job.id, "w").await, reason).await;
}

async fn ended_as(store: &Store, job: &Job) -> Option<EndReason> {
    let job = store.job(&job.id).await.unwrap();
    job.state.is_ended().then(|| job.state.end().unwrap().reason)
}

use AfterRule::{Done, Ended};

async fn a_waiting_job_runs_when_its_parent_was_published(f: &Fixture) {
    let parent = enqueue(&f.store).await;
    let child = after(&f.store, &[(&parent, Done)]).await.unwrap();
    assert!(matches!(child.state, JobState::Parked { reason: ParkReason::Dependency, .. }));
    assert_eq!(f.store.job(&child.id).await.unwrap(), child);
    assert!(matches!(f.store.job_claim(&child.id, &claimant("w"), &[]).await.unwrap(), Claim::Blocked));
    assert!(matches!(f.store.job_wake(&child.id).await, Err(StoreError::Blocked { .. })));
    let mut claimed = claim_next(&f.store, "w", 9).await;
    assert_eq!(keys(&claimed), [parent.key.to_string()]);
    let mut wakes = f.store.subscribe();
    wakes.mark_unchanged();
    end(&f.store, &mut claimed[0], EndReason::Published).await;
    assert!(wakes.has_changed().unwrap());
    let child = claim_next(&f.store, "w", 9).await.pop().unwrap();
    let events = f.store.events(&child.job.id, EventNumber(0), 9).await.unwrap();
    let events: Vec<_> = events.into_iter().map(|record| record.event.unwrap()).collect();
    assert!(matches!(
        events.as_slice(),
        [
            JobEvent::Queued { .. },
            JobEvent::Parked { reason: ParkReason::Dependency, .. },
            JobEvent::Woken { reason: ParkReason::Dependency },
            JobEvent::Claimed { .. },
            JobEvent::StageStarted { .. }
        ]
    ));
}

async fn a_waiting_job_ends_when_its_parent_ends_in_another_way(f: &Fixture) {
    let parent = enqueue(&f.store).await;
    let child = after(&f.store, &[(&parent, Done)]).await.unwrap();
    finish(&f.store, &parent, EndReason::VerificationFailed).await;
    assert_eq!(ended_as(&f.store, &child).await, Some(EndReason::DependencyFailed));
    let detail = f.store.job(&child.id).await.unwrap().state.end().unwrap().detail.clone();
    assert!(detail.contains(parent.key.as_str()) && detail.contains("verification_failed"), "{detail}");
    assert_gapless(&numbers(&f.store, &child.id).await);
    assert!(claim_next(&f.store, "w", 9).await.is_empty());
}

async fn a_job_that_waits_for_any_end_runs_after_every_end(f: &Fixture) {
    for reason in [EndReason::Published, EndReason::NoChanges] {
        let parent = enqueue(&f.store).await;
        let child = after(&f.store, &[(&parent, Ended)]).await.unwrap();
        finish(&f.store, &parent, reason).await;
        assert_eq!(keys(&claim_next(&f.store, "w", 9).await), [child.key.to_string()], "{reason:?}");
    }
}

async fn a_chain_in_one_batch_runs_in_its_order(f: &Fixture) {
    let plain = new_job(&f.store, "app").await;
    let mut chain = vec![plain.clone()];
    for number in 0..5 {
        let after = vec![After { on: Parent::Earlier(number), rule: Done }];
        chain.push(NewJob { after, ..plain.clone() });
    }
    let jobs = f.store.jobs_enqueue(&chain).await.unwrap();
    for job in &jobs {
        let mut claimed = claim_next(&f.store, "w", 9).await;
        assert_eq!(keys(&claimed), [job.key.to_string()]);
        end(&f.store, &mut claimed[0], EndReason::Published).await;
    }
}

async fn a_bad_end_reaches_everybody_who_waits(f: &Fixture) {
    let first = enqueue(&f.store).await;
    let second = after(&f.store, &[(&first, Done)]).await.unwrap();
    let third = after(&f.store, &[(&second, Done), (&first, Ended)]).await.unwrap();
    let whatever = after(&f.store, &[(&third, Ended)]).await.unwrap();
    assert_eq!(f.store.cancel_request(&first.id, CancelledBy::Command).await.unwrap(), CancelRequest::Ended);
    assert_eq!(ended_as(&f.store, &first).await, Some(EndReason::Cancelled));
    for job in [second, third] {
        assert_eq!(ended_as(&f.store, &job).await, Some(EndReason::DependencyFailed));
    }
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), [whatever.key.to_string()]);
    let stats = f.store.queue_stats().await.unwrap();
    assert_eq!((stats.blocked, stats.ended.iter().map(|end| end.jobs).sum::<u64>()), (0, 3));
}

async fn a_job_with_several_parents_waits_for_all_of_them(f: &Fixture) {
    let parents = [enqueue(&f.store).await, enqueue(&f.store).await, enqueue(&f.store).await];
    let child = after(&f.store, &parents.each_ref().map(|parent| (parent, Done))).await.unwrap();
    for parent in &parents {
        assert_eq!(f.store.queue_stats().await.unwrap().blocked, 1);
        finish(&f.store, parent, EndReason::Published).await;
    }
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), [child.key.to_string()]);
}

async fn parents_that_ended_before_are_looked_at(f: &Fixture) {
    let (good, bad) = (enqueue(&f.store).await, enqueue(&f.store).await);
    finish(&f.store, &good, EndReason::Published).await;
    finish(&f.store, &bad, EndReason::NoChanges).await;
    let child = after(&f.store, &[(&good, Done), (&bad, Ended)]).await.unwrap();
    assert_eq!(child.state, JobState::Queued);
    let refused = after(&f.store, &[(&good, Done), (&bad, Done)]).await.unwrap_err();
    let StoreError::ParentFailed { key, reason } = refused else { panic!("{refused:?}") };
    assert_eq!((key, reason), (bad.key, EndReason::NoChanges));
}

async fn two_rules_for_one_parent_are_the_stricter_one(f: &Fixture) {
    for rules in [[Ended, Done], [Done, Ended]] {
        let parent = enqueue(&f.store).await;
        let child = after(&f.store, &rules.map(|rule| (&parent, rule))).await.unwrap();
        finish(&f.store, &parent, EndReason::NoChanges).await;
        assert_eq!(ended_as(&f.store, &child).await, Some(EndReason::DependencyFailed));
    }
}

async fn a_job_with_a_time_waits_for_both(f: &Fixture) {
    let parent = enqueue(&f.store).await;
    let late = Queueing { not_before: Some(parent.created_at.plus(MINUTE * 60)), ..Queueing::default() };
    let after = vec![After { on: Parent::Job(parent.id.clone()), rule: Done }];
    let child = NewJob { after, queueing: late.clone(), ..new_job(&f.store, "app").await };
    let child = f.store.job_enqueue(&child).await.unwrap();
    finish(&f.store, &parent, EndReason::Published).await;
    assert_eq!(f.store.jobs_due().await.unwrap(), late.not_before);
    assert!(claim_next(&f.store, "w", 9).await.is_empty());
    assert!(f.store.job_wake(&child.id).await.unwrap());
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), [child.key.to_string()]);
}

async fn parents_that_end_together_leave_no_child_behind(f: &Fixture) {
    let stores = [f.other().await, f.other().await];
    for round in 0..40 {
        let parents = [enqueue(&f.store).await, enqueue(&f.store).await];
        let child = after(&f.store, &parents.each_ref().map(|parent| (parent, Ended))).await.unwrap();
        let together = Arc::new(Barrier::new(2));
        let mut ends = Vec::new();
        for (store, parent) in stores.iter().zip(&parents) {
            let (store, together, mut claimed) =
                (store.clone(), Arc::clone(&together), claim(store, &parent.id, "w").await);
            ends.push(tokio::spawn(async move {
                let Claimed { lease, job, .. } = &mut claimed;
                advance(&store, lease, job, Input::Cancel { by: CancelledBy::Command }).await;
                together.wait().await;
                advance(&store, lease, job, cleaned()).await;
            }));
        }
        for end in ends {
            end.await.unwrap();
        }
        let taken = claim_next(&f.store, "w", 9).await;
        assert_eq!(keys(&taken), [child.key.to_string()], "round {round}");
    }
}

async fn a_parent_that_ends_while_a_child_is_enqueued_does_not_forget_it(f: &Fixture) {
    let other = f.other().await;
    for round in 0..40 {
        let parent = enqueue(&f.store).await;
        let mut claimed = claim(&f.store, &parent.id, "w").await;
        let store = other.clone();
        let ending = tokio::spawn(async move { end(&store, &mut claimed, EndReason::Published).await });
        let child = after(&f.store, &[(&parent, Done)]).await.unwrap();
        ending.await.unwrap();
        assert_eq!(keys(&claim_next(&f.store, "w", 9).await), [child.key.to_string()], "round {round}");
    }
}

async fn a_child_that_cannot_be_read_does_not_keep_its_parent_from_ending(f: &Fixture) {
    let parent = enqueue(&f.store).await;
    let bad = after(&f.store, &[(&parent, Done)]).await.unwrap();
    let good = after(&f.store, &[(&parent, Done)]).await.unwrap();
    let damage = "UPDATE jobs SET state = '{}' WHERE id = $1";
    f.store.run("test", sql(damage).bind(bad.id.as_str())).await.unwrap();
    finish(&f.store, &parent, EndReason::Published).await;
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), [good.key.to_string()]);
}
