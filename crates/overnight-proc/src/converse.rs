//! A talk with a program of which nothing is kept: lines out as they come, bytes in whenever there is something to say. For
//! helpers that themselves run inside a containment.

use overnight_core::command::{CommandSpec, ExitReport, Stream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use crate::drive::{Line, LineHandler, Reply, Run, Sink};
use crate::error::SpawnError;
use crate::lines::{End, LineSplitter, Piece};
use crate::spawn::{best_namespace, start};

/// Runs a command to its end. `handler` sees every line and answers at once; what is to be said at another time comes through
/// `asides`. Its limits hold, cancelling `stop` begins the ladder (TERM, grace, KILL), and dropping the future kills it.
/// Nothing is logged or redacted.
///
/// # Errors
/// See [`SpawnError`]; a program that ran and failed is not an error.
///
/// # Panics
/// Outside a tokio runtime with IO and time enabled.
pub async fn converse(
    spec: &CommandSpec,
    handler: &mut impl LineHandler,
    asides: UnboundedReceiver<Reply>,
    stop: &CancellationToken,
) -> Result<ExitReport, SpawnError> {
    let run = Run::new(start(best_namespace(spec), spec, None, None)?, spec).with_asides(asides);
    let splitter = || LineSplitter::new(spec.limits.line_bytes);
    let mut sink = Lines { handler, stdout: splitter(), stderr: splitter() };
    Ok(Box::pin(run.carry_out(&mut sink, stop)).await)
}

struct Lines<'a, H> {
    handler: &'a mut H,
    stdout: LineSplitter,
    stderr: LineSplitter,
}

impl<H: LineHandler> Sink for Lines<'_, H> {
    fn take(&mut self, stream: Stream, chunk: &[u8]) -> Reply {
        let splitter = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let mut total = Reply::default();
        let mut piece = |piece: Piece<'_>| {
            if piece.first {
                let line = Line { stream, bytes: piece.bytes, cut: piece.end == End::Cut };
                total.merge(self.handler.on_line(line));
            }
        };
        if chunk.is_empty() {
            splitter.finish(&mut piece)
        } else {
            splitter.push(chunk, &mut piece)
        }
        total
    }
}
