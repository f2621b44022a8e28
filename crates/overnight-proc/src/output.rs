//! Short commands of our own (git): output in memory, no files. Owns the bytes up to a cap.

use overnight_core::command::{CommandSpec, ExitReport, Stream};
use tokio_util::sync::CancellationToken;

use crate::drive::{Reply, Run, Sink};
use crate::error::SpawnError;
use crate::spawn::{best_namespace, start};

/// Bytes of each stream that [`output`] is meant to keep: more than any listing git gives for a repository we can handle.
pub const DEFAULT_OUTPUT_BYTES: usize = 64 << 20;

/// What a short command wrote and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub report: ExitReport,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// A stream was longer than the cap; `report.dropped_bytes` says by how much.
    pub truncated: bool,
}

/// Runs a command to its end and keeps up to `cap` bytes of each stream in memory. Its limits hold; dropping the future
/// kills it. Nothing is logged or redacted.
///
/// # Errors
/// See [`SpawnError`]; a program that ran and failed is not an error.
///
/// # Panics
/// Outside a tokio runtime with IO and time enabled.
pub async fn output(spec: &CommandSpec, cap: usize) -> Result<Output, SpawnError> {
    let run = Box::new(Run::new(start(best_namespace(spec), spec, None, None)?, spec));
    let mut kept = Collected { cap, stdout: Vec::new(), stderr: Vec::new(), dropped: 0 };
    let mut report = Box::pin(run.carry_out(&mut kept, &CancellationToken::new())).await;
    report.dropped_bytes = kept.dropped;
    let Collected { stdout, stderr, dropped, .. } = kept;
    Ok(Output { report, stdout, stderr, truncated: dropped > 0 })
}

struct Collected {
    cap: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    dropped: u64,
}

impl Sink for Collected {
    fn take(&mut self, stream: Stream, chunk: &[u8]) -> Reply {
        let kept = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let room = self.cap.saturating_sub(kept.len()).min(chunk.len());
        let (fits, rest) = chunk.split_at(room);
        kept.extend_from_slice(fits);
        self.dropped += rest.len() as u64;
        Reply::default()
    }
}
