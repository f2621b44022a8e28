//! One bounded, redacted log file. Owns the file and the count of what it did not take. Never fails: a log that cannot
//! be written loses bytes and says so, the command goes on.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::lines::{End, Piece};

/// Takes secrets out of a line before it is stored. Secrets of more than [`HELD_BACK`] bytes are found only in lines
/// shorter than the line limit.
pub trait Redact: Send + Sync {
    /// The line as it may be stored; borrowed when there is nothing to hide.
    fn redact_line<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]>;
}

/// Stores every line as it came.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRedaction;

impl Redact for NoRedaction {
    fn redact_line<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        Cow::Borrowed(line)
    }
}

/// End of a cut line that waits for its continuation, so that a secret across the cut is seen whole: longer than any token
/// we know, shorter than anything that would matter in memory.
const HELD_BACK: usize = 4096;

pub(crate) struct BoundedLog {
    sink: Sink,
    redact: Arc<dyn Redact>,
    /// Redacted end of a line that goes on.
    carry: Vec<u8>,
    /// Lines of one chunk, written together.
    batch: Vec<u8>,
}

impl std::fmt::Debug for BoundedLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundedLog").field("path", &self.sink.path).finish_non_exhaustive()
    }
}

impl BoundedLog {
    pub(crate) fn new(file: File, path: PathBuf, cap: u64, redact: Arc<dyn Redact>) -> Self {
        let sink = Sink { file, path, cap, written: 0, dropped: 0, gap: 0, full: false };
        Self { sink, redact, carry: Vec::new(), batch: Vec::new() }
    }

    pub(crate) fn take(&mut self, piece: &Piece<'_>) {
        let joined;
        let line = if self.carry.is_empty() {
            piece.bytes
        } else {
            joined = [&self.carry, piece.bytes].concat();
            &joined
        };
        let clean = self.redact.redact_line(line);
        let keep = match piece.end {
            End::Cut => HELD_BACK.min(clean.len()),
            End::Newline | End::Stream => 0,
        };
        let (done, held) = clean.split_at(clean.len() - keep);
        self.batch.extend_from_slice(done);
        if piece.end == End::Newline {
            self.batch.push(b'\n');
        }
        self.carry = held.to_vec();
    }

    /// Writes what was taken: once per chunk.
    pub(crate) fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.sink.append(&self.batch);
            self.batch.clear();
            self.batch.shrink_to(128 << 10);
        }
    }

    /// Bytes that the cap or a full disk kept out.
    pub(crate) fn dropped(&self) -> u64 {
        self.sink.dropped
    }
}

struct Sink<W = File> {
    file: W,
    path: PathBuf,
    cap: u64,
    written: u64,
    dropped: u64,
    /// Bytes lost to failed writes since the last one that worked.
    gap: u64,
    full: bool,
}

impl<W: Write> Sink<W> {
    fn append(&mut self, bytes: &[u8]) {
        if self.full {
            self.dropped += len(bytes);
            return;
        }
        if self.gap > 0 && !self.close_gap() {
            self.lose(bytes);
            return;
        }
        let room = usize::try_from(self.cap - self.written).unwrap_or(usize::MAX);
        let (kept, cut) = bytes.split_at(room.min(bytes.len()));
        self.written += len(kept);
        self.write(kept);
        if !cut.is_empty() {
            self.dropped += len(cut);
            self.full = true;
            let marker = format!("\n[overnight: the log ends here, at its limit of {} bytes]\n", self.cap);
            self.write(marker.as_bytes());
        }
    }

    /// Tries again after a failure, and says in the log what is missing.
    fn close_gap(&mut self) -> bool {
        let marker = format!("\n[overnight: {} bytes could not be written]\n", self.gap);
        let works = self.file.write_all(marker.as_bytes()).is_ok();
        if works {
            self.gap = 0;
        }
        works
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return self.lose(bytes),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if self.gap == 0 {
                        tracing::warn!(%error, path = %self.path.display(), "log lines are lost");
                    }
                    return self.lose(bytes);
                }
            }
        }
    }

    fn lose(&mut self, bytes: &[u8]) {
        self.gap += len(bytes);
        self.dropped += len(bytes);
    }
}

fn len(bytes: &[u8]) -> u64 {
    bytes.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::LineSplitter;

    /// A disk with so much room.
    struct Disk {
        room: usize,
        held: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room);
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            self.room -= count;
            self.held.extend(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_loses_bytes_counts_them_and_says_so_when_there_is_room_again() {
        let file = Disk { room: 5, held: Vec::new() };
        let mut sink =
            Sink { file, path: PathBuf::new(), cap: 1000, written: 0, dropped: 0, gap: 0, full: false };
        sink.append(b"12345678");
        sink.append(b"9");
        assert_eq!((sink.dropped, sink.gap), (4, 4));
        sink.file.room = 1000;
        sink.append(b"later\n");
        assert_eq!((sink.dropped, sink.gap), (4, 0));
        assert_eq!(
            String::from_utf8(sink.file.held).unwrap(),
            "12345\n[overnight: 4 bytes could not be written]\nlater\n"
        );
    }

    struct HideSecret;

    impl Redact for HideSecret {
        fn redact_line<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
            let text = String::from_utf8(line.to_vec()).unwrap();
            Cow::Owned(text.replace("S3CRET", "***").into_bytes())
        }
    }

    #[test]
    fn a_secret_across_the_cut_of_a_long_line_is_hidden_and_nothing_else_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let limit = 10_000;
        let text = format!("{}S3CRET{}\nnext S3CRET\nend", "a".repeat(limit - 3), "b".repeat(2 * limit));
        for chunk in [1, 7, 4096, 1 << 20] {
            let mut log =
                BoundedLog::new(File::create(&path).unwrap(), path.clone(), 1 << 20, Arc::new(HideSecret));
            let mut splitter = LineSplitter::new(limit);
            for bytes in text.as_bytes().chunks(chunk) {
                splitter.push(bytes, |piece| log.take(&piece));
                log.flush();
            }
            splitter.finish(|piece| log.take(&piece));
            log.flush();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text.replace("S3CRET", "***"));
        }
    }
}
