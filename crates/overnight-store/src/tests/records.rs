//! What is kept and found again: lists, keys, events, effects, workers, and rows that cannot be read.

use overnight_core::job::{EffectChange, EffectName, JobEvent, Notice};

use super::*;
use crate::{EffectStatus, ErrorClass, FindError, JobFilter, WorkerRow};

on_both!(
    a_remote_has_one_row_and_names_are_unique,
    a_remote_registered_by_eight_at_once_has_one_row,
    jobs_are_found_by_id_key_and_prefix,
    lists_are_newest_first_and_filtered,
    an_effect_is_reserved_until_it_is_done_and_done_once,
    events_of_concurrent_writers_have_no_gaps,
    ten_thousand_events_are_read_page_by_page,
    a_prompt_of_a_megabyte_comes_back_as_it_was,
    a_row_of_a_newer_version_is_reported_and_hides_no_other,
    the_schema_itself_refuses_a_job_that_is_ended_and_held,
    workers_are_listed_and_one_that_holds_a_job_is_not_forgotten,
);

async fn a_remote_has_one_row_and_names_are_unique(f: &Fixture) {
    let ensure = async |name: &str, remote: &str| {
        let new = NewRepository { name: name.to_owned(), remote: remote.to_owned() };
        f.store.repository_ensure(&new).await.unwrap()
    };
    let first = ensure("My App", "/a").await;
    assert_eq!(first.name, "my-app");
    assert_eq!(ensure("other wish", "/a").await, first);
    assert_eq!(ensure("my-app", "/b").await.name, "my-app-2");
    assert_eq!(ensure("my.app", "/c").await.name, "my-app-3");
}

async fn a_remote_registered_by_eight_at_once_has_one_row(f: &Fixture) {
    let stores = [f.other().await, f.other().await];
    for round in 0..10 {
        let mut tasks = Vec::new();
        for number in 0..8 {
            let store = stores[number % 2].clone();
            // Half of them want the same name for another remote.
            let remote = format!("/{round}/{}", number / 4);
            let new = NewRepository { name: format!("app {round}"), remote };
            tasks.push(tokio::spawn(async move { store.repository_ensure(&new).await.unwrap() }));
        }
        let mut found = Vec::new();
        for task in tasks {
            found.push(task.await.unwrap());
        }
        assert!(
            found[..4].iter().all(|one| *one == found[0]) && found[4..].iter().all(|one| *one == found[4])
        );
        let mut names = [found[0].name.as_str(), found[4].name.as_str()];
        names.sort_unstable();
        assert_eq!(names, [format!("app-{round}"), format!("app-{round}-2")]);
    }
}

async fn jobs_are_found_by_id_key_and_prefix(f: &Fixture) {
    let first = enqueue(&f.store).await;
    let second = enqueue(&f.store).await;
    let find = async |wanted: &str| f.store.job_find(wanted).await;
    assert_eq!(find(first.id.as_str()).await.unwrap().id, first.id);
    assert_eq!(find(" APP-2 ").await.unwrap().id, second.id);
    let own = &first.id.as_str()[..first.id.as_str().len() - 1];
    assert_eq!(find(own).await.unwrap().id, first.id);

    let Err(FindError::Ambiguous { matches, .. }) = find(&first.id.as_str()[..4]).await else { panic!() };
    let keys: Vec<_> = matches.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["app-2", "app-1"]);
    let Err(FindError::NotFound { nearest, .. }) = find("apd-1").await else { panic!() };
    assert_eq!(nearest.iter().map(|key| key.as_str()).collect::<Vec<_>>(), ["app-1", "app-2"]);
    for hostile in ["%%%%", "____", "' OR 1=1 --", "", "01", "\u{202e}", "a\0b"] {
        assert!(matches!(find(hostile).await, Err(FindError::NotFound { .. })), "{hostile:?}");
    }
}

async fn lists_are_newest_first_and_filtered(f: &Fixture) {
    for repository in ["app", "web", "app"] {
        enqueue_in(&f.store, repository, "x").await;
    }
    let held = claim(&f.store, &f.store.job_find("app-1").await.unwrap().id, "w").await;
    let list = async |filter: JobFilter| {
        let jobs = f.store.jobs(&filter).await.unwrap().jobs;
        jobs.iter().map(|job| job.key.to_string()).collect::<Vec<_>>()
    };
    let all = JobFilter::default;
    assert_eq!(list(all()).await, ["app-2", "web-1", "app-1"]);
    assert_eq!(list(JobFilter { limit: Some(1), ..all() }).await, ["app-2"]);
    let repository = Some(held.job.repository.clone());
    assert_eq!(list(JobFilter { repository: repository.clone(), ..all() }).await, ["app-2", "app-1"]);
    let states = vec!["preparing".to_owned(), "working".to_owned()];
    let first = f.store.job_find("app-2").await.unwrap();
    let after = Some((first.created_at, first.id));
    assert_eq!(list(JobFilter { after, ended: Some(false), ..all() }).await, ["web-1", "app-1"]);
    let narrow = JobFilter { repository, states, ended: Some(false), limit: Some(9), ..all() };
    assert_eq!(list(narrow).await, ["app-1"]);
    assert!(list(JobFilter { ended: Some(true), ..all() }).await.is_empty());
}

async fn an_effect_is_reserved_until_it_is_done_and_done_once(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let Claimed { lease, job, .. } = claim(&f.store, &id, "w").await;
    let name = || EffectName::PushBranch;
    let with = |effect| Step {
        next: job.state.clone(),
        events: Vec::new(),
        effects: vec![effect],
        spend: Vec::new(),
        talk: Vec::new(),
        documents: Vec::new(),
    };
    let reserve = |detail: &str| with(EffectChange::Reserve { name: name(), detail: detail.to_owned() });
    let done = |result: &str| with(EffectChange::Done { name: name(), result: result.to_owned() });

    let early = f.store.apply(&lease, &job.state, done("x")).await;
    assert!(matches!(early, Err(StoreError::EffectOutOfOrder { wanted: "done", .. })), "{early:?}");
    for detail in ["branch", "branch-2"] {
        f.store.apply(&lease, &job.state, reserve(detail)).await.unwrap();
    }
    let stored = f.store.effects(&id).await.unwrap();
    let [only] = stored.as_slice() else { panic!("{stored:?}") };
    assert_eq!(
        (only.name.as_str(), only.detail.as_str(), &only.status),
        ("push-branch", "branch-2", &EffectStatus::Reserved)
    );

    f.store.apply(&lease, &job.state, done("pushed")).await.unwrap();
    let before = numbers(&f.store, &id).await;
    let mut twice = done("pushed");
    twice.events.push(JobEvent::Noticed { notice: Notice::NotVerified });
    for step in [twice, reserve("again")] {
        let refused = f.store.apply(&lease, &job.state, step).await;
        assert!(matches!(refused, Err(StoreError::EffectOutOfOrder { .. })), "{refused:?}");
    }
    let stored = f.store.effects(&id).await.unwrap();
    assert_eq!(stored[0].status, EffectStatus::Done { result: "pushed".to_owned() });
    assert_eq!((stored.len(), stored[0].fence), (1, Fence(1)));
    assert_eq!(numbers(&f.store, &id).await, before, "a refused step left an event");
}

async fn events_of_concurrent_writers_have_no_gaps(f: &Fixture) {
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let id = enqueue(&f.store).await.id;
        let store = f.store.clone();
        tasks.push(tokio::spawn(async move {
            let Claimed { lease, mut job, .. } = claim(&store, &id, "w").await;
            advance(&store, &lease, &mut job, prepared()).await;
            for _ in 0..20 {
                advance(&store, &lease, &mut job, announced()).await;
                advance(&store, &lease, &mut job, interrupted()).await;
            }
            id
        }));
    }
    for task in tasks {
        let id = task.await.unwrap();
        let numbers = numbers(&f.store, &id).await;
        assert_gapless(&numbers);
        assert!(numbers.len() > 40, "{}", numbers.len());
    }
}

async fn ten_thousand_events_are_read_page_by_page(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let Claimed { lease, job, events } = claim(&f.store, &id, "w").await;
    let first = 1 + i64::try_from(events.len()).unwrap();
    for part in 0..10 {
        let notice = |n: u32| JobEvent::Noticed { notice: Notice::UncommittedChanges(part * 1000 + n) };
        let step = Step {
            next: job.state.clone(),
            events: (0..1000).map(notice).collect(),
            effects: Vec::new(),
            spend: Vec::new(),
            talk: Vec::new(),
            documents: Vec::new(),
        };
        f.store.apply(&lease, &job.state, step).await.unwrap();
    }
    let (mut after, mut seen) = (EventNumber(0), Vec::new());
    loop {
        let page = f.store.events(&id, after, 999).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.number;
        seen.extend(page.iter().map(|record| record.number.0));
    }
    assert_eq!(seen.len(), usize::try_from(first).unwrap() + 10_000);
    assert_gapless(&seen);
}

async fn a_prompt_of_a_megabyte_comes_back_as_it_was(f: &Fixture) {
    let prompt: String = "ä\0'\"$1 {now} \u{202e}\n".chars().cycle().take(1 << 20).collect();
    let id = enqueue_in(&f.store, "app", &prompt).await.id;
    assert_eq!(f.store.job(&id).await.unwrap().spec.prompt, prompt);
    let held = claim(&f.store, &id, "w").await;
    assert_eq!(held.job.spec.prompt, prompt);
}

async fn a_row_of_a_newer_version_is_reported_and_hides_no_other(f: &Fixture) {
    let (good, bad) = (enqueue(&f.store).await.id, enqueue(&f.store).await.id);
    for change in [
        "UPDATE jobs SET state = '{\"state\":\"dreaming\"}' WHERE id = $1",
        "UPDATE events SET event = '{\"type\":\"dreamt\"}' WHERE job_id = $1",
    ] {
        f.store.run("test", sql(change).bind(bad.as_str())).await.unwrap();
    }

    let list = f.store.jobs(&JobFilter::default()).await.unwrap();
    assert_eq!(list.jobs.iter().map(|job| &job.id).collect::<Vec<_>>(), [&good]);
    assert_eq!((list.unreadable[0].job.as_str(), list.unreadable[0].column), (bad.as_str(), "state"));
    let error = f.store.job_claim(&bad, &claimant("w"), &[]).await.unwrap_err();
    assert_eq!(error.class(), ErrorClass::Corrupt);
    let events = f.store.events(&bad, EventNumber(0), 9).await.unwrap();
    assert_eq!(events[0].number, EventNumber(1));
    assert_eq!(events[0].event.as_ref().unwrap_err().column, "event");
    let row = sql("SELECT fence FROM jobs WHERE id = $1 AND holder IS NULL").bind(bad.as_str());
    let fence = f.store.one("test", row).await.unwrap().number("fence").unwrap();
    assert_eq!(fence, 0, "a failed claim left something behind");
}

async fn the_schema_itself_refuses_a_job_that_is_ended_and_held(f: &Fixture) {
    let id = enqueue(&f.store).await.id;
    let _held = claim(&f.store, &id, "w").await;
    for change in
        ["UPDATE jobs SET ended = TRUE", "UPDATE jobs SET lease_until = NULL", "DELETE FROM repositories"]
    {
        assert!(f.store.run("test", sql(change)).await.is_err(), "{change}");
    }
}

async fn workers_are_listed_and_one_that_holds_a_job_is_not_forgotten(f: &Fixture) {
    let row = |id: &str, pid| WorkerRow {
        id: worker(id),
        host: "h".to_owned(),
        boot_id: "b".to_owned(),
        pid,
        start_ticks: 77,
        version: "0.1.0".to_owned(),
        place: label("here"),
    };
    for (id, pid) in [("w1", 1), ("w2", u32::MAX)] {
        f.store.worker_register(&row(id, pid)).await.unwrap();
    }
    assert!(f.store.worker_register(&row("w1", 3)).await.is_err());
    let id = enqueue(&f.store).await.id;
    let held = claim(&f.store, &id, "w1").await;
    for id in ["w1", "w2"] {
        f.store.worker_forget(&worker(id)).await.unwrap();
    }
    let seen = f.store.workers().await.unwrap();
    let [only] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((&only.worker, only.held, only.drain), (&row("w1", 1), 1, false));
    f.store.lease_release(&held.lease, None).await.unwrap();
    f.store.worker_forget(&worker("w1")).await.unwrap();
    assert!(f.store.workers().await.unwrap().is_empty());
}
