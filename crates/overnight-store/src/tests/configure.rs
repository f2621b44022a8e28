//! The settings that the first worker gives a job: once, under its lease, with an event.

use overnight_core::choose::name;
use overnight_core::job::{Configured, Origin};

use super::*;

on_both!(
    settings_are_written_once_with_their_event,
    a_lost_lease_changes_no_settings,
    a_request_is_the_same_whatever_a_worker_made_of_it,
    a_repositorys_name_is_known_before_it_is_registered,
);

/// What a worker makes of this job: a model and a limit of its own.
fn settings(job: &Job, model: &str) -> Configured {
    let mut settings = job.spec.settings();
    settings.agent.model = Some(model.to_owned());
    settings.limits.tokens = Some(7);
    settings.choice.origins = [(name::MODEL.to_owned(), Origin::Kind)].into();
    settings.choice.frozen = true;
    settings
}

async fn settings_are_written_once_with_their_event(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let Claimed { lease, job, .. } = claim(&f.store, &id, "w").await;
    let wanted = settings(&job, "m");
    let applied = f.store.job_configure(&lease, &wanted).await.unwrap();
    let event = JobEvent::Configured { settings: Box::new(wanted.clone()) };
    let told: Vec<_> = applied.events.iter().map(|(_, _, event)| event.clone()).collect();
    assert_eq!(told, std::slice::from_ref(&event));
    let stored = f.store.job(&id).await.unwrap();
    assert_eq!(stored.spec, job.spec.clone().with_settings(wanted));
    assert_eq!((&stored.state, &stored.holder), (&job.state, &job.holder));
    let events = f.store.events(&id, EventNumber(0), u32::MAX).await.unwrap();
    let last = events.last().unwrap();
    assert_eq!((last.number, last.event.as_ref().unwrap()), (applied.events[0].0, &event));

    // Frozen: whoever comes again changes nothing.
    let again = f.store.job_configure(&lease, &settings(&job, "other")).await.unwrap();
    assert!(again.events.is_empty());
    assert_eq!(f.store.job(&id).await.unwrap(), stored);

    // The steps after it go on as before.
    let mut job = stored;
    advance(&f.store, &lease, &mut job, prepared()).await;
    assert_gapless(&numbers(&f.store, &id).await);
}

async fn a_lost_lease_changes_no_settings(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let stale = claim(&f.store, &id, "w1").await;
    // The same worker id on purpose: the fence alone must tell them apart.
    let taken = f.store.job_claim(&id, &claimant("w1"), &[worker("w1")]).await.unwrap();
    assert!(matches!(taken, Claim::Taken(_)));
    let before = (f.store.job(&id).await.unwrap(), numbers(&f.store, &id).await);
    let error = f.store.job_configure(&stale.lease, &settings(&stale.job, "m")).await.unwrap_err();
    assert!(matches!(&error, StoreError::LeaseLost { job, fence: Fence(1) } if *job == id), "{error:?}");
    assert_eq!((f.store.job(&id).await.unwrap(), numbers(&f.store, &id).await), before);

    // Given back is lost as well.
    let id = enqueue(&f.store).await.id;
    let Claimed { lease, job, .. } = claim(&f.store, &id, "w1").await;
    f.store.lease_release(&lease, None).await.unwrap();
    let error = f.store.job_configure(&lease, &settings(&job, "m")).await.unwrap_err();
    assert!(matches!(error, StoreError::LeaseLost { .. }), "{error:?}");
    assert_eq!(f.store.job(&id).await.unwrap().spec, job.spec);
}

async fn a_request_is_the_same_whatever_a_worker_made_of_it(f: &Fixture) {
    let mut new = new_job(&f.store, "app").await;
    new.request = Some("r".to_owned());
    new.spec.choice.origins = [(name::AGENT.to_owned(), Origin::Default)].into();
    let job = f.store.job_enqueue(&new).await.unwrap();
    let claimed = claim(&f.store, &job.id, "w").await;
    f.store.job_configure(&claimed.lease, &settings(&claimed.job, "m")).await.unwrap();
    assert_eq!(f.store.job_enqueue(&new).await.unwrap().id, job.id);
    new.spec.agent.model = Some("m".to_owned());
    assert_eq!(f.store.job_enqueue(&new).await.unwrap().id, job.id, "a configuration said so");
    new.spec.choice.origins.insert(name::MODEL.to_owned(), Origin::Job);
    let refused = f.store.job_enqueue(&new).await;
    assert!(matches!(refused, Err(StoreError::RequestReused { .. })), "{refused:?}");
}

async fn a_repositorys_name_is_known_before_it_is_registered(f: &Fixture) {
    let new = |name: &str, remote: &str| NewRepository { name: name.to_owned(), remote: remote.to_owned() };
    let (one, other) = (new("My App", "/src/one"), new("my-app", "/src/other"));
    for wanted in [&one, &other] {
        let told = f.store.repository_name(wanted).await.unwrap();
        assert_eq!(
            f.store.repositories().await.unwrap().iter().filter(|known| known.name == told).count(),
            0
        );
        assert_eq!(f.store.repository_ensure(wanted).await.unwrap().name, told);
        assert_eq!(f.store.repository_name(wanted).await.unwrap(), told, "a known one keeps its name");
    }
    assert_eq!(f.store.repository_name(&other).await.unwrap(), "my-app-2");
}
