//! Jobs that share a branch: which they are, and that one of them runs at a time.

use overnight_core::id::TaskKey;
use overnight_core::job::{BranchLine, LineKind};

use super::*;
use crate::{JobFilter, on_line};

on_both!(
    the_tasks_of_a_story_run_one_at_a_time_in_any_order,
    the_tasks_of_a_sprint_wait_for_each_other,
    a_line_has_its_own_jobs_and_no_others,
    a_story_that_has_grown_knows_an_order_again,
);

fn story(name: &str) -> TaskKey {
    TaskKey::parse(name).unwrap()
}

async fn add(f: &Fixture, kind: LineKind, name: &str, count: usize, before: u32) -> Vec<Job> {
    let mut jobs = Vec::new();
    for _ in 0..count {
        jobs.push(new_job(&f.store, "app").await);
    }
    f.store.jobs_enqueue(&on_line(jobs, kind, &story(name), "Doors", before)).await.unwrap()
}

async fn of_line(f: &Fixture, kind: LineKind, name: &str) -> Vec<String> {
    let line = BranchLine::of(kind, story(name), "another title", (1, 1));
    let jobs = f.store.jobs_of_line("app", &line).await.unwrap();
    jobs.into_iter().map(|job| job.key.to_string()).collect()
}

async fn the_tasks_of_a_story_run_one_at_a_time_in_any_order(f: &Fixture) {
    let jobs = add(f, LineKind::Story, "app-9", 3, 0).await;
    let mut first = claim(&f.store, &jobs[1].id, "w").await;
    assert!(claim_next(&f.store, "w", 9).await.is_empty());
    end(&f.store, &mut first, EndReason::NoChanges).await;
    assert_eq!(claim_next(&f.store, "w", 9).await.len(), 1, "nothing depends on how the other ended");
}

async fn the_tasks_of_a_sprint_wait_for_each_other(f: &Fixture) {
    let jobs = add(f, LineKind::Sprint, "app-9", 3, 0).await;
    let places: Vec<_> = jobs.iter().map(|job| job.spec.line.as_ref().unwrap()).collect();
    assert_eq!(
        places.iter().map(|line| (line.number, line.count)).collect::<Vec<_>>(),
        [(1, 3), (2, 3), (3, 3)]
    );
    assert!(matches!(f.store.job_claim(&jobs[1].id, &claimant("w"), &[]).await.unwrap(), Claim::Blocked));
    let mut first = claim(&f.store, &jobs[0].id, "w").await;
    end(&f.store, &mut first, EndReason::Published).await;
    let mut second = claim(&f.store, &jobs[1].id, "w").await;
    end(&f.store, &mut second, EndReason::VerificationFailed).await;
    let third = f.store.job(&jobs[2].id).await.unwrap();
    assert_eq!(third.state.end().unwrap().reason, EndReason::DependencyFailed);
}

async fn a_line_has_its_own_jobs_and_no_others(f: &Fixture) {
    let doors = add(f, LineKind::Story, "app-9", 2, 0).await;
    add(f, LineKind::Sprint, "app-9", 1, 0).await;
    add(f, LineKind::Story, "app-91", 1, 0).await;
    // Names too long for a group of their own share one.
    let long = |last: &str| format!("{}{last}", "x".repeat(80));
    add(f, LineKind::Story, &long("a"), 1, 0).await;
    let b = add(f, LineKind::Story, &long("b"), 1, 0).await;
    enqueue(&f.store).await;
    assert_eq!(of_line(f, LineKind::Story, "app-9").await, [doors[0].key.as_str(), doors[1].key.as_str()]);
    assert_eq!(of_line(f, LineKind::Story, &long("b")).await, [b[0].key.as_str()]);
    assert!(of_line(f, LineKind::Story, "app-1").await.is_empty());
    let group = doors[0].queueing.group.clone().unwrap();
    let filter = JobFilter { group: Some(("app".to_owned(), group)), limit: Some(1), ..JobFilter::default() };
    assert_eq!(f.store.jobs(&filter).await.unwrap().jobs[0].key, doors[1].key);
    let elsewhere = JobFilter {
        group: filter.group.map(|(_, group)| ("other".to_owned(), group)),
        ..JobFilter::default()
    };
    assert!(f.store.jobs(&elsewhere).await.unwrap().jobs.is_empty());
}

async fn a_story_that_has_grown_knows_an_order_again(f: &Fixture) {
    let mut one = new_job(&f.store, "app").await;
    one.spec.choice.origins.insert("agent".to_owned(), overnight_core::job::Origin::Job);
    one.request = Some("ticket".to_owned());
    let place = |before| on_line(vec![one.clone()], LineKind::Story, &story("app-9"), "Doors", before);
    let made = f.store.jobs_enqueue(&place(0)).await.unwrap();
    add(f, LineKind::Story, "app-9", 1, 1).await;
    assert_eq!(f.store.jobs_enqueue(&place(2)).await.unwrap()[0].id, made[0].id);
    let other = on_line(vec![one.clone()], LineKind::Story, &story("app-8"), "Doors", 0);
    assert!(matches!(f.store.jobs_enqueue(&other).await, Err(StoreError::RequestReused { .. })));
}
