//! Where an agent's tools meet whoever holds its job: the calls of one turn, answered one after the other by the stage that runs
//! the turn. So an agent's word is written under the lease like everything else of the job, and by nobody else.
//!
//! Owns the channel of a turn and how much it may still say. A turn whose tools cannot be offered goes on without.

use std::any::Any;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use overnight_core::agent::{RemainingLimits, ToolServer};
use overnight_core::desk::{self, Ask, MAX_NOTES, MAX_REPORTS, Refusal, Told, Word};
use overnight_core::job::Input;
use overnight_core::units::Timestamp;
use overnight_proc::Redact;
use tokio::sync::{mpsc, oneshot};

mod talk;

use crate::clean;
use crate::error::WorkError;
use crate::seat::Seat;
use crate::signals::Cause;

/// Calls that wait for their answer. More than a careful client ever has under way.
const WAITING: usize = 16;

struct Request {
    ask: Ask,
    answer: oneshot::Sender<Result<Told, Refusal>>,
}

/// The agent's side of the desk: outlives the turn, but is not answered after it.
#[derive(Debug, Clone)]
pub struct DeskHandle(mpsc::Sender<Request>);

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

impl DeskHandle {
    /// # Errors
    /// [`Refusal`], also when the turn is over.
    pub async fn ask(&self, ask: Ask) -> Result<Told, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Request { ask, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Refusal::Busy,
            mpsc::error::TrySendError::Closed(_) => Refusal::TurnOver,
        })?;
        answered.await.unwrap_or(Err(Refusal::TurnOver))
    }
}

/// Tools that an agent can reach, as long as this is kept.
pub struct OpenTools {
    pub server: ToolServer,
    /// What ends with the turn.
    pub kept: Box<dyn Any + Send + Sync>,
}

impl std::fmt::Debug for OpenTools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenTools").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Offers desks to agents. Implemented by the program: the engine knows no protocol.
pub trait ToolDoor: Send + Sync + std::fmt::Debug {
    /// # Errors
    /// When nothing can be offered; the turn goes on without.
    fn open(&self, desk: DeskHandle) -> Pin<Box<dyn Future<Output = io::Result<OpenTools>> + Send + '_>>;
}

/// The desk of one turn.
pub(crate) struct Desk {
    calls: Option<mpsc::Receiver<Request>>,
    open: Option<OpenTools>,
    redact: Arc<dyn Redact>,
    left: RemainingLimits,
    opened: Timestamp,
    notes: u32,
    reports: u32,
}

impl Desk {
    /// `left`: what the turn may still use. `redact`: takes secrets out of what is recorded.
    pub(crate) async fn open(seat: &Seat<'_>, left: RemainingLimits, redact: Arc<dyn Redact>) -> Self {
        let (calls, open) = match seat.engine.tools() {
            None => (None, None),
            Some(door) => {
                let (sender, calls) = mpsc::channel(WAITING);
                match door.open(DeskHandle(sender)).await {
                    Ok(open) => (Some(calls), Some(open)),
                    Err(error) => {
                        tracing::warn!(job.id = %seat.job.id, %error, "the agent gets no tools: nobody can listen for it");
                        (None, None)
                    }
                }
            }
        };
        Self { calls, open, redact, left, opened: seat.job.updated_at, notes: 0, reports: 0 }
    }

    pub(crate) fn server(&self) -> Option<ToolServer> {
        self.open.as_ref().map(|open| open.server.clone())
    }

    /// The next call; waits for ever where there are none. Can be dropped at any point.
    pub(crate) async fn next(&mut self) -> Call {
        if let Some(calls) = &mut self.calls
            && let Some(request) = calls.recv().await
        {
            return Call(request);
        }
        std::future::pending().await
    }

    /// # Errors
    /// When the job is not ours any more, or the store failed for good.
    pub(crate) async fn answer(&mut self, seat: &mut Seat<'_>, call: Call) -> Result<(), WorkError> {
        let Call(Request { ask, answer }) = call;
        let told = self.told(seat, ask).await?;
        // Nobody may wait for it any more.
        let _ = answer.send(told);
        Ok(())
    }

    /// Whether the job is still ours is asked anew with each call: an agent that was left alone must hear of it.
    async fn told(&mut self, seat: &mut Seat<'_>, ask: Ask) -> Result<Result<Told, Refusal>, WorkError> {
        if let Err(enough) = self.may_say(&ask) {
            return Ok(Err(enough));
        }
        match seat.standing().await? {
            None => {}
            Some(Cause::Cancel(_)) => return Ok(Err(Refusal::Cancelled)),
            Some(Cause::LeaseLost) => return Ok(Err(Refusal::HeldElsewhere)),
        }
        let mut word = match ask {
            Ask::Context => return Ok(Ok(Told::Context(Box::new(desk::context(&seat.job, self.left))))),
            Ask::Compare { paths } => return Ok(desk::compared(&seat.job, paths)),
            Ask::Question(asked) => return talk::ask(seat, &asked).await,
            Ask::Inbox => return talk::inbox(seat).await,
            Ask::Acknowledge(message) => return talk::acknowledge(seat, message).await,
            Ask::Say(word) => word,
        };
        match &mut word {
            Word::Report { summary: text, .. } | Word::Note { text } => {
                clean::text(text, self.redact.as_ref())
            }
        }
        seat.input(Input::Told { word: word.clone() }).await?;
        Ok(Ok(self.said(seat, word)))
    }

    fn may_say(&self, ask: &Ask) -> Result<(), Refusal> {
        let (said, most, what) = match ask {
            Ask::Context | Ask::Compare { .. } | Ask::Question(_) | Ask::Inbox | Ask::Acknowledge(_) => {
                return Ok(());
            }
            Ask::Say(Word::Note { .. }) => (self.notes, MAX_NOTES, "notes"),
            Ask::Say(Word::Report { .. }) => (self.reports, MAX_REPORTS, "reports"),
        };
        if said < most { Ok(()) } else { Err(Refusal::Enough { what, most }) }
    }

    fn said(&mut self, seat: &Seat<'_>, word: Word) -> Told {
        match word {
            Word::Note { .. } => {
                self.notes += 1;
                Told::Noted { recorded: true, left: MAX_NOTES - self.notes }
            }
            Word::Report { status, summary } => {
                self.reports += 1;
                Told::Report(Box::new(desk::standing(&seat.job, (status, summary), self.opened)))
            }
        }
    }
}

/// A call that waits for its answer.
pub(crate) struct Call(Request);
