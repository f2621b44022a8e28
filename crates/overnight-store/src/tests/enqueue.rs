//! Accepting jobs: batches, numbers, and requests that are sent again.

use std::collections::BTreeSet;

use overnight_core::job::{AfterRule, JobEvent};

use super::*;
use crate::{After, ErrorClass, JobFilter, Parent};

on_both!(
    an_enqueued_job_has_a_number_a_key_and_its_first_event,
    a_batch_is_accepted_as_a_whole_or_not_at_all,
    batches_of_several_senders_have_numbers_without_gaps,
    a_request_sent_a_hundred_times_at_once_makes_one_job,
    a_request_with_another_body_is_refused,
    a_request_that_waits_for_other_jobs_is_refused,
    a_batch_sent_again_adds_only_what_is_missing,
    a_request_of_a_job_from_before_leaves_its_lane_alone,
    both_ways_of_enqueueing_write_the_same,
);

async fn an_enqueued_job_has_a_number_a_key_and_its_first_event(f: &Fixture) {
    let keys = [enqueue(&f.store).await, enqueue(&f.store).await, enqueue_in(&f.store, "web", "x").await];
    assert_eq!(keys.each_ref().map(|job| job.key.to_string()), ["app-1", "app-2", "web-1"]);
    let [job, ..] = keys;
    assert_eq!((&job.state, job.fence, &job.holder), (&JobState::Queued, Fence(0), &None));
    let events = f.store.events(&job.id, EventNumber(0), 10).await.unwrap();
    let [only] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(only.event.as_ref().unwrap(), &JobEvent::Queued { title: "Fix the door".to_owned() });
    assert_eq!((only.number, only.at), (EventNumber(1), job.created_at));
    assert_eq!(f.store.job(&job.id).await.unwrap(), job);
}

async fn a_batch_is_accepted_as_a_whole_or_not_at_all(f: &Fixture) {
    let good = new_job(&f.store, "app").await;
    let nowhere = NewJob::new(RepositoryId::parse("nowhere").unwrap(), spec("x"));
    let early = After { on: Parent::Earlier(1), rule: AfterRule::Done };
    let of_itself = NewJob { after: vec![early], ..good.clone() };
    let unknown = After { on: Parent::Job(JobId::parse("nobody").unwrap()), rule: AfterRule::Done };
    let of_nobody = NewJob { after: vec![unknown], ..good.clone() };
    let named = NewJob { request: Some("r".to_owned()), ..good.clone() };
    for (bad, class) in [
        (vec![nowhere], ErrorClass::Refused),
        (vec![of_itself], ErrorClass::Bug),
        (vec![of_nobody], ErrorClass::Refused),
        (vec![named.clone(), named], ErrorClass::Refused),
    ] {
        let mut batch = vec![good.clone(); 3];
        batch.truncate(1);
        batch.extend(bad);
        let error = f.store.jobs_enqueue(&batch).await.unwrap_err();
        assert_eq!(error.class(), class, "{error:?}");
    }
    assert!(f.store.jobs(&JobFilter::default()).await.unwrap().jobs.is_empty());
    assert!(f.store.jobs_enqueue(&[]).await.unwrap().is_empty());
    let made = f.store.jobs_enqueue(&[good.clone(), good]).await.unwrap();
    assert_eq!(made.iter().map(|job| job.key.as_str()).collect::<Vec<_>>(), ["app-1", "app-2"]);
}

async fn batches_of_several_senders_have_numbers_without_gaps(f: &Fixture) {
    let (app, web) = (new_job(&f.store, "app").await, new_job(&f.store, "web").await);
    let mut senders = Vec::new();
    for sender in 0..8 {
        let store = f.other().await;
        // In opposite orders, and of more jobs than one statement takes.
        let mut batch: Vec<NewJob> = [app.clone(), web.clone()].into_iter().cycle().take(70).collect();
        if sender % 2 == 0 {
            batch.reverse();
        }
        senders.push(tokio::spawn(async move { store.jobs_enqueue(&batch).await.unwrap() }));
    }
    let mut keys = BTreeSet::new();
    for sender in senders {
        keys.extend(sender.await.unwrap().into_iter().map(|job| job.key.to_string()));
    }
    let wanted: BTreeSet<String> =
        (1..=280).flat_map(|number| [format!("app-{number}"), format!("web-{number}")]).collect();
    assert_eq!(keys, wanted);
}

async fn a_request_sent_a_hundred_times_at_once_makes_one_job(f: &Fixture) {
    let new = NewJob { request: Some("r-1".to_owned()), ..new_job(&f.store, "app").await };
    let stores = [f.store.clone(), f.other().await];
    let sent: Vec<_> = (0..100)
        .map(|number| {
            let (store, new) = (stores[number % 2].clone(), new.clone());
            tokio::spawn(async move { store.job_enqueue(&new).await.unwrap().id })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for one in sent {
        ids.insert(one.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(enqueue(&f.store).await.key.as_str(), "app-2", "a repeated request used up a number");
}

async fn a_request_with_another_body_is_refused(f: &Fixture) {
    let new = NewJob { request: Some("r-1".to_owned()), ..new_job(&f.store, "app").await };
    let job = f.store.job_enqueue(&new).await.unwrap();
    let urgent = Queueing { priority: Priority::new(7).unwrap(), ..Queueing::default() };
    let elsewhere = new_job(&f.store, "web").await.repository;
    for other in [
        NewJob { spec: spec("two"), ..new.clone() },
        NewJob { queueing: urgent, ..new.clone() },
        NewJob { repository: elsewhere, ..new.clone() },
    ] {
        let error = f.store.job_enqueue(&other).await.unwrap_err();
        assert!(matches!(&error, StoreError::RequestReused { key, .. } if *key == job.key), "{error:?}");
        assert_eq!(error.class(), ErrorClass::Refused);
    }
    // A time to start is often counted from now, and now has passed.
    let later = Queueing { not_before: Some(job.created_at.plus(MINUTE)), ..Queueing::default() };
    assert_eq!(f.store.job_enqueue(&NewJob { queueing: later, ..new }).await.unwrap().id, job.id);
}

async fn a_request_that_waits_for_other_jobs_is_refused(f: &Fixture) {
    let store = &f.store;
    let (one, two, over) = (enqueue(store).await, enqueue(store).await, enqueue(store).await);
    end(store, &mut claim(store, &over.id, "w").await, EndReason::Published).await;
    let on = |job: &Job, rule| After { on: Parent::Job(job.id.clone()), rule };
    let done = |job: &Job| on(job, AfterRule::Done);
    let plain = NewJob { request: Some("r-1".to_owned()), ..new_job(store, "app").await };
    let with = |after: Vec<After>| NewJob { after, ..plain.clone() };
    let job = store.job_enqueue(&with(vec![done(&one), done(&over)])).await.unwrap();
    let twice = vec![done(&over), on(&one, AfterRule::Ended), done(&one)];
    // Again, in another order; and without one that had ended when the job was made.
    for same in [vec![done(&over), done(&one)], twice, vec![done(&one)]] {
        assert_eq!(store.job_enqueue(&with(same)).await.unwrap().id, job.id);
    }
    for other in [
        vec![],
        vec![done(&over)],
        vec![done(&two)],
        vec![done(&one), done(&two)],
        vec![on(&one, AfterRule::Ended)],
    ] {
        let error = store.job_enqueue(&with(other.clone())).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::RequestReused { key, .. } if *key == job.key),
            "{other:?}: {error:?}"
        );
    }
    // One that ended after the job was made was no parent of it either.
    while store.now().await.unwrap() <= job.created_at {
        tokio::task::yield_now().await;
    }
    end(store, &mut claim(store, &two.id, "w").await, EndReason::Published).await;
    let error = store.job_enqueue(&with(vec![done(&one), done(&two)])).await.unwrap_err();
    assert!(matches!(&error, StoreError::RequestReused { .. }), "{error:?}");
    // The end of one that it waits for changes nothing.
    end(store, &mut claim(store, &one.id, "w").await, EndReason::Published).await;
    assert_eq!(store.job_enqueue(&with(vec![done(&one), done(&over)])).await.unwrap().id, job.id);
}

async fn a_batch_sent_again_adds_only_what_is_missing(f: &Fixture) {
    let named = |name: &str, new: &NewJob| NewJob { request: Some(name.to_owned()), ..new.clone() };
    let plain = new_job(&f.store, "app").await;
    let first = f.store.job_enqueue(&named("a", &plain)).await.unwrap();
    let after = vec![After { on: Parent::Earlier(0), rule: AfterRule::Done }];
    let batch = [named("a", &plain), NewJob { after, ..named("b", &plain) }];
    let both = f.store.jobs_enqueue(&batch).await.unwrap();
    assert_eq!((&both[0].id, both[1].key.as_str()), (&first.id, "app-2"));
    assert_eq!(f.store.jobs_enqueue(&batch).await.unwrap(), both);

    // The one that was there before frees the other like any parent.
    let mut claimed = claim(&f.store, &first.id, "w").await;
    assert!(claim_next(&f.store, "w", 9).await.is_empty());
    end(&f.store, &mut claimed, EndReason::Published).await;
    assert_eq!(keys(&claim_next(&f.store, "w", 9).await), ["app-2"]);

    // And once it has ended badly, nothing new can wait for it.
    let bad = f.store.job_enqueue(&named("c", &plain)).await.unwrap();
    end(&f.store, &mut claim(&f.store, &bad.id, "w").await, EndReason::NoChanges).await;
    let after = vec![After { on: Parent::Earlier(0), rule: AfterRule::Done }];
    let error =
        f.store.jobs_enqueue(&[named("c", &plain), NewJob { after, ..plain.clone() }]).await.unwrap_err();
    assert!(matches!(error, StoreError::ParentFailed { reason: EndReason::NoChanges, .. }), "{error:?}");
}

async fn a_request_of_a_job_from_before_leaves_its_lane_alone(f: &Fixture) {
    let new = NewJob { request: Some("r".to_owned()), ..new_job(&f.store, "app").await };
    f.store.job_enqueue(&new).await.unwrap();
    // As the step from the first schema left it: in a lane of its own, and its real one is not there.
    f.store.run("test", sql("UPDATE jobs SET lane_id = 'first:x'")).await.unwrap();
    f.store.run("test", sql("DELETE FROM lanes")).await.unwrap();
    let other = f.other().await;
    other.job_enqueue(&new).await.unwrap();
    other.job_enqueue(&NewJob { request: None, ..new }).await.unwrap();
    let third = f.other().await;
    assert_eq!(keys(&claim_next(&third, "w", 9).await), ["app-2"]);
}

/// Every column of a job and its first event, without what is its own.
async fn written(store: &Store, job: &Job) -> Vec<String> {
    const COLUMNS: [&str; 26] = [
        "(SELECT key || COALESCE(request, '') FROM job_specs WHERE job_id = jobs.id) = key",
        "state",
        "state_name",
        "stage",
        "wake_at",
        "ended",
        "fence",
        "holder",
        "lease_until",
        "cancel",
        "last_event",
        "created_at - updated_at",
        "phase",
        "lane_id",
        "position - created_at",
        "priority",
        "queueing",
        "blocked_by",
        "dependents",
        "lost",
        "place",
        "claimed_at",
        "park_reason",
        "end_reason",
        "(SELECT spec FROM job_specs WHERE job_id = jobs.id)",
        "(SELECT number || event FROM events WHERE job_id = jobs.id AND at = created_at AND tx > 0)",
    ];
    let mut values = Vec::new();
    for column in COLUMNS {
        let text = format!("SELECT COALESCE(CAST({column} AS TEXT), '-') AS value FROM jobs WHERE id = $1");
        let found = store.one("test", sql(text).bind(job.id.as_str())).await.unwrap();
        values.push(format!("{column}={}", found.text("value").unwrap()));
    }
    values
}

async fn both_ways_of_enqueueing_write_the_same(f: &Fixture) {
    let now = f.store.now().await.unwrap();
    let late = now.plus(MINUTE * 60);
    for queueing in [
        Queueing::default(),
        Queueing { not_before: Some(Timestamp(now.0 - 1)), ..Queueing::default() },
        Queueing {
            priority: Priority::new(-3).unwrap(),
            labels: vec![label("b"), label("a")],
            ..Queueing::default()
        },
        Queueing {
            place: Some(label("here")),
            group: Some(label("g")),
            requires: vec![label("gpu")],
            ..Queueing::default()
        },
    ] {
        let new = NewJob { queueing, ..new_job(&f.store, "app").await };
        // A store that knows nothing of the repository yet goes step by step.
        let (first, second) =
            (f.other().await.job_enqueue(&new).await.unwrap(), f.store.job_enqueue(&new).await.unwrap());
        let third = f.store.job_enqueue(&new).await.unwrap();
        for job in [&first, &second, &third] {
            assert_eq!(f.store.job(&job.id).await.unwrap(), *job);
            assert_eq!(written(&f.store, job).await, written(&f.store, &first).await);
        }
    }
    // Its position depends on its time alone.
    let new = NewJob {
        queueing: Queueing { not_before: Some(late), ..Queueing::default() },
        ..new_job(&f.store, "app").await
    };
    for store in [f.other().await, f.store.clone()] {
        let job = store.job_enqueue(&new).await.unwrap();
        let text = "SELECT phase, position, wake_at FROM jobs WHERE id = $1";
        let found = f.store.one("test", sql(text).bind(job.id.as_str())).await.unwrap();
        assert_eq!(found.text("phase").unwrap(), "due");
        assert_eq!(found.number("position").unwrap(), late.0);
        assert_eq!(found.number("wake_at").unwrap(), late.0);
    }
}
