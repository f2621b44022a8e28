//! What runs after fork: keeper, init, and the program up to its exec. Owns the protocol with the runner. Everything in
//! here makes async-signal-safe system calls on memory that was laid out before the fork: it must not allocate, lock,
//! log, panic or return.

pub(crate) mod capability;
pub(crate) mod keeper;
pub(crate) mod mounts;
pub(crate) mod program;
pub(crate) mod sys;
pub(crate) mod tree;

use sys::{Errno, Fd};

/// How far the chain had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Step {
    Keeper = 1,
    Namespace = 2,
    UserMap = 3,
    PrivateMounts = 4,
    Guard = 5,
    Proc = 6,
    Fork = 7,
    Chdir = 8,
    Exec = 9,
}

impl Step {
    pub(crate) const ALL: [Self; 9] = [
        Self::Keeper,
        Self::Namespace,
        Self::UserMap,
        Self::PrivateMounts,
        Self::Guard,
        Self::Proc,
        Self::Fork,
        Self::Chdir,
        Self::Exec,
    ];
}

/// Where the chain failed: `index` is the entry of the file guard for [`Step::Guard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) step: Step,
    pub(crate) index: u16,
    pub(crate) errno: Errno,
}

impl Failure {
    pub(crate) const fn at(step: Step, errno: Errno) -> Self {
        Self { step, index: 0, errno }
    }
}

/// Bytes of every message on the setup pipe and of every message on the report pipe: far below `PIPE_BUF`, so that
/// each arrives whole.
pub(crate) const MESSAGE_BYTES: usize = 16;

/// On the setup pipe. End of file after `Ready` alone means that the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetupMessage {
    Ready,
    Failed(Failure),
}

impl SetupMessage {
    fn encode(self) -> [u8; MESSAGE_BYTES] {
        match self {
            Self::Ready => message(1, 0, 0, 0, 0),
            Self::Failed(failure) => message(2, failure.step as u8, failure.index, failure.errno, 0),
        }
    }

    pub(crate) fn decode(bytes: [u8; MESSAGE_BYTES]) -> Option<Self> {
        let (kind, sub, index, value, _) = parts(bytes);
        match kind {
            1 => Some(Self::Ready),
            2 => {
                let step = Step::ALL.into_iter().find(|step| *step as u8 == sub)?;
                Some(Self::Failed(Failure { step, index, errno: value }))
            }
            _ => None,
        }
    }

    pub(crate) fn send(self, fd: Fd) {
        sys::write_all(fd, &self.encode());
    }
}

/// On the report pipe. Its end of file without `Gone` means that somebody killed the keeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportMessage {
    /// The program ended with this raw wait status.
    Ended { status: i32 },
    /// Other processes were left and had to be ended.
    Left,
    /// The last one: most memory that one process held.
    Gone { peak_rss_kib: u64 },
}

impl ReportMessage {
    fn encode(self) -> [u8; MESSAGE_BYTES] {
        match self {
            Self::Ended { status } => message(1, 0, 0, status, 0),
            Self::Left => message(2, 0, 0, 0, 0),
            Self::Gone { peak_rss_kib } => message(3, 0, 0, 0, peak_rss_kib),
        }
    }

    pub(crate) fn decode(bytes: [u8; MESSAGE_BYTES]) -> Option<Self> {
        let (kind, _, _, status, peak_rss_kib) = parts(bytes);
        match kind {
            1 => Some(Self::Ended { status }),
            2 => Some(Self::Left),
            3 => Some(Self::Gone { peak_rss_kib }),
            _ => None,
        }
    }

    pub(crate) fn send(self, fd: Fd) {
        sys::write_all(fd, &self.encode());
    }
}

fn message(kind: u8, sub: u8, index: u16, value: i32, large: u64) -> [u8; MESSAGE_BYTES] {
    let [i0, i1] = index.to_le_bytes();
    let [v0, v1, v2, v3] = value.to_le_bytes();
    let [l0, l1, l2, l3, l4, l5, l6, l7] = large.to_le_bytes();
    [kind, sub, i0, i1, v0, v1, v2, v3, l0, l1, l2, l3, l4, l5, l6, l7]
}

fn parts(bytes: [u8; MESSAGE_BYTES]) -> (u8, u8, u16, i32, u64) {
    let [kind, sub, i0, i1, v0, v1, v2, v3, l0, l1, l2, l3, l4, l5, l6, l7] = bytes;
    (
        kind,
        sub,
        u16::from_le_bytes([i0, i1]),
        i32::from_le_bytes([v0, v1, v2, v3]),
        u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]),
    )
}

/// An order on the lifeline, and on the pipe from the keeper to init.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Order {
    /// TERM to the program's process group.
    Terminate = b'T',
    /// KILL to everything.
    Kill = b'K',
    /// Everything was read: the keeper may leave.
    Done = b'D',
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_pipe() {
        for step in Step::ALL {
            let sent = SetupMessage::Failed(Failure { step, index: 513, errno: -7 });
            assert_eq!(SetupMessage::decode(sent.encode()), Some(sent));
        }
        assert_eq!(SetupMessage::decode([0; MESSAGE_BYTES]), None);
        for sent in [
            ReportMessage::Ended { status: 0x0300 },
            ReportMessage::Left,
            ReportMessage::Gone { peak_rss_kib: u64::MAX },
        ] {
            assert_eq!(ReportMessage::decode(sent.encode()), Some(sent));
        }
    }
}
