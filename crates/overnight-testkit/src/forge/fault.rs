//! What a forge can be told to do wrong, and when.
//!
//! Owns the queue of scripted faults. Must not know how a fault is carried out.

use std::time::Duration;

/// The kind of request that a fault waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum On {
    ListPullRequests,
    CreatePullRequest,
    /// Its title or text, and whether it is a draft.
    ChangePullRequest,
    GetPullRequest,
    GetRepository,
    GetAccount,
    /// Either request of a clone or fetch.
    GitFetch,
    /// Either request of a push.
    GitPush,
}

/// One thing that goes wrong, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends without an answer and nothing was done.
    DropBeforeCommit,
    /// It was done, and the connection ends without an answer.
    CommitThenDropReply,
    /// It was done, and the connection ends after this many bytes of the answer.
    CommitThenCutReply(usize),
    /// It was done, and the answer is this status with the forge's usual error body.
    CommitThenStatus(u16),
    /// It was done, and the answer comes after this time.
    CommitThenSlow(Duration),
    /// It was done, and there is never an answer.
    CommitThenHang,
    /// It was done, and the answer is cut JSON in a complete HTTP message.
    CommitThenMalformedJson,
    /// It was done, and the answer is JSON of another shape.
    CommitThenWrongShape,
    /// Nothing was done; this status with the forge's usual error body.
    Status(u16),
    /// Nothing was done; this status, whose message repeats the request's `Authorization` header.
    EchoAuthorization(u16),
    /// 429 with `Retry-After` in seconds.
    TooManyRequests(u64),
    /// 403 with `x-ratelimit-remaining: 0` and a reset so many seconds from now, as GitHub's hourly limit.
    PrimaryLimit(u64),
    /// 403 that tells by its text alone, as GitHub's limit on bursts.
    SecondaryLimit,
    /// 307 to the same path below this origin (`http://127.0.0.1:1234`).
    RedirectTo(String),
    /// 422 or 409 "already exists", although nothing does.
    FalseDuplicate,
}

impl Fault {
    /// Whether the request takes effect in spite of the fault.
    pub(super) fn commits(&self) -> bool {
        match self {
            Self::CommitThenDropReply
            | Self::CommitThenCutReply(_)
            | Self::CommitThenStatus(_)
            | Self::CommitThenSlow(_)
            | Self::CommitThenHang
            | Self::CommitThenMalformedJson
            | Self::CommitThenWrongShape => true,
            Self::DropBeforeCommit
            | Self::Status(_)
            | Self::EchoAuthorization(_)
            | Self::TooManyRequests(_)
            | Self::PrimaryLimit(_)
            | Self::SecondaryLimit
            | Self::RedirectTo(_)
            | Self::FalseDuplicate => false,
        }
    }
}

/// Faults that still wait for their request, first in first out per kind.
#[derive(Debug, Default)]
pub(super) struct FaultQueue(Vec<(On, Fault)>);

impl FaultQueue {
    pub(super) fn add(&mut self, on: On, fault: Fault) {
        self.0.push((on, fault));
    }

    pub(super) fn take(&mut self, on: On) -> Option<Fault> {
        let place = self.0.iter().position(|(waits_for, _)| *waits_for == on)?;
        Some(self.0.remove(place).1)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
