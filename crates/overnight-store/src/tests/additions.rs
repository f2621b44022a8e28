//! Items that are added with what they are connected with, once for each request; and the names by which they are found.

use overnight_core::backlog::plan;
use overnight_core::backlog::{ItemBody, SprintBody};

use super::backlog::PLAN;
use super::{Fixture, spec};
use crate::{BacklogError, NewItem, NewJob, NewLinks, NewRepository, ShownItem, Store};

/// A repository with a plan: epic 1, stories 2 and 5, tasks 3, 4 and 6.
async fn planned(store: &Store) -> NewItem {
    let new = NewRepository { name: "app".to_owned(), remote: "/src/app".to_owned() };
    let repository = store.repository_ensure(&new).await.unwrap().id;
    store.plan_import(&repository, &plan::read(PLAN).unwrap(), None).await.unwrap();
    NewItem { repository, title: "New".to_owned(), body: ItemBody::Task(Box::default()), parent: None }
}

async fn ids(store: &Store, keys: &[&str]) -> Vec<overnight_core::id::ItemId> {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    store.items_named(&keys).await.unwrap().into_iter().map(|item| item.id).collect()
}

async fn the_same_request_adds_one_item_however_fast(f: &Fixture) {
    let new = planned(&f.store).await;
    let links = NewLinks { after: ids(&f.store, &["app-3"]).await, members: Vec::new() };
    let all = (0..6).map(|_| {
        let (store, new, links) = (f.store.clone(), new.clone(), links.clone());
        tokio::spawn(async move { store.item_add_linked(&new, &links, Some("k")).await.unwrap() })
    });
    let mut fresh = 0;
    for one in all.collect::<Vec<_>>() {
        let added = one.await.unwrap();
        fresh += usize::from(added.new);
        assert_eq!(added.item.key.as_str(), "app-7");
    }
    assert_eq!(fresh, 1);
    let backlog = f.store.backlog(&new.repository).await.unwrap();
    assert_eq!(backlog.items.len(), 7);
    let other = NewItem { title: "Other".to_owned(), ..new.clone() };
    for (new, links) in [(&other, &links), (&new, &NewLinks::default())] {
        let refused = f.store.item_add_linked(new, links, Some("k")).await;
        assert!(matches!(refused, Err(BacklogError::RequestReused { .. })), "{refused:?}");
    }
    // A plan is another request.
    let refused = f.store.plan_import(&new.repository, &plan::read(PLAN).unwrap(), Some("k")).await;
    assert!(matches!(refused, Err(BacklogError::RequestReused { .. })), "{refused:?}");
}

async fn what_cannot_be_connected_is_not_added(f: &Fixture) {
    let new = planned(&f.store).await;
    let story = ids(&f.store, &["app-2"]).await;
    let sprint = NewItem { body: ItemBody::Sprint(SprintBody::default()), ..new.clone() };
    let tasks = ids(&f.store, &["app-3"]).await;
    for (new, after, members) in [
        (&new, story.clone(), Vec::new()),
        (&new, Vec::new(), tasks.clone()),
        (&sprint, tasks.clone(), Vec::new()),
        (&sprint, Vec::new(), story),
    ] {
        let refused = f.store.item_add_linked(new, &NewLinks { after, members }, Some("k")).await;
        assert!(matches!(refused, Err(BacklogError::WrongKind { .. })), "{refused:?}");
    }
    assert_eq!(f.store.backlog(&new.repository).await.unwrap().items.len(), 6);
    // Nothing was kept under the name.
    assert!(f.store.item_add_linked(&new, &NewLinks::default(), Some("k")).await.unwrap().new);
}

async fn a_sprint_takes_stories_for_their_tasks(f: &Fixture) {
    let new = planned(&f.store).await;
    let named = ["app-6".to_owned(), "APP-2".to_owned(), "app-1".to_owned()];
    let members = f.store.tasks_named(&named).await.unwrap();
    let sprint = NewItem { body: ItemBody::Sprint(SprintBody::default()), ..new.clone() };
    let links = NewLinks { after: Vec::new(), members };
    let sprint = f.store.item_add_linked(&sprint, &links, None).await.unwrap().item;
    let backlog = f.store.backlog(&new.repository).await.unwrap();
    let shown = ShownItem::of(&backlog, &sprint, &[]);
    let keys: Vec<&str> = shown.item.members.iter().map(|key| key.as_str()).collect();
    assert_eq!(keys, ["app-6", "app-3", "app-4"]);
    assert_eq!(shown.parts.len(), 3);
    let epic = f.store.item_find("app-1").await.unwrap();
    assert_eq!(backlog.below(&epic.id).len(), 5);
    assert_eq!(backlog.below(&sprint.id).len(), 3);
    assert_eq!(backlog.export(&epic).unwrap().left, 0);
    assert_eq!(backlog.export(&sprint), None);
    for wanted in ["app-99".to_owned(), "x".repeat(1 << 20), "\0".to_owned(), String::new()] {
        let missing = f.store.tasks_named(&[wanted]).await;
        assert!(matches!(missing, Err(BacklogError::NotFound { .. })), "{missing:?}");
    }
}

async fn jobs_are_found_by_the_requests_that_made_them(f: &Fixture) {
    let new = planned(&f.store).await;
    let job = |request: usize| NewJob {
        request: Some(format!("r:{request}")),
        ..NewJob::new(new.repository.clone(), spec("x"))
    };
    let made = f.store.jobs_enqueue(&(0..70).map(job).collect::<Vec<_>>()).await.unwrap();
    let names: Vec<String> = (0..100).map(|request| format!("r:{request}")).collect();
    let mut found = f.store.jobs_of_requests(&names).await.unwrap();
    found.sort_by(|one, other| one.id.cmp(&other.id));
    let of = |jobs: &[overnight_core::job::Job]| jobs.iter().map(|job| job.id.clone()).collect::<Vec<_>>();
    assert_eq!(of(&found), of(&made));
    assert!(f.store.jobs_of_requests(&[]).await.unwrap().is_empty());
}

on_both!(
    the_same_request_adds_one_item_however_fast,
    what_cannot_be_connected_is_not_added,
    a_sprint_takes_stories_for_their_tasks,
    jobs_are_found_by_the_requests_that_made_them,
);
