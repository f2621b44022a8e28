//! Questions and messages at the desk: the store writes them, under the claim that this process holds.

use overnight_core::desk::{InboxMessage, Refusal, Told};
use overnight_core::id::MessageId;
use overnight_core::talk::{Asked, OnQuestion};
use overnight_store::{AgentOf, StoreError, TalkError};

use crate::error::WorkError;
use crate::seat::Seat;

type Answer = Result<Result<Told, Refusal>, WorkError>;

fn agent(seat: &Seat<'_>) -> AgentOf {
    AgentOf { job: seat.job.id.clone(), fence: seat.lease().fence() }
}

pub(super) async fn ask(seat: &mut Seat<'_>, asked: &Asked) -> Answer {
    let policy = seat.engine.settings().questions;
    if policy.on_question == OnQuestion::End {
        return Ok(Err(Refusal::NobodyAnswers));
    }
    let recorded = seat.engine.store().ask(&agent(seat), asked, policy.expire, policy.most).await;
    // Whoever watches is to see the question while there is time to answer it.
    seat.catch_up(None).await?;
    answered(recorded.map(Told::from))
}

pub(super) async fn inbox(seat: &Seat<'_>) -> Answer {
    let messages = seat.engine.store().messages(&seat.job.id).await;
    let shown = |messages: Vec<_>| messages.into_iter().map(InboxMessage::from).collect();
    answered(messages.map(|messages| Told::Inbox { messages: shown(messages) }))
}

pub(super) async fn acknowledge(seat: &Seat<'_>, message: MessageId) -> Answer {
    let noted = seat.engine.store().acknowledge(&agent(seat), &message).await;
    answered(noted.map(|()| Told::Acknowledged { acknowledged: message }))
}

fn answered(told: Result<Told, TalkError>) -> Answer {
    match told {
        Ok(told) => Ok(Ok(told)),
        Err(TalkError::Store(error)) => Err(failed(error)),
        Err(TalkError::NotWorking { .. }) => Ok(Err(Refusal::TurnOver)),
        Err(TalkError::TooManyQuestions { .. }) => Ok(Err(Refusal::AskedEnough)),
        Err(TalkError::UnknownMessage { .. }) => Ok(Err(Refusal::UnknownMessage)),
        Err(
            error @ (TalkError::Words(_)
            | TalkError::UnknownQuestion { .. }
            | TalkError::NoSuchOption { .. }
            | TalkError::Answered { .. }
            | TalkError::Cancelled { .. }
            | TalkError::Expired { .. }
            | TalkError::Ended { .. }
            | TalkError::Publishing { .. }
            | TalkError::TooManyMessages { .. }
            | TalkError::AnotherRepository { .. }),
        ) => Ok(Err(Refusal::Bad(error.to_string()))),
    }
}

fn failed(error: StoreError) -> WorkError {
    error.into()
}
