//! What goes into a program's stdin. Owns the bytes that were not taken yet. A program that closes its input or never
//! reads is no error.

use std::future;

use overnight_core::command::Stdin;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

#[derive(Debug)]
pub(crate) struct Feed {
    pipe: Option<Sender>,
    waiting: Vec<u8>,
    /// How many of `waiting` were written.
    taken: usize,
    close_when_empty: bool,
}

impl Feed {
    /// `given`: how many of the bytes the program has already.
    pub(crate) fn new(pipe: Option<Sender>, stdin: &Stdin, given: usize) -> Self {
        let (waiting, close_when_empty) = match stdin {
            Stdin::Null => (Vec::new(), true),
            Stdin::Bytes(bytes) => (bytes.get(given..).unwrap_or_default().to_vec(), true),
            Stdin::Driven => (Vec::new(), false),
        };
        let mut feed = Self { pipe, waiting, taken: 0, close_when_empty };
        feed.settle();
        feed
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        if self.pipe.is_some() {
            self.waiting.extend_from_slice(bytes);
        }
    }

    /// End of file after what is waiting.
    pub(crate) fn close(&mut self) {
        self.close_when_empty = true;
        self.settle();
    }

    /// Writes the next stretch. Never ready when there is nothing to write; cancelling it loses nothing.
    pub(crate) async fn pump(&mut self) {
        let left = self.waiting.get(self.taken..).unwrap_or_default();
        let Some(pipe) = self.pipe.as_ref().filter(|_| !left.is_empty()) else {
            return future::pending().await;
        };
        if pipe.ready(Interest::WRITABLE).await.is_err() {
            self.pipe = None;
            return;
        }
        match pipe.try_write(left) {
            Ok(count) => self.taken += count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            // Mostly EPIPE: nobody reads any more.
            Err(_) => self.pipe = None,
        }
        self.settle();
    }

    fn settle(&mut self) {
        if self.taken == self.waiting.len() {
            self.waiting = Vec::new();
            self.taken = 0;
            if self.close_when_empty {
                self.pipe = None;
            }
        }
    }
}
