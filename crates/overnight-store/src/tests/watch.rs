//! Looks at pull requests: who takes one, what becomes of it, and what forges deliver.

use overnight_core::backlog::PullState;
use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::RepositoryId;
use overnight_core::job::{End, Published, PullRequestRef};
use overnight_core::watch::{Memory, PullNews};

use super::*;
use crate::{Delivery, Hint, LookEnd, Watched};

/// A job that has opened pull request `number`, ended.
async fn opened(f: &Fixture, number: u64, commit: char) -> Job {
    let mut new = new_job(&f.store, "app").await;
    new.spec.publication = Publication::PullRequest { remote: "https://h/a/app".to_owned(), draft: false };
    let job = f.store.job_enqueue(&new).await.unwrap();
    let Claimed { lease, mut job, .. } = claim(&f.store, &job.id, "w").await;
    let commit = CommitId::parse(&commit.to_string().repeat(40)).unwrap();
    let pull_request = PullRequestRef { number, url: format!("https://h/a/app/pull/{number}") };
    let published = Published {
        branch: BranchName::parse("overnight/app-1").unwrap(),
        commit: commit.clone(),
        pull_request: Some(pull_request.clone()),
    };
    let reason = EndReason::Published;
    let end = End { reason, detail: String::new(), tip: Some(commit), published: Some(published) };
    let next = JobState::Cleaning { trail: job.state.trail().cloned().unwrap(), end };
    let events = vec![JobEvent::PullRequestOpened { pull_request, adopted: false }];
    let step = Step {
        next: next.clone(),
        events,
        effects: Vec::new(),
        spend: Vec::new(),
        talk: Vec::new(),
        documents: Vec::new(),
    };
    f.store.apply(&lease, &job.state, step).await.unwrap();
    job.state = next;
    advance(&f.store, &lease, &mut job, cleaned()).await;
    job
}

fn hint(number: u64) -> Hint {
    Hint::Number(number)
}

async fn due(f: &Fixture, repository: &RepositoryId, number: u64) -> Vec<Watched> {
    assert_eq!(f.store.watch_hint(repository, &hint(number)).await.unwrap(), 1);
    f.store.looks_take(8, MINUTE).await.unwrap()
}

fn ended(memory: Memory) -> LookEnd {
    LookEnd { state: PullState::Open, memory, pause: Some(MINUTE), news: Vec::new() }
}

fn noted(quiet: u32) -> Memory {
    Memory { quiet, ..Memory::default() }
}

async fn only(f: &Fixture) -> Watched {
    let mut all = f.store.watches(true, 10).await.unwrap();
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

async fn a_look_is_had_by_one_and_remembered(f: &Fixture) {
    let job = opened(f, 7, 'a').await;
    assert!(f.store.looks_take(8, MINUTE).await.unwrap().is_empty(), "not at once");
    assert_eq!(f.store.watch_hint(&job.repository, &hint(7)).await.unwrap(), 1);
    let others = [f.other().await, f.other().await, f.store.clone()];
    let mut taken = Vec::new();
    for one in futures(&others).await {
        taken.extend(one);
    }
    assert_eq!(taken.len(), 1, "{taken:#?}");
    assert_eq!((&taken[0].job, taken[0].number, taken[0].repository_name.as_str()), (&job.id, 7, "app"));
    assert!(f.store.look_end(&taken[0], &ended(noted(3))).await.unwrap());
    assert!(!f.store.look_end(&taken[0], &ended(noted(9))).await.unwrap(), "once");
    let seen = only(f).await;
    assert_eq!(seen.memory.quiet, 3);
    assert!(seen.next_look.unwrap() > f.store.now().await.unwrap());
}

async fn futures(stores: &[Store; 3]) -> [Vec<Watched>; 3] {
    let (one, two, three) = tokio::join!(
        stores[0].looks_take(8, MINUTE),
        stores[1].looks_take(8, MINUTE),
        stores[2].looks_take(8, MINUTE)
    );
    [one.unwrap(), two.unwrap(), three.unwrap()]
}

/// Word that comes during a look is not lost, and nobody else looks meanwhile.
async fn a_hint_during_a_look_brings_another(f: &Fixture) {
    let job = opened(f, 7, 'a').await;
    let taken = due(f, &job.repository, 7).await;
    f.store.watch_hint(&job.repository, &Hint::Branch("overnight/app-1".to_owned())).await.unwrap();
    assert!(f.store.looks_take(8, MINUTE).await.unwrap().is_empty());
    assert!(f.store.look_end(&taken[0], &ended(noted(0))).await.unwrap());
    assert_eq!(f.store.looks_take(8, MINUTE).await.unwrap().len(), 1);
}

/// Whoever took too long finds that somebody else looks by now.
async fn a_look_that_took_too_long_is_an_old_one(f: &Fixture) {
    let job = opened(f, 7, 'a').await;
    assert_eq!(f.store.watch_hint(&job.repository, &hint(7)).await.unwrap(), 1);
    let first = f.store.looks_take(8, Duration::ZERO).await.unwrap();
    let second = f.store.looks_take(8, MINUTE).await.unwrap();
    assert_eq!((first.len(), second.len()), (1, 1));
    assert!(!f.store.look_end(&first[0], &ended(noted(1))).await.unwrap());
    assert!(f.store.look_end(&second[0], &ended(noted(2))).await.unwrap());
    assert_eq!(only(f).await.memory.quiet, 2);
}

/// A job that publishes onto it meanwhile makes what was seen old, and does not make anybody forget what was done.
async fn publishing_again_begins_anew_and_forgets_nothing(f: &Fixture) {
    let job = opened(f, 7, 'a').await;
    let taken = due(f, &job.repository, 7).await;
    assert!(f.store.look_end(&taken[0], &ended(noted(5))).await.unwrap());
    let taken = due(f, &job.repository, 7).await;
    let next = opened(f, 7, 'b').await;
    assert!(!f.store.look_end(&taken[0], &ended(noted(9))).await.unwrap());
    let seen = only(f).await;
    assert_eq!((seen.job, seen.memory.quiet), (next.id, 5));
    let of = |letter: char| Hint::Head(CommitId::parse(&letter.to_string().repeat(40)).unwrap());
    assert_eq!(f.store.watch_hint(&job.repository, &of('a')).await.unwrap(), 0);
    assert_eq!(f.store.watch_hint(&job.repository, &of('b')).await.unwrap(), 1);
}

async fn the_end_is_recorded_with_the_job(f: &Fixture) {
    let job = opened(f, 7, 'a').await;
    let taken = due(f, &job.repository, 7).await;
    let news = vec![PullNews::Merged { by_us: false }, PullNews::BranchRemoved];
    let end = LookEnd { state: PullState::Merged, pause: None, news, memory: Memory::default() };
    assert!(f.store.look_end(&taken[0], &end).await.unwrap());
    assert_eq!((only(f).await.state, only(f).await.next_look), (PullState::Merged, None));
    assert!(f.store.watches(false, 10).await.unwrap().is_empty());
    assert_gapless(&numbers(&f.store, &job.id).await);
    let events = f.store.events(&job.id, EventNumber(0), u32::MAX).await.unwrap();
    let told = |event: &JobEvent| matches!(event, JobEvent::PullRequestNews { number: 7, .. });
    assert_eq!(events.iter().filter(|record| record.event.as_ref().is_ok_and(told)).count(), 2);
    assert_eq!(f.store.watch_hint(&job.repository, &hint(7)).await.unwrap(), 0, "it is over");
    f.store.check().await.unwrap();
}

async fn a_delivery_is_new_once(f: &Fixture) {
    let delivery = |id, digest| Delivery { host: "git.example.org", id, digest };
    let (a, b) = (delivery("1", "x"), delivery("1", "x"));
    let other = f.other().await;
    let (one, two) = tokio::join!(f.store.delivery_new(&a), other.delivery_new(&b));
    assert_eq!(u8::from(one.unwrap()) + u8::from(two.unwrap()), 1);
    assert!(!f.store.delivery_new(&delivery("2", "x")).await.unwrap(), "a copy under another id");
    assert!(!f.store.delivery_new(&delivery("1", "y")).await.unwrap());
    assert!(f.store.delivery_new(&delivery("x", "1")).await.unwrap(), "an id is no digest");
    assert!(f.store.delivery_new(&Delivery { host: "other", id: "1", digest: "x" }).await.unwrap());
    f.store.run("age", sql("UPDATE deliveries SET at = at - $1").bind(8 * 86_400_000_i64)).await.unwrap();
    assert!(f.store.delivery_new(&delivery("1", "x")).await.unwrap(), "forgotten after a week");
}

on_both!(
    a_look_is_had_by_one_and_remembered,
    a_hint_during_a_look_brings_another,
    a_look_that_took_too_long_is_an_old_one,
    publishing_again_begins_anew_and_forgets_nothing,
    the_end_is_recorded_with_the_job,
    a_delivery_is_new_once,
);
