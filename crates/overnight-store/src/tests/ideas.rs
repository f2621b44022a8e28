//! Ideas: documents come with the step that brought them, an idea has one job at a time, and becomes one epic.

use std::time::Duration;

use overnight_core::agent::{TurnOutcome, TurnReport, Usage};
use overnight_core::backlog::idea::{DocumentOrder, DocumentPart, Submission};
use overnight_core::backlog::{IdeaBody, Item, ItemBody};
use overnight_core::id::QuestionId;
use overnight_core::job::{Asking, EndReason, Input, Job, JobSpec, Publication, StageOutput};
use overnight_core::talk::{QuestionPolicy, Talk};
use overnight_core::units::Timestamp;

use super::{Fixture, advance, announced, claim, cleaned, end, prepared, spec};
use crate::{BacklogError, ItemChange, NewItem, NewJob, NewRepository, Store, StoreError};

on_both!(
    a_document_comes_with_its_step_and_an_idea_has_one_job,
    a_plan_is_accepted_once,
    many_accept_at_once_and_one_epic_comes_of_it,
    a_person_s_plan_is_a_revision,
    documents_outlive_their_job_and_go_with_their_idea,
);

const PLAN: &str = "epic: {title: Export}\nstories:\n  - title: CSV\n    tasks:\n      - {title: Write, id: w}\n      - {title: Quote, after: w}\n";

async fn idea(store: &Store, plan: Option<&str>) -> Item {
    let new = NewRepository { name: "app".to_owned(), remote: "/src/app".to_owned() };
    let repository = store.repository_ensure(&new).await.unwrap().id;
    let body = IdeaBody { wish: "x".to_owned(), plan: plan.map(str::to_owned), ..IdeaBody::default() };
    let new = NewItem { repository, title: "Export".to_owned(), body: ItemBody::Idea(body), parent: None };
    store.item_add(&new).await.unwrap()
}

fn writes(idea: &Item, part: DocumentPart) -> NewJob {
    let document = DocumentOrder {
        item: idea.id.clone(),
        key: idea.key.clone(),
        part,
        round: 1,
        rounds: 3,
        through: true,
        plan: None,
    };
    let publication = Publication::Document { document: Box::new(document) };
    NewJob::new(idea.repository.clone(), JobSpec { publication, ..spec("Plan it") })
}

async fn start(store: &Store, idea: &Item, part: DocumentPart) -> Result<Job, StoreError> {
    store.job_enqueue(&writes(idea, part)).await
}

/// The way of a job up to where its document was written.
async fn deliver(store: &Store, job: &Job, text: &str) {
    let mut claimed = claim(store, &job.id, "w").await;
    let report = TurnReport {
        outcome: TurnOutcome::Completed,
        session: None,
        usage: Usage::default(),
        final_text: None,
        asked: None,
        options: Vec::new(),
    };
    let talk = Talk {
        policy: QuestionPolicy::default(),
        fresh: QuestionId::parse("q-1").unwrap(),
        asked: 0,
        open_until: None,
        settled: false,
    };
    let document = Submission::Text(text.to_owned());
    let written = StageOutput::Written { document, asking: Asking::AsItSaid, talk };
    let elapsed = Duration::ZERO;
    for input in [
        prepared(),
        announced(),
        Input::Done { output: StageOutput::Turn { report }, elapsed },
        Input::Done { output: written, elapsed },
        cleaned(),
    ] {
        advance(store, &claimed.lease, &mut claimed.job, input).await;
    }
    assert_eq!(claimed.job.state.end().unwrap().reason, EndReason::Delivered);
}

async fn state(store: &Store, idea: &Item) -> &'static str {
    store.backlog(&idea.repository).await.unwrap().states()[&idea.id].0.code()
}

async fn a_document_comes_with_its_step_and_an_idea_has_one_job(f: &Fixture) {
    let idea = idea(&f.store, None).await;
    assert_eq!(state(&f.store, &idea).await, "draft");
    let job = start(&f.store, &idea, DocumentPart::Plan).await.unwrap();
    assert_ne!(job.key, idea.key, "an idea has several jobs, and none of them is the idea");
    let busy = start(&f.store, &idea, DocumentPart::Grill).await;
    assert!(matches!(busy, Err(StoreError::TaskBusy { .. })), "{busy:?}");
    let running = f.store.item_remove(&idea.id, false).await;
    assert!(matches!(running, Err(BacklogError::Running { .. })), "{running:?}");
    assert_eq!(state(&f.store, &idea).await, "planning");
    assert!(f.store.ideas_going_on().await.unwrap().is_empty());
    deliver(&f.store, &job, PLAN).await;
    let kept = f.store.document(&idea.id, DocumentPart::Plan, None).await.unwrap().unwrap();
    assert_eq!((kept.text.as_str(), kept.fact.revision, &kept.fact.job), (PLAN, 1, &Some(job.id.clone())));
    assert_eq!(f.store.document(&idea.id, DocumentPart::Plan, Some(2)).await.unwrap(), None);
    assert_eq!(f.store.document(&idea.id, DocumentPart::Grill, None).await.unwrap(), None);
    // Until somebody has seen what follows, the next part is as good as begun.
    let due = f.store.ideas_going_on().await.unwrap();
    assert_eq!((&due[0].item, &due[0].job, due.len()), (&idea.id, &job.id, 1));
    assert_eq!(state(&f.store, &idea).await, "reviewing");
    f.store.idea_went_on(&job.id).await.unwrap();
    f.store.idea_went_on(&job.id).await.unwrap();
    assert!(f.store.ideas_going_on().await.unwrap().is_empty());
    assert_eq!(state(&f.store, &idea).await, "plan_ready");
    let again = start(&f.store, &idea, DocumentPart::Plan).await.unwrap();
    end(&f.store, &mut claim(&f.store, &again.id, "w").await, EndReason::DocumentRefused).await;
    assert_eq!(state(&f.store, &idea).await, "plan_failed");
    assert!(f.store.ideas_going_on().await.unwrap().is_empty());
    assert_eq!(f.store.documents(&idea.id).await.unwrap().len(), 1);
}

async fn a_plan_is_accepted_once(f: &Fixture) {
    let idea = idea(&f.store, None).await;
    let none = f.store.idea_accept(&idea.id, None).await;
    assert!(matches!(none, Err(BacklogError::NoPlan { revision: None, .. })), "{none:?}");
    let job = start(&f.store, &idea, DocumentPart::Plan).await.unwrap();
    deliver(&f.store, &job, PLAN).await;
    let none = f.store.idea_accept(&idea.id, Some(2)).await;
    assert!(matches!(none, Err(BacklogError::NoPlan { revision: Some(2), .. })), "{none:?}");
    let other = start(&f.store, &idea, DocumentPart::Review).await.unwrap();
    let running = f.store.idea_accept(&idea.id, None).await;
    assert!(matches!(running, Err(BacklogError::Running { .. })), "{running:?}");
    end(&f.store, &mut claim(&f.store, &other.id, "w").await, EndReason::Cancelled).await;
    let made = f.store.idea_accept(&idea.id, None).await.unwrap();
    assert!(made.new);
    assert_eq!(state(&f.store, &idea).await, "planned");
    let again = f.store.idea_accept(&idea.id, Some(1)).await.unwrap();
    assert_eq!((again.new, &again.epic.id), (false, &made.epic.id));
    let found = f.store.item_of(&idea.id).await.unwrap().unwrap();
    let change = ItemChange {
        body: Some(ItemBody::Idea(IdeaBody {
            plan: Some(PLAN.replace("Export", "Import")),
            epic: Some(made.epic.key.clone()),
            ..IdeaBody::default()
        })),
        ..ItemChange::of(&found)
    };
    f.store.item_change(&change).await.unwrap();
    let planned = f.store.idea_accept(&idea.id, None).await;
    assert!(
        matches!(&planned, Err(BacklogError::Planned { epic, .. }) if *epic == made.epic.key),
        "{planned:?}"
    );
    // Where somebody has thrown the epic away, there is room for another one.
    f.store.item_remove(&made.epic.id, true).await.unwrap();
    let anew = f.store.idea_accept(&idea.id, None).await.unwrap();
    assert!(anew.new && anew.epic.title == "Import");
    let epics = f.store.backlog(&idea.repository).await.unwrap().items;
    assert_eq!(epics.len(), 5, "{epics:#?}");
}

async fn many_accept_at_once_and_one_epic_comes_of_it(f: &Fixture) {
    let idea = idea(&f.store, Some(PLAN)).await;
    let stores = [f.store.clone(), f.other().await, f.other().await];
    let accepting: Vec<_> = (0..9)
        .map(|number: usize| {
            let (store, id) = (stores[number % 3].clone(), idea.id.clone());
            tokio::spawn(async move { store.idea_accept(&id, None).await.unwrap() })
        })
        .collect();
    let mut made = Vec::new();
    for one in accepting {
        made.push(one.await.unwrap());
    }
    assert_eq!(made.iter().filter(|made| made.new).count(), 1);
    assert!(made.iter().all(|one| one.epic.id == made[0].epic.id));
    assert_eq!(f.store.backlog(&idea.repository).await.unwrap().items.len(), 5);
}

async fn a_person_s_plan_is_a_revision(f: &Fixture) {
    let idea = idea(&f.store, Some("no plan at all")).await;
    assert_eq!(state(&f.store, &idea).await, "plan_ready");
    let refused = f.store.idea_accept(&idea.id, None).await;
    assert!(matches!(&refused, Err(BacklogError::Plan { why, .. }) if why.line == 1), "{refused:?}");
    let body = |plan: &str, notes: &str| {
        let (plan, notes) = (Some(plan.to_owned()), notes.to_owned());
        Some(ItemBody::Idea(IdeaBody { plan, notes, ..IdeaBody::default() }))
    };
    let change = ItemChange { body: body(PLAN, ""), ..ItemChange::of(&idea) };
    let changed = f.store.item_change(&change).await.unwrap();
    // What did not change is no revision.
    let change = ItemChange { body: body(PLAN, "x"), ..ItemChange::of(&changed) };
    f.store.item_change(&change).await.unwrap();
    let all = f.store.documents(&idea.id).await.unwrap();
    let told: Vec<_> = all.iter().map(|one| (one.revision, one.job.is_none())).collect();
    assert_eq!(told, [(1, true), (2, true)]);
    assert_eq!(
        f.store.document(&idea.id, DocumentPart::Plan, Some(1)).await.unwrap().unwrap().text,
        "no plan at all"
    );
    assert!(f.store.idea_accept(&idea.id, None).await.unwrap().new);
}

async fn documents_outlive_their_job_and_go_with_their_idea(f: &Fixture) {
    let idea = idea(&f.store, None).await;
    let job = start(&f.store, &idea, DocumentPart::Plan).await.unwrap();
    deliver(&f.store, &job, PLAN).await;
    f.store.jobs_prune(Timestamp(i64::MAX), std::slice::from_ref(&job.id)).await.unwrap();
    assert_eq!(f.store.documents(&idea.id).await.unwrap().len(), 1);
    assert!(f.store.ideas_going_on().await.unwrap().is_empty(), "nobody knows any more how to go on");
    f.store.item_remove(&idea.id, false).await.unwrap();
    assert_eq!(f.store.item_of(&idea.id).await.unwrap(), None);
    assert!(f.store.documents(&idea.id).await.unwrap().is_empty());
}
