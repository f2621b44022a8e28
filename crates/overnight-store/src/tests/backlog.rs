//! The backlog: plans, changes by several at once, tasks and their jobs, and what remains when jobs are forgotten.

use overnight_core::backlog::plan::{self, Plan};
use overnight_core::backlog::{
    EpicBody, Item, ItemBody, ItemKind, Mark, PullState, RepositorySettings, SprintBody, StoryBody,
};
use overnight_core::git::{BranchName, CommitId};
use overnight_core::id::{ItemId, RepositoryId};
use overnight_core::job::{
    EffectChange, EffectName, End, EndReason, Job, JobEvent, JobSpec, JobState, Published, PullRequestRef,
    Step, TaskOrder,
};
use overnight_core::policy::alignment::VerifyRequired;
use overnight_core::units::Timestamp;

use super::{Fixture, advance, claim, cleaned, end, enqueue_in, spec};
use crate::{
    BacklogError, Claimed, ItemChange, NewItem, NewJob, NewRepository, PullRequest, Store, StoreError,
};

pub(super) const PLAN: &str = "
epic: {title: Tables}
stories:
  - title: Sorted
    tasks:
      - {title: Sort, id: sort}
      - {title: Show, after: sort}
  - title: Filtered
    tasks:
      - {title: Filter}
";

fn small() -> Plan {
    plan::read(PLAN).unwrap()
}

async fn repository(store: &Store, name: &str) -> RepositoryId {
    let new = NewRepository { name: name.to_owned(), remote: format!("/src/{name}") };
    store.repository_ensure(&new).await.unwrap().id
}

async fn task(store: &Store, title: &str) -> Item {
    let repository = repository(store, "app").await;
    let body = ItemBody::Task(Box::default());
    store.item_add(&NewItem { repository, title: title.to_owned(), body, parent: None }).await.unwrap()
}

fn of_task(task: &Item) -> NewJob {
    let order = TaskOrder {
        item: task.id.clone(),
        key: task.key.clone(),
        story: None,
        epic: None,
        plan: None,
        verify_required: VerifyRequired::default(),
        verify_only: false,
    };
    let spec = JobSpec { task: Some(Box::new(order)), ..spec("Sort it") };
    NewJob::new(task.repository.clone(), spec)
}

async fn start(store: &Store, task: &Item) -> Result<Job, StoreError> {
    store.job_enqueue(&of_task(task)).await
}

async fn state(store: &Store, item: &Item) -> &'static str {
    store.backlog(&item.repository).await.unwrap().states()[&item.id].0.code()
}

async fn a_plan_is_kept_whole_and_once(f: &Fixture) {
    let repository = repository(&f.store, "app").await;
    let first = f.store.plan_import(&repository, &small(), Some("k")).await.unwrap();
    let again = f.store.plan_import(&repository, &small(), Some("k")).await.unwrap();
    assert!(first.new && !again.new);
    assert_eq!(first.epic, again.epic);
    let other = Plan { title: "Other".to_owned(), ..small() };
    let refused = f.store.plan_import(&repository, &other, Some("k")).await;
    assert!(matches!(refused, Err(BacklogError::RequestReused { .. })), "{refused:?}");
    let backlog = f.store.backlog(&repository).await.unwrap();
    let mut keys: Vec<String> =
        backlog.items.iter().map(|item| format!("{} {}", item.key, item.title)).collect();
    keys.sort();
    assert_eq!(
        keys,
        ["app-1 Tables", "app-2 Sorted", "app-3 Sort", "app-4 Show", "app-5 Filtered", "app-6 Filter"]
    );
    let find = |key: &str| backlog.items.iter().find(|item| item.key.as_str() == key).unwrap();
    assert_eq!(backlog.waits[&find("app-4").id], [find("app-3").id.clone()].into());
    assert_eq!(find("app-4").parent.as_ref(), Some(&find("app-2").id));
    // Numbers go on behind it.
    assert_eq!(enqueue_in(&f.store, "app", "x").await.key.as_str(), "app-7");
}

async fn the_same_plan_from_many_at_once_is_one(f: &Fixture) {
    let repository = repository(&f.store, "app").await;
    let all = (0..6).map(|_| {
        let (store, repository) = (f.store.clone(), repository.clone());
        tokio::spawn(async move { store.plan_import(&repository, &small(), Some("k")).await.unwrap() })
    });
    let mut new = 0;
    for one in all.collect::<Vec<_>>() {
        new += usize::from(one.await.unwrap().new);
    }
    assert_eq!(new, 1);
    assert_eq!(f.store.backlog(&repository).await.unwrap().items.len(), 6);
}

async fn the_first_job_of_a_task_has_its_key(f: &Fixture) {
    let one = task(&f.store, "Sort").await;
    assert_eq!(state(&f.store, &one).await, "todo");
    let job = start(&f.store, &one).await.unwrap();
    assert_eq!(job.key, one.key);
    assert_eq!(state(&f.store, &one).await, "in_progress");
    let busy = start(&f.store, &one).await;
    assert!(matches!(busy, Err(StoreError::TaskBusy { ref job, .. }) if *job == one.key), "{busy:?}");
    let marked = f.store.item_mark(&one.id, Mark::Done).await;
    assert!(matches!(marked, Err(BacklogError::Running { .. })), "{marked:?}");
    assert!(matches!(f.store.item_remove(&one.id, true).await, Err(BacklogError::Running { .. })));
    end(&f.store, &mut claim(&f.store, &job.id, "w").await, EndReason::AgentFailed).await;
    assert_eq!(state(&f.store, &one).await, "failed");
    let second = start(&f.store, &one).await.unwrap();
    assert_eq!(second.key.as_str(), "app-2");
    assert_eq!(f.store.item_runs(&one.id).await.unwrap().len(), 2);
}

async fn a_task_that_many_start_at_once_gets_one_job(f: &Fixture) {
    let one = task(&f.store, "Sort").await;
    let other = f.other().await;
    let all = (0..8).map(|number| {
        let (store, one) = (if number % 2 == 0 { f.store.clone() } else { other.clone() }, one.clone());
        tokio::spawn(async move { start(&store, &one).await })
    });
    let mut made = 0;
    for one in all.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => made += 1,
            Err(error) => assert!(matches!(error, StoreError::TaskBusy { .. }), "{error:?}"),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(f.store.item_runs(&one.id).await.unwrap().len(), 1);
}

async fn a_task_done_elsewhere_has_a_job_with_a_number_from_there(f: &Fixture) {
    let one = task(&f.store, "Sort").await;
    let there = repository(&f.store, "lib").await;
    let job = f.store.job_enqueue(&NewJob { repository: there, ..of_task(&one) }).await.unwrap();
    assert_eq!((job.key.as_str(), state(&f.store, &one).await), ("lib-1", "in_progress"));
}

async fn the_state_outlives_the_job(f: &Fixture) {
    let one = task(&f.store, "Sort").await;
    let job = start(&f.store, &one).await.unwrap();
    end(&f.store, &mut claim(&f.store, &job.id, "w").await, EndReason::VerificationFailed).await;
    let pruned = f.store.jobs_prune(Timestamp(i64::MAX), std::slice::from_ref(&job.id)).await.unwrap();
    assert_eq!(pruned, std::slice::from_ref(&job.id));
    assert_eq!(state(&f.store, &one).await, "failed");
    let runs = f.store.item_runs(&one.id).await.unwrap();
    assert_eq!(runs[0].end.unwrap().reason, Some(EndReason::VerificationFailed));
    assert_eq!(start(&f.store, &one).await.unwrap().key.as_str(), "app-2");
}

async fn marks_and_pull_requests_decide(f: &Fixture) {
    let one = task(&f.store, "Sort").await;
    f.store.item_mark(&one.id, Mark::Excluded).await.unwrap();
    assert_eq!(state(&f.store, &one).await, "excluded");
    f.store.item_mark(&one.id, Mark::Reopened).await.unwrap();
    assert_eq!(state(&f.store, &one).await, "todo");
    let blocked = f.store.item_mark(&one.id, Mark::Blocked).await;
    assert!(matches!(blocked, Err(BacklogError::WrongKind { wanted: ItemKind::Epic, .. })), "{blocked:?}");
    let job = start(&f.store, &one).await.unwrap();
    end(&f.store, &mut claim(&f.store, &job.id, "w").await, EndReason::Published).await;
    assert_eq!(state(&f.store, &one).await, "review");
    let seen = |state, at| PullRequest {
        repository: one.repository.clone(),
        number: 7,
        url: "https://forge/7".to_owned(),
        branch: "overnight/app-1".to_owned(),
        job: job.id.clone(),
        state,
        updated_at: Timestamp(at),
    };
    for (pull, at, want) in [
        (PullState::Open, 1, "review"),
        (PullState::Merged, 3, "done"),
        // An older sight that comes late.
        (PullState::Open, 2, "done"),
        (PullState::Closed, 4, "todo"),
    ] {
        f.store.pull_request_put(&seen(pull, at)).await.unwrap();
        assert_eq!(state(&f.store, &one).await, want, "{pull:?}");
    }
    assert_eq!(f.store.pull_requests(&one.repository).await.unwrap().len(), 1);
}

/// The step that says that a job's pull request was opened or found.
fn opened(claimed: &Claimed, number: u64, effects: Vec<EffectChange>) -> Step {
    let pull_request = PullRequestRef { number, url: format!("https://forge/{number}") };
    let published = Published {
        branch: BranchName::for_task(&claimed.job.key, "Sort"),
        commit: CommitId::parse(&"b".repeat(40)).unwrap(),
        pull_request: Some(pull_request.clone()),
    };
    let end = End {
        reason: EndReason::Published,
        detail: String::new(),
        tip: Some(published.commit.clone()),
        published: Some(published),
    };
    let trail = claimed.job.state.trail().cloned().unwrap();
    let events = vec![JobEvent::PullRequestOpened { pull_request, adopted: false }];
    Step {
        next: JobState::Cleaning { trail, end },
        events,
        effects,
        spend: Vec::new(),
        talk: Vec::new(),
        documents: Vec::new(),
    }
}

async fn apply_opened(f: &Fixture, task: &Item, number: u64, effects: bool) -> Job {
    let job = start(&f.store, task).await.unwrap();
    let mut claimed = claim(&f.store, &job.id, "w").await;
    let name = EffectName::OpenPullRequest;
    let mut last = Vec::new();
    if effects {
        let reserve = EffectChange::Reserve { name: name.clone(), detail: "branch".to_owned() };
        let step = Step {
            next: claimed.job.state.clone(),
            events: Vec::new(),
            effects: vec![reserve],
            spend: Vec::new(),
            talk: Vec::new(),
            documents: Vec::new(),
        };
        f.store.apply(&claimed.lease, &claimed.job.state, step).await.unwrap();
        last.push(EffectChange::Done { name, result: "url".to_owned() });
    }
    let step = opened(&claimed, number, last);
    let next = step.next.clone();
    f.store.apply(&claimed.lease, &claimed.job.state, step).await.unwrap();
    claimed.job.state = next;
    advance(&f.store, &claimed.lease, &mut claimed.job, cleaned()).await;
    job
}

async fn a_pull_request_is_known_with_the_step_that_says_so(f: &Fixture) {
    let (one, two) = (task(&f.store, "one").await, task(&f.store, "two").await);
    // With effects it goes statement by statement; without, it must not be left out of what goes at once.
    let job = apply_opened(f, &one, 7, true).await;
    let other = apply_opened(f, &two, 7, false).await;
    let alone = enqueue_in(&f.store, "app", "no task").await;
    let mut claimed = claim(&f.store, &alone.id, "w").await;
    let step = opened(&claimed, 8, Vec::new());
    claimed.job.state =
        f.store.apply(&claimed.lease, &claimed.job.state, step.clone()).await.map(|_| step.next).unwrap();
    let pulls = f.store.pull_requests(&one.repository).await.unwrap();
    let told: Vec<_> = pulls.iter().map(|pull| (pull.number, pull.job.clone(), pull.state)).collect();
    assert_eq!(told, [(8, alone.id, PullState::Open), (7, job.id.clone(), PullState::Open)]);
    assert_eq!((pulls[1].url.as_str(), pulls[1].repository == one.repository), ("https://forge/7", true));
    for (task, job) in [(&one, &job), (&two, &other)] {
        let runs = f.store.item_runs(&task.id).await.unwrap();
        assert_eq!((&runs[0].job, runs[0].pull), (&job.id, Some(PullState::Open)));
        assert_eq!(runs[0].pull_url.as_deref(), Some("https://forge/7"));
        assert_eq!(state(&f.store, task).await, "review");
    }
    // What is merged stays merged, whoever finds it again; and a step that is refused tells nothing.
    let merged = PullRequest { state: PullState::Merged, ..pulls[1].clone() };
    f.store.pull_request_put(&PullRequest { updated_at: Timestamp(i64::MAX), ..merged }).await.unwrap();
    assert_eq!(state(&f.store, &two).await, "done");
    let three = task(&f.store, "three").await;
    apply_opened(f, &three, 7, true).await;
    assert_eq!(state(&f.store, &three).await, "done");
    let four = task(&f.store, "four").await;
    let job = start(&f.store, &four).await.unwrap();
    let claimed = claim(&f.store, &job.id, "w").await;
    let refused = opened(&claimed, 9, Vec::new());
    assert!(f.store.apply(&claimed.lease, &JobState::Queued, refused).await.is_err());
    assert!(f.store.pull_requests(&one.repository).await.unwrap().iter().all(|pull| pull.number != 9));
}

async fn of_two_changes_at_once_one_is_refused(f: &Fixture) {
    let one = task(&f.store, "Sort").await;
    let change = |title: &str| ItemChange { title: Some(title.to_owned()), ..ItemChange::of(&one) };
    let (left, right) = (change("left"), change("right"));
    let (left, right) = tokio::join!(f.store.item_change(&left), f.store.item_change(&right));
    let refused = [&left, &right].into_iter().filter(|one| matches!(one, Err(BacklogError::Changed { .. })));
    assert_eq!(refused.count(), 1, "{left:?} {right:?}");
    let hostile = ItemChange { title: Some("a\u{202e}b".to_owned()), ..ItemChange::of(&one) };
    assert!(matches!(f.store.item_change(&hostile).await, Err(BacklogError::Invalid(_))));
}

async fn circles_are_refused_also_when_two_make_one_together(f: &Fixture) {
    let (one, two) = (task(&f.store, "one").await, task(&f.store, "two").await);
    let wait = |who: &Item, on: &Item| ItemChange { after: Some(vec![on.id.clone()]), ..ItemChange::of(who) };
    let own = f.store.item_change(&wait(&one, &one)).await;
    assert!(matches!(own, Err(BacklogError::Circle(_))), "{own:?}");
    let (left, right) = (wait(&one, &two), wait(&two, &one));
    let other = f.other().await;
    let (left, right) = tokio::join!(f.store.item_change(&left), other.item_change(&right));
    let circles = [&left, &right].into_iter().filter(|one| matches!(one, Err(BacklogError::Circle(_))));
    assert_eq!(circles.count(), 1, "{left:?} {right:?}");
}

async fn items_move_only_to_where_they_belong(f: &Fixture) {
    let repository = repository(&f.store, "app").await;
    let epic = f.store.plan_import(&repository, &small(), None).await.unwrap().epic;
    let backlog = f.store.backlog(&repository).await.unwrap();
    let find = |title: &str| backlog.items.iter().find(|item| item.title == title).unwrap().clone();
    let (filter, sort, sorted) = (find("Filter"), find("Sort"), find("Sorted"));
    let to = |item: &Item, parent: &ItemId| ItemChange {
        parent: Some(Some(parent.clone())),
        ..ItemChange::of(item)
    };
    assert!(matches!(f.store.item_change(&to(&filter, &epic.id)).await, Err(BacklogError::Parent { .. })));
    assert!(matches!(f.store.item_change(&to(&epic, &sorted.id)).await, Err(BacklogError::Parent { .. })));
    let moved = ItemChange { place: Some(1), ..to(&filter, &sorted.id) };
    f.store.item_change(&moved).await.unwrap();
    let backlog = f.store.backlog(&repository).await.unwrap();
    let titles: Vec<&str> = backlog.parts(&sorted.id).map(|item| item.title.as_str()).collect();
    assert_eq!(titles, ["Filter", "Sort", "Show"]);
    let elsewhere = self::repository(&f.store, "lib").await;
    let body = ItemBody::Story(StoryBody::default());
    let lost = NewItem { repository: elsewhere, title: "x".to_owned(), body, parent: Some(epic.id.clone()) };
    assert!(matches!(f.store.item_add(&lost).await, Err(BacklogError::Elsewhere { .. })));
    let story = f.store.item_remove(&sorted.id, false).await;
    assert!(matches!(story, Err(BacklogError::HasParts { count: 3, .. })), "{story:?}");
    assert_eq!(f.store.item_remove(&sorted.id, true).await.unwrap(), 4);
    assert!(matches!(f.store.item_find(sort.key.as_str()).await, Err(BacklogError::NotFound { .. })));
    assert_eq!(f.store.item_remove(&epic.id, true).await.unwrap(), 2);
}

async fn a_sprint_is_read_by_itself(f: &Fixture) {
    let (one, two, beside) =
        (task(&f.store, "one").await, task(&f.store, "two").await, task(&f.store, "beside").await);
    let body = ItemBody::Sprint(SprintBody::default());
    let new = NewItem { repository: one.repository.clone(), title: "Night".to_owned(), body, parent: None };
    let sprint = f.store.item_add(&new).await.unwrap();
    let members = vec![two.id.clone(), one.id.clone()];
    f.store
        .item_change(&ItemChange { members: Some(members.clone()), ..ItemChange::of(&sprint) })
        .await
        .unwrap();
    start(&f.store, &two).await.unwrap();
    f.store.item_mark(&one.id, Mark::Done).await.unwrap();
    let (id, backlog) = f.store.sprint(&sprint.key).await.unwrap().unwrap();
    assert_eq!((&id, &backlog.facts.members[&id]), (&sprint.id, &members));
    let states = backlog.states();
    assert_eq!((states[&one.id].0.code(), states[&two.id].0.code()), ("done", "in_progress"));
    assert!(!states.contains_key(&beside.id) && states.len() == 3);
    assert!(f.store.sprint(&one.key).await.unwrap().is_none(), "a task is no sprint");
}

async fn settings_are_changed_by_one_at_a_time(f: &Fixture) {
    let repository = repository(&f.store, "app").await;
    let before = f.store.repository_settings(&repository).await.unwrap();
    assert_eq!(before, RepositorySettings::default());
    let after = RepositorySettings { draft: true, ..before.clone() };
    f.store.repository_settle(&repository, &before, &after).await.unwrap();
    let refused = f.store.repository_settle(&repository, &before, &before).await;
    assert!(matches!(refused, Err(BacklogError::SettingsChanged)), "{refused:?}");
    assert_eq!(f.store.repository_settings(&repository).await.unwrap(), after);
}

async fn a_large_backlog_is_read_in_a_moment(f: &Fixture) {
    let repository = repository(&f.store, "app").await;
    let tasks: String = (0..5_000).map(|n| format!("  - {{title: Task {n}}}\n")).collect();
    let plan =
        plan::read(&format!("epic: {{title: Large}}\nstories:\n- title: All\n  tasks:\n{tasks}")).unwrap();
    let epic = f.store.plan_import(&repository, &plan, None).await.unwrap().epic;
    let begun = std::time::Instant::now();
    let backlog = f.store.backlog(&repository).await.unwrap();
    let states = backlog.states();
    println!("5,002 items with their states: {:?}", begun.elapsed());
    assert_eq!((states[&epic.id].1.of, states.len()), (5_000, 5_002));
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
    assert_eq!(epic.body, ItemBody::Epic(EpicBody::default()));
    assert!(backlog.items.iter().any(|item| item.body == ItemBody::Task(Box::default())));
}

on_both!(
    a_plan_is_kept_whole_and_once,
    the_same_plan_from_many_at_once_is_one,
    the_first_job_of_a_task_has_its_key,
    a_task_that_many_start_at_once_gets_one_job,
    a_task_done_elsewhere_has_a_job_with_a_number_from_there,
    the_state_outlives_the_job,
    marks_and_pull_requests_decide,
    a_pull_request_is_known_with_the_step_that_says_so,
    of_two_changes_at_once_one_is_refused,
    circles_are_refused_also_when_two_make_one_together,
    items_move_only_to_where_they_belong,
    a_sprint_is_read_by_itself,
    settings_are_changed_by_one_at_a_time,
    a_large_backlog_is_read_in_a_moment,
);
