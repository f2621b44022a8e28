//! What people said, and what agents asked, at the three places of a job's way where it matters: before a turn, when a turn was
//! brought home, and before anything is published.

use overnight_core::id::QuestionId;
use overnight_core::job::{Input, JobState};
use overnight_core::talk::{OnExpiry, Question, Talk, Told};
use overnight_store::TalkStanding;

use crate::seat::Seat;
use crate::trouble::{self, StageError};

async fn standing(seat: &Seat<'_>) -> Result<TalkStanding, StageError> {
    Ok(seat.until(|| seat.engine.store().talk_standing(&seat.job.id)).await?)
}

/// What the next turn is told. `None`: the job has moved, and no turn comes now.
pub(super) async fn before_a_turn(seat: &mut Seat<'_>) -> Result<Option<Told>, StageError> {
    loop {
        let standing = standing(seat).await?;
        let until = standing.open.iter().filter(|question| !question.awaited).map(|one| one.expires_at).max();
        if let Some(until) = until {
            seat.input(Input::Awaits { until }).await?;
            return Ok(None);
        }
        // It has waited for these, and somebody let it go on.
        let open: Vec<Question> = standing.open;
        let told = standing.untold.bounded();
        let missed = told.questions.iter().filter(|question| question.answer.is_none());
        let expired: Vec<&Question> = missed.filter(|question| question.cancelled_at.is_none()).collect();
        if let (Some(first), OnExpiry::End) = (expired.first(), seat.engine.settings().questions.on_expiry) {
            seat.input(Input::Unanswered { question: first.text.clone() }).await?;
            return Ok(None);
        }
        let JobState::Working { trail, turn: None, .. } = seat.state() else {
            return Err(trouble::bug("a turn is told outside its state"));
        };
        let mut given = told.given();
        if open.is_empty() && given == trail.given {
            return Ok(Some(told));
        }
        let expired: Vec<QuestionId> = expired.into_iter().map(|question| question.id.clone()).collect();
        let gone_on: Vec<QuestionId> = open.into_iter().map(|one| one.id).chain(expired.clone()).collect();
        given.questions.extend(gone_on.iter().filter(|id| !expired.contains(id)).cloned());
        // Looked at again: until this is written, an answer may still come.
        seat.input(Input::Given { given, gone_on, expired }).await?;
    }
}

/// What is known when a turn was brought home.
pub(super) async fn at_home(seat: &Seat<'_>) -> Result<Talk, StageError> {
    let standing = standing(seat).await?;
    // What this turn was told of and did not take in is told again, but is no news.
    let known =
        |id: &QuestionId| seat.state().trail().is_some_and(|trail| trail.given.questions.contains(id));
    let fresh = QuestionId::parse(&uuid::Uuid::now_v7().to_string());
    Ok(Talk {
        policy: seat.engine.settings().questions,
        fresh: fresh.map_err(|_| trouble::bug("a UUID is no id"))?,
        asked: standing.asked,
        open_until: standing.open_until(),
        settled: standing.untold.questions.iter().any(|question| !known(&question.id)),
    })
}

/// Messages that came after the last turn had begun get a turn of their own, as long as nothing is outside.
pub(super) async fn before_publishing(seat: &mut Seat<'_>) -> Result<(), StageError> {
    let JobState::Publishing { pushed: false, .. } = seat.state() else { return Ok(()) };
    let left = standing(seat).await?.untold.messages.len();
    if left > 0 {
        seat.input(Input::MessagesLeft { count: u32::try_from(left).unwrap_or(u32::MAX) }).await?;
    }
    Ok(())
}
