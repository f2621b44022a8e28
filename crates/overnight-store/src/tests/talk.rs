//! Questions and messages: what wakes a job, what does not, and what is never lost or told twice.

use overnight_core::agent::{TurnOutcome, TurnReport};
use overnight_core::id::QuestionId;
use overnight_core::job::Asking;
use overnight_core::talk::{
    Asked, Given, MOST_MESSAGES, QUESTION_CHARS, QuestionPolicy, QuestionState, Sender, Talk,
};
use overnight_core::verdict::DiffStat;

use super::*;
use crate::{AgentOf, MeantError, QuestionFilter, Reply, TalkError};

on_both!(
    an_answer_wakes_the_job_that_waits_for_it,
    of_many_answers_at_once_one_counts,
    an_answer_between_question_and_parking_is_not_missed,
    a_job_waits_for_the_answers_of_all_its_questions,
    nobody_answers_in_time,
    only_the_agent_whose_turn_runs_may_ask,
    a_hostile_question_is_refused_before_it_is_stored,
    a_question_ends_with_its_job,
    an_answer_that_was_read_within_the_turn_holds_nothing_up,
    messages_reach_jobs_that_can_still_be_told,
    a_job_has_at_most_so_many_messages,
    a_message_of_a_named_request_is_sent_once,
    a_question_is_meant_by_its_name_or_by_its_job,
    another_jobs_agent_writes_within_its_repository,
    what_a_turn_took_in_is_told_no_second_time,
    talk_of_forgotten_jobs_is_forgotten,
);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn working(store: &Store) -> Claimed {
    let job = enqueue(store).await;
    let mut claimed = claim(store, &job.id, "w").await;
    advance(store, &claimed.lease, &mut claimed.job, prepared()).await;
    advance(store, &claimed.lease, &mut claimed.job, announced()).await;
    claimed
}

fn agent(claimed: &Claimed) -> AgentOf {
    AgentOf { job: claimed.job.id.clone(), fence: claimed.lease.fence() }
}

fn which() -> Asked {
    Asked::parse("Which one?", &["left".to_owned(), "right".to_owned()]).unwrap()
}

async fn asks(store: &Store, claimed: &Claimed) -> QuestionId {
    store.ask(&agent(claimed), &which(), DAY, 5).await.unwrap().id
}

fn turn(outcome: TurnOutcome) -> Input {
    let usage = Usage::default();
    let report =
        TurnReport { outcome, session: None, usage, final_text: None, asked: None, options: Vec::new() };
    Input::Done { output: StageOutput::Turn { report }, elapsed: Duration::ZERO }
}

/// What is known of the questions of a job that has asked none.
pub(super) fn nothing_asked() -> Talk {
    Talk {
        policy: QuestionPolicy::default(),
        fresh: QuestionId::parse(&uuid::Uuid::now_v7().to_string()).unwrap(),
        asked: 0,
        open_until: None,
        settled: false,
    }
}

/// The turn ends, and its job is collected with what the store knows of its questions.
async fn comes_home(store: &Store, claimed: &mut Claimed, outcome: TurnOutcome) {
    let Claimed { lease, job, .. } = claimed;
    advance(store, lease, job, turn(outcome)).await;
    let standing = store.talk_standing(&job.id).await.unwrap();
    let talk = Talk {
        policy: QuestionPolicy::default(),
        fresh: QuestionId::parse(&uuid::Uuid::now_v7().to_string()).unwrap(),
        asked: standing.asked,
        open_until: standing.open_until(),
        settled: !standing.untold.questions.is_empty(),
    };
    collected(store, claimed, talk).await;
}

async fn collected(store: &Store, claimed: &mut Claimed, talk: Talk) {
    let Claimed { lease, job, .. } = claimed;
    let output =
        StageOutput::Collected { tip: None, diff: DiffStat::default(), asking: Asking::AsItSaid, talk };
    advance(store, lease, job, Input::Done { output, elapsed: Duration::ZERO }).await;
}

fn needs_input() -> TurnOutcome {
    TurnOutcome::NeedsInput { detail: "Which one?".to_owned() }
}

async fn parked(store: &Store) -> (Claimed, QuestionId) {
    let mut claimed = working(store).await;
    comes_home(store, &mut claimed, needs_input()).await;
    let filter = QuestionFilter { job: Some(claimed.job.id.clone()), ..QuestionFilter::default() };
    let question = store.questions(&filter).await.unwrap().pop().unwrap();
    assert!(question.awaited && question.number == 1 && question.text == "Which one?");
    (claimed, question.id)
}

fn text(words: &str) -> Reply {
    Reply::Text(words.to_owned())
}

async fn an_answer_wakes_the_job_that_waits_for_it(f: &Fixture) {
    let (claimed, id) = parked(&f.store).await;
    assert!(claim_next(&f.store, "w2", 9).await.is_empty(), "nobody has it, and nobody may");
    let name = format!("{}/q1", claimed.job.key);
    assert_eq!(f.store.question_find(&name.to_uppercase()).await.unwrap().id, id);
    let mut wakes = f.store.subscribe();
    wakes.mark_unchanged();
    let answered = f.store.answer(&id, &text("the left\u{202e} one")).await.unwrap();
    assert!(wakes.has_changed().unwrap());
    assert_eq!(answered.answer.unwrap().text, "the left\\u{202e} one");
    assert!(f.store.questions(&QuestionFilter::default()).await.unwrap().is_empty(), "none is open");
    let taken = claim_next(&f.store, "w2", 9).await.pop().unwrap();
    assert!(matches!(taken.job.state, JobState::Working { turn: None, .. }), "{:?}", taken.job.state);
    let standing = f.store.talk_standing(&taken.job.id).await.unwrap();
    assert_eq!((standing.open.len(), standing.untold.questions.len(), standing.asked), (0, 1, 1));
    assert_gapless(&numbers(&f.store, &taken.job.id).await);
    f.store.check().await.unwrap();
}

async fn of_many_answers_at_once_one_counts(f: &Fixture) {
    let (claimed, id) = parked(&f.store).await;
    let (one, two) = (f.other().await, f.other().await);
    let left = text("left");
    let (a, b, c) =
        tokio::join!(one.answer(&id, &left), two.answer(&id, &Reply::Option(2)), f.store.answer(&id, &left));
    let results = [a, b, c];
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
    let refused = |result: &&Result<_, TalkError>| matches!(result, Err(TalkError::Answered { .. }));
    assert_eq!(results.iter().filter(refused).count(), 2, "{results:?}");
    let events = f.store.events(&claimed.job.id, EventNumber(0), 99).await.unwrap();
    let woken = events.iter().filter(|record| matches!(record.event, Ok(JobEvent::Woken { .. })));
    assert_eq!(woken.count(), 1);
}

/// The answer comes after the worker has looked for open questions and before it writes that the job waits.
async fn an_answer_between_question_and_parking_is_not_missed(f: &Fixture) {
    let mut claimed = working(&f.store).await;
    let id = asks(&f.store, &claimed).await;
    let Claimed { lease, job, .. } = &mut claimed;
    advance(&f.store, lease, job, turn(TurnOutcome::Completed)).await;
    let seen = f.store.talk_standing(&job.id).await.unwrap();
    f.store.answer(&id, &Reply::Option(1)).await.unwrap();
    let talk = Talk {
        policy: QuestionPolicy::default(),
        fresh: QuestionId::parse("q-2").unwrap(),
        asked: 1,
        open_until: seen.open_until(),
        settled: false,
    };
    let mut wakes = f.store.subscribe();
    wakes.mark_unchanged();
    collected(&f.store, &mut claimed, talk).await;
    assert!(matches!(claimed.job.state, JobState::Parked { reason: ParkReason::Answer, .. }));
    assert!(wakes.has_changed().unwrap());
    assert_eq!(claim_next(&f.store, "w2", 9).await.len(), 1, "it waits for nothing");
}

async fn a_job_waits_for_the_answers_of_all_its_questions(f: &Fixture) {
    let mut claimed = working(&f.store).await;
    let (one, two) = (asks(&f.store, &claimed).await, asks(&f.store, &claimed).await);
    comes_home(&f.store, &mut claimed, TurnOutcome::Completed).await;
    f.store.answer(&two, &text("b")).await.unwrap();
    assert!(claim_next(&f.store, "w2", 9).await.is_empty());
    f.store.cancel_question(&one).await.unwrap();
    assert!(matches!(f.store.answer(&one, &text("a")).await, Err(TalkError::Cancelled { .. })));
    let taken = claim_next(&f.store, "w2", 9).await.pop().unwrap();
    assert_eq!(f.store.talk_standing(&taken.job.id).await.unwrap().untold.questions.len(), 2);
}

async fn nobody_answers_in_time(f: &Fixture) {
    let mut claimed = working(&f.store).await;
    let id = f.store.ask(&agent(&claimed), &which(), Duration::from_millis(50), 5).await.unwrap().id;
    comes_home(&f.store, &mut claimed, TurnOutcome::Completed).await;
    // By the database's clock, whoever looks: nobody has a timer.
    let due = loop {
        f.store.jobs_due().await.unwrap();
        if let Some(taken) = claim_next(&f.store, "w2", 9).await.pop() {
            break taken;
        }
        tokio::task::yield_now().await;
    };
    let late = f.store.answer(&id, &text("a")).await;
    assert!(matches!(late, Err(TalkError::Expired { .. })), "{late:?}");
    let standing = f.store.talk_standing(&due.job.id).await.unwrap();
    let now = f.store.now().await.unwrap();
    assert_eq!(standing.untold.questions[0].state(now), QuestionState::Expired);
    assert!(f.store.questions(&QuestionFilter::default()).await.unwrap().is_empty());
    let all = QuestionFilter { all: true, ..QuestionFilter::default() };
    assert_eq!(f.store.questions(&all).await.unwrap().len(), 1);
}

async fn only_the_agent_whose_turn_runs_may_ask(f: &Fixture) {
    let mut claimed = working(&f.store).await;
    for _ in 0..5 {
        asks(&f.store, &claimed).await;
    }
    let more = f.store.ask(&agent(&claimed), &which(), DAY, 5).await;
    assert!(matches!(more, Err(TalkError::TooManyQuestions { most: 5, .. })));
    let old = AgentOf { fence: Fence(claimed.lease.fence().0 - 1), ..agent(&claimed) };
    assert!(matches!(f.store.ask(&old, &which(), DAY, 9).await, Err(TalkError::NotWorking { .. })));
    let Claimed { lease, job, .. } = &mut claimed;
    advance(&f.store, lease, job, turn(TurnOutcome::Completed)).await;
    assert!(matches!(
        f.store.ask(&agent(&claimed), &which(), DAY, 9).await,
        Err(TalkError::NotWorking { .. })
    ));
    assert_gapless(&numbers(&f.store, &claimed.job.id).await);
}

async fn a_hostile_question_is_refused_before_it_is_stored(f: &Fixture) {
    let huge = "\u{202e}".repeat(1 << 20);
    assert!(Asked::parse(&huge, &[]).is_err());
    // From a vendor's CLI it is cut.
    let mut claimed = working(&f.store).await;
    let nul = format!("a\0b{huge}");
    comes_home(&f.store, &mut claimed, TurnOutcome::NeedsInput { detail: nul }).await;
    let asked = f.store.questions(&QuestionFilter::default()).await.unwrap().pop().unwrap();
    assert_eq!(asked.text.chars().count(), QUESTION_CHARS);
    assert!(asked.text.starts_with("a\\x00b"), "{}", &asked.text[..20]);
    let long = f.store.answer(&asked.id, &text(&huge)).await;
    assert!(matches!(long, Err(TalkError::Words(_))), "{long:?}");
    let none = f.store.answer(&asked.id, &Reply::Option(1)).await;
    assert!(matches!(none, Err(TalkError::NoSuchOption { has: 0, number: 1, .. })), "{none:?}");
    f.store.answer(&asked.id, &text("no")).await.unwrap();
}

async fn a_question_ends_with_its_job(f: &Fixture) {
    let (claimed, id) = parked(&f.store).await;
    let by = overnight_core::job::CancelledBy::Command;
    f.store.cancel_request(&claimed.job.id, by.clone()).await.unwrap();
    let Claimed { lease, mut job, .. } = claim_next(&f.store, "w2", 9).await.pop().unwrap();
    advance(&f.store, &lease, &mut job, Input::Cancel { by }).await;
    advance(&f.store, &lease, &mut job, cleaned()).await;
    assert!(matches!(f.store.answer(&id, &text("a")).await, Err(TalkError::Ended { .. })));
    assert!(f.store.questions(&QuestionFilter::default()).await.unwrap().is_empty());
}

async fn an_answer_that_was_read_within_the_turn_holds_nothing_up(f: &Fixture) {
    let mut claimed = working(&f.store).await;
    let id = asks(&f.store, &claimed).await;
    let untold = async || f.store.talk_standing(&claimed.job.id).await.unwrap().untold.questions.len();
    f.store.answer_read(&agent(&claimed), &id).await.unwrap();
    f.store.answer(&id, &text("left")).await.unwrap();
    assert_eq!(untold().await, 1, "what was open then was not read");
    f.store.answer_read(&agent(&claimed), &id).await.unwrap();
    assert_eq!(untold().await, 0);
    comes_home(&f.store, &mut claimed, TurnOutcome::MaxTurns).await;
    let trail = claimed.job.state.trail().unwrap();
    assert_eq!(trail.feedback, Some(overnight_core::job::Feedback::OutOfTurns), "its outcome counts");
}

async fn messages_reach_jobs_that_can_still_be_told(f: &Fixture) {
    let job = enqueue(&f.store).await;
    let first = f.store.send_message(&job.id, " Use tabs.\u{1b}[2J ").await.unwrap();
    assert_eq!((first.number, first.text.as_str(), &first.from), (1, "Use tabs.\\x1b[2J", &Sender::Operator));
    let mut claimed = claim(&f.store, &job.id, "w").await;
    let Claimed { lease, job, .. } = &mut claimed;
    advance(&f.store, lease, job, prepared()).await;
    f.store.send_message(&job.id, "two").await.unwrap();
    advance(&f.store, lease, job, announced()).await;
    assert_eq!(f.store.talk_standing(&job.id).await.unwrap().untold.messages.len(), 2);
    end(&f.store, &mut claimed, EndReason::NoChanges).await;
    let late = f.store.send_message(&claimed.job.id, "three").await;
    assert!(matches!(late, Err(TalkError::Ended { .. })), "{late:?}");
    assert_gapless(&numbers(&f.store, &claimed.job.id).await);
}

async fn a_message_of_a_named_request_is_sent_once(f: &Fixture) {
    let job = enqueue(&f.store).await;
    let other = f.other().await;
    let send = |store: Store| {
        let to = job.id.clone();
        async move { store.send_message_once(&to, "Use tabs", Some("t:k")).await }
    };
    let (one, two) = tokio::join!(send(f.store.clone()), send(other));
    assert_eq!(one.unwrap(), two.unwrap());
    f.store.send_message_once(&job.id, "Use tabs", Some("t:l")).await.unwrap();
    f.store.send_message_once(&job.id, "Use tabs", None).await.unwrap();
    assert_eq!(f.store.messages(&job.id).await.unwrap().len(), 3);
    assert_gapless(&numbers(&f.store, &job.id).await);
}

async fn a_question_is_meant_by_its_name_or_by_its_job(f: &Fixture) {
    let claimed = working(&f.store).await;
    let key = claimed.job.key.clone();
    let meant = async |wanted: &str| f.store.question_meant(wanted).await;
    assert!(matches!(meant(key.as_str()).await, Err(MeantError::NoneOpen { .. })));
    let first = asks(&f.store, &claimed).await;
    let names = [key.to_string(), format!("{key}/q1"), first.to_string(), claimed.job.id.to_string()];
    for name in names {
        assert_eq!(meant(&name).await.unwrap().id, first, "{name}");
    }
    let second = asks(&f.store, &claimed).await;
    let several = meant(key.as_str()).await;
    assert!(matches!(&several, Err(MeantError::SeveralOpen { questions, .. }) if questions.len() == 2));
    assert!(matches!(meant("nobody-1").await, Err(MeantError::Job(_))));
    for unknown in [format!("{key}/q9"), "a/b".to_owned(), "a\0/q1".to_owned()] {
        let said = meant(&unknown).await;
        assert!(matches!(said, Err(MeantError::Talk(TalkError::UnknownQuestion { .. }))), "{said:?}");
    }
    let page = async |after| {
        let filter = QuestionFilter { limit: Some(1), after, ..QuestionFilter::default() };
        f.store.questions(&filter).await.unwrap().pop()
    };
    let newest = page(None).await.unwrap();
    let next = page(Some((newest.asked_at, newest.id.clone()))).await.unwrap();
    let mut seen = [newest.id, next.id.clone()];
    seen.sort();
    let mut all = [first, second];
    all.sort();
    assert_eq!((seen, page(Some((next.asked_at, next.id))).await), (all, None));
}

async fn a_job_has_at_most_so_many_messages(f: &Fixture) {
    let job = enqueue(&f.store).await;
    let (one, two) = (f.other().await, f.other().await);
    let many = async |store: &Store| {
        let mut sent = 0;
        for _ in 0..MOST_MESSAGES {
            sent += u32::from(store.send_message(&job.id, "x").await.is_ok());
        }
        sent
    };
    let (a, b) = tokio::join!(many(&one), many(&two));
    assert_eq!(a + b, MOST_MESSAGES);
    let messages = f.store.messages(&job.id).await.unwrap();
    let numbers: Vec<u32> = messages.iter().map(|message| message.number).collect();
    assert_eq!(numbers, (1..=MOST_MESSAGES).collect::<Vec<_>>());
    let more = f.store.send_message(&job.id, "x").await;
    assert!(matches!(more, Err(TalkError::TooManyMessages { .. })));
}

async fn another_jobs_agent_writes_within_its_repository(f: &Fixture) {
    let from = working(&f.store).await;
    let to = enqueue(&f.store).await;
    let sent = f.store.send_message_of(&agent(&from), &to.id, "hello").await.unwrap();
    assert_eq!(sent.from, Sender::Job(from.job.key.clone()));
    assert_eq!(f.store.messages(&to.id).await.unwrap(), [sent]);
    let foreign = enqueue_in(&f.store, "other", "x").await;
    let refused = f.store.send_message_of(&agent(&from), &foreign.id, "hello").await;
    assert!(matches!(refused, Err(TalkError::AnotherRepository { .. })), "{refused:?}");
    let old = AgentOf { fence: Fence(0), ..agent(&from) };
    assert!(matches!(f.store.send_message_of(&old, &to.id, "x").await, Err(TalkError::NotWorking { .. })));
}

async fn what_a_turn_took_in_is_told_no_second_time(f: &Fixture) {
    let job = enqueue(&f.store).await;
    let mut claimed = claim(&f.store, &job.id, "w").await;
    let Claimed { lease, job, .. } = &mut claimed;
    advance(&f.store, lease, job, prepared()).await;
    let one = f.store.send_message(&job.id, "one").await.unwrap();
    let given = Given { questions: Vec::new(), messages: vec![one.id.clone()] };
    let told = || Input::Given { given: given.clone(), gone_on: Vec::new(), expired: Vec::new() };
    advance(&f.store, lease, job, told()).await;
    advance(&f.store, lease, job, announced()).await;
    advance(&f.store, lease, job, interrupted()).await;
    assert_eq!(
        f.store.talk_standing(&job.id).await.unwrap().untold.messages,
        std::slice::from_ref(&one),
        "it is told again"
    );
    advance(&f.store, lease, job, announced()).await;
    let two = f.store.send_message(&job.id, "two").await.unwrap();
    let three = f.store.send_message(&job.id, "three").await.unwrap();
    let speaker = AgentOf { job: job.id.clone(), fence: lease.fence() };
    f.store.acknowledge(&speaker, &three.id).await.unwrap();
    f.store.acknowledge(&speaker, &three.id).await.unwrap();
    advance(&f.store, lease, job, turn(TurnOutcome::Completed)).await;
    assert_eq!(f.store.talk_standing(&job.id).await.unwrap().untold.messages, [two]);
    let messages = f.store.messages(&job.id).await.unwrap();
    assert_eq!(messages[0].delivered.map(|delivered| delivered.turn), Some(2));
    assert!(messages[1].delivered.is_none() && messages[2].acknowledged_at.is_some());
    let events = f.store.events(&job.id, EventNumber(0), 99).await.unwrap();
    let read =
        |record: &&crate::EventRecord| matches!(record.event, Ok(JobEvent::MessageAcknowledged { .. }));
    assert_eq!(events.iter().filter(read).count(), 1);
    assert_gapless(&numbers(&f.store, &job.id).await);
}

async fn talk_of_forgotten_jobs_is_forgotten(f: &Fixture) {
    let mut claimed = working(&f.store).await;
    asks(&f.store, &claimed).await;
    f.store.send_message(&claimed.job.id, "x").await.unwrap();
    end(&f.store, &mut claimed, EndReason::NoChanges).await;
    let id = claimed.job.id.clone();
    assert_eq!(f.store.jobs_prune(Timestamp(i64::MAX), &[id]).await.unwrap().len(), 1);
    for table in ["questions", "messages"] {
        let found = f.store.one("test", sql(format!("SELECT COUNT(*) AS count FROM {table}"))).await.unwrap();
        assert_eq!(found.number("count").unwrap(), 0, "{table}");
    }
}
