//! Forgetting jobs and workers: exactly what may go, and the sums stay.

use overnight_core::command::{Containment, ProcessIdentity};
use overnight_core::queue::EndedStats;

use super::*;
use crate::sql::sql;
use crate::{After, JobFate, NeededCommits, Parent};

on_both!(
    old_ends_are_forgotten_with_everything_of_theirs_and_stay_in_the_sums,
    a_job_that_an_unfinished_one_waits_for_is_kept,
    a_forgotten_request_can_be_used_again_and_its_key_cannot,
    two_who_forget_at_the_same_time_count_each_job_once,
    turns_without_a_runner_are_those_of_jobs_of_the_place_that_nobody_holds,
    the_commits_that_jobs_need_are_those_of_their_states_and_orders,
    workers_that_are_gone_are_forgotten_unless_they_hold_a_job,
);

/// A moment after everything that has happened so far.
async fn later(store: &Store) -> Timestamp {
    store.now().await.unwrap().plus(Duration::from_secs(1))
}

async fn ended(store: &Store, reason: EndReason) -> Job {
    let job = enqueue(store).await;
    let mut claimed = claim(store, &job.id, "w").await;
    end(store, &mut claimed, reason).await;
    job
}

async fn rows(store: &Store, table: &str) -> i64 {
    let row = store.one("count", sql(format!("SELECT COUNT(*) AS count FROM {table}"))).await.unwrap();
    row.number("count").unwrap()
}

fn ids(fates: &[JobFate]) -> Vec<JobId> {
    fates.iter().map(|fate| fate.id.clone()).collect()
}

async fn ended_stats(store: &Store) -> Vec<EndedStats> {
    store.queue_stats().await.unwrap().ended
}

async fn old_ends_are_forgotten_with_everything_of_theirs_and_stay_in_the_sums(f: &Fixture) {
    let store = &f.store;
    let first = ended(store, EndReason::NoChecks).await;
    let second = ended(store, EndReason::AgentMissing).await;
    let waiting = enqueue(store).await;
    let before = ended_stats(store).await;
    assert!(store.jobs_prunable(Timestamp(0), 10).await.unwrap().is_empty());

    let horizon = later(store).await;
    let listed = store.jobs_prunable(horizon, 10).await.unwrap();
    assert_eq!(ids(&listed), [first.id.clone(), second.id.clone()]);
    assert_eq!(listed[1].ended.unwrap().reason, Some(EndReason::AgentMissing));
    assert_eq!(ids(&store.jobs_prunable(horizon, 1).await.unwrap()), std::slice::from_ref(&first.id));

    // Neither an unfinished job nor one whose end is not old is touched, whoever asks.
    let all = [first.id.clone(), second.id.clone(), waiting.id.clone()];
    assert!(store.jobs_prune(Timestamp(0), &all).await.unwrap().is_empty());
    assert_eq!(store.jobs_prune(horizon, &all).await.unwrap(), all[..2]);
    assert!(store.jobs_prune(horizon, &all).await.unwrap().is_empty());
    for (table, left) in
        [("jobs", 1), ("job_specs", 1), ("effects", 0), ("events", 1), ("job_dependencies", 0)]
    {
        assert_eq!(rows(store, table).await, left, "{table}");
    }
    assert_eq!(ended_stats(store).await, before);
    // A second time onto the same reason adds up.
    let third = ended(store, EndReason::NoChecks).await;
    store.jobs_prune(later(store).await, &[third.id]).await.unwrap();
    let no_checks = ended_stats(store).await.into_iter().find(|one| one.reason == "no_checks").unwrap();
    assert_eq!(no_checks.jobs, 2);
    assert_eq!(ids(&store.job_fates(&all).await.unwrap()), [waiting.id]);
    store.check().await.unwrap();
}

async fn a_job_that_an_unfinished_one_waits_for_is_kept(f: &Fixture) {
    let store = &f.store;
    let (one, two) = (enqueue(store).await, enqueue(store).await);
    let mut child = new_job(store, "app").await;
    child.after = [&one, &two]
        .map(|parent| After {
            on: Parent::Job(parent.id.clone()),
            rule: overnight_core::job::AfterRule::Ended,
        })
        .to_vec();
    let child = store.job_enqueue(&child).await.unwrap();
    let mut claimed = claim(store, &one.id, "w").await;
    end(store, &mut claimed, EndReason::NoChecks).await;

    let horizon = later(store).await;
    assert!(store.jobs_prunable(horizon, 10).await.unwrap().is_empty());
    assert!(store.jobs_prune(horizon, std::slice::from_ref(&one.id)).await.unwrap().is_empty());

    for id in [&two.id, &child.id] {
        let mut claimed = claim(store, id, "w").await;
        end(store, &mut claimed, EndReason::NoChecks).await;
    }
    // The one in the middle of the chain can go first: nothing is left that refers to it.
    let horizon = later(store).await;
    assert_eq!(store.jobs_prune(horizon, std::slice::from_ref(&one.id)).await.unwrap(), [one.id]);
    assert_eq!(store.jobs_prune(horizon, std::slice::from_ref(&child.id)).await.unwrap(), [child.id]);
    assert_eq!(rows(store, "job_dependencies").await, 0);
    store.check().await.unwrap();
}

async fn a_forgotten_request_can_be_used_again_and_its_key_cannot(f: &Fixture) {
    let store = &f.store;
    let mut new = new_job(store, "app").await;
    new.request = Some("nightly".to_owned());
    let first = store.job_enqueue(&new).await.unwrap();
    let mut claimed = claim(store, &first.id, "w").await;
    end(store, &mut claimed, EndReason::NoChecks).await;
    store.jobs_prune(later(store).await, std::slice::from_ref(&first.id)).await.unwrap();
    let second = store.job_enqueue(&new).await.unwrap();
    assert!(second.id != first.id && second.key != first.key, "{} {}", first.key, second.key);
}

async fn two_who_forget_at_the_same_time_count_each_job_once(f: &Fixture) {
    let other = f.other().await;
    let mut all = Vec::new();
    for number in 0..40 {
        let reason = if number % 2 == 0 { EndReason::NoChecks } else { EndReason::AgentMissing };
        all.push(ended(&f.store, reason).await.id);
    }
    let before = ended_stats(&f.store).await;
    let horizon = later(&f.store).await;
    let turned: Vec<JobId> = all.iter().rev().cloned().collect();
    let (one, two) = tokio::join!(f.store.jobs_prune(horizon, &all), other.jobs_prune(horizon, &turned));
    let mut pruned = [one.unwrap(), two.unwrap()].concat();
    pruned.sort();
    assert_eq!(pruned, all);
    assert_eq!(ended_stats(&f.store).await, before);
}

async fn turns_without_a_runner_are_those_of_jobs_of_the_place_that_nobody_holds(f: &Fixture) {
    let store = &f.store;
    let job = enqueue(store).await;
    let Claimed { lease, mut job, .. } = claim(store, &job.id, "w").await;
    let containment = Containment::Subreaper;
    let process = ProcessIdentity { pid: 7, start_ticks: 8, boot_id: "b".to_owned(), containment };
    for input in [prepared(), announced(), Input::TurnStarted { process: process.clone() }] {
        advance(store, &lease, &mut job, input).await;
    }
    let here = label("here");
    assert!(store.open_turns(&here).await.unwrap().is_empty());
    assert!(store.job_fates(std::slice::from_ref(&job.id)).await.unwrap()[0].held);

    store.lease_release(&lease, None).await.unwrap();
    let turns = store.open_turns(&here).await.unwrap();
    assert_eq!((turns.len(), &turns[0].job, &turns[0].process), (1, &job.id, &process));
    assert!(store.open_turns(&label("elsewhere")).await.unwrap().is_empty());
    let Claimed { lease, .. } = claim(store, &job.id, "w").await;
    advance(store, &lease, &mut job, interrupted()).await;
    store.lease_release(&lease, None).await.unwrap();
    assert!(store.open_turns(&here).await.unwrap().is_empty());
}

async fn the_commits_that_jobs_need_are_those_of_their_states_and_orders(f: &Fixture) {
    let store = &f.store;
    let (waiting, over) = (enqueue(store).await, ended(store, EndReason::NoChecks).await);
    let commit = |digit: &str| CommitId::parse(&digit.repeat(40)).unwrap();
    let base = Base::Commit { commit: commit("7"), branch: None };
    let plain = new_job(store, "app").await;
    let told = NewJob { spec: JobSpec { base, ..plain.spec.clone() }, ..plain };
    let told = store.job_enqueue(&told).await.unwrap();
    let all = [waiting.id.clone(), over.id, told.id];
    let needed = store.commits_needed(&all).await.unwrap();
    assert_eq!(needed, NeededCommits { commits: [commit("7")].into(), all_known: true });

    let Claimed { lease, mut job, .. } = claim(store, &waiting.id, "w").await;
    assert!(!store.commits_needed(&all).await.unwrap().all_known, "it may be fetching its base");
    advance(store, &lease, &mut job, prepared()).await;
    let base = job.state.ground().unwrap().base.clone();
    let needed = store.commits_needed(&all).await.unwrap();
    assert_eq!(needed, NeededCommits { commits: [commit("7"), base].into(), all_known: true });
    let unreadable = "UPDATE jobs SET state = '{}' WHERE id = $1";
    store.run("test", sql(unreadable).bind(waiting.id.as_str())).await.unwrap();
    assert!(!store.commits_needed(&all).await.unwrap().all_known);
}

async fn workers_that_are_gone_are_forgotten_unless_they_hold_a_job(f: &Fixture) {
    let store = &f.store;
    for name in ["idle", "busy"] {
        store.worker_register(&worker_row(name)).await.unwrap();
    }
    let job = enqueue(store).await;
    let _claimed = claim(store, &job.id, "busy").await;
    assert!(store.workers_prune(Timestamp(0)).await.unwrap().is_empty());
    assert_eq!(store.workers_prune(later(store).await).await.unwrap(), [worker("idle")]);
    assert!(store.workers_prune(later(store).await).await.unwrap().is_empty());
}
