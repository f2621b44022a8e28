//! Moves the bytes of one running tree and carries out what the watch decides. Owns the runner's ends of the pipes for the
//! life of the command.

use std::future;
use std::time::{Duration, Instant};

use overnight_core::command::{CommandSpec, Exit, ExitReport, Limits, ProcessIdentity, StopReason, Stream};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use crate::child::{MESSAGE_BYTES, Order, ReportMessage};
use crate::cpu;
use crate::feed::Feed;
use crate::launch::Keeper;
use crate::lines::{End, LineSplitter};
use crate::log::BoundedLog;
use crate::spawn::Started;
use crate::watch::Watch;

/// One line of output as the program wrote it: not redacted, without its line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub stream: Stream,
    pub bytes: &'a [u8],
    /// The line was longer than `limits.line_bytes`: these are its first bytes, the rest is only in the log.
    pub cut: bool,
}

/// What a handler wants done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// Bytes for the program's stdin, in order after those that are still waiting.
    pub stdin: Vec<u8>,
    /// End of file on stdin once everything is written.
    pub close_stdin: bool,
    /// The turn is finished: the program may take this long to leave by itself, then it is stopped.
    pub finish_within: Option<Duration>,
    /// Stop the program now.
    pub stop: bool,
}

/// Sees every line while the command runs. Must not block.
pub trait LineHandler {
    fn on_line(&mut self, line: Line<'_>) -> Reply;
}

impl<F: FnMut(Line<'_>) -> Reply> LineHandler for F {
    fn on_line(&mut self, line: Line<'_>) -> Reply {
        self(line)
    }
}

/// A command whose program runs. Dropping it (also in the middle of [`Running::drive`]) kills the tree.
#[derive(Debug)]
pub struct Running {
    run: Run,
    logs: [BoundedLog; 2],
    line_bytes: usize,
}

impl Running {
    pub(crate) fn new(started: Started, spec: &CommandSpec, logs: [BoundedLog; 2]) -> Self {
        Self { run: Run::new(started, spec), logs, line_bytes: spec.limits.line_bytes }
    }

    /// For finding the tree again after a crash of the runner: to be stored before the first line is handled.
    #[must_use]
    pub fn identity(&self) -> &ProcessIdentity {
        &self.run.identity
    }

    /// Runs the command to its end: output to the logs and the handler, replies to stdin, limits enforced, nothing left
    /// behind. Cancelling `stop` begins the ladder (TERM, grace, KILL) and the report still comes.
    pub async fn drive(self, handler: &mut impl LineHandler, stop: &CancellationToken) -> ExitReport {
        let [out, err] = self.logs;
        let splitter = || LineSplitter::new(self.line_bytes);
        let mut sink = LineSink {
            handler,
            channels: [
                Channel { stream: Stream::Stdout, splitter: splitter(), log: out },
                Channel { stream: Stream::Stderr, splitter: splitter(), log: err },
            ],
        };
        let mut report = self.run.carry_out(&mut sink, stop).await;
        report.dropped_bytes = sink.channels.iter().map(|channel| channel.log.dropped()).sum();
        report
    }
}

/// Where the bytes of a run go.
pub(crate) trait Sink {
    /// A chunk of a stream; an empty one is its end, and comes exactly once.
    fn take(&mut self, stream: Stream, chunk: &[u8]) -> Reply;
}

struct Channel {
    stream: Stream,
    splitter: LineSplitter,
    log: BoundedLog,
}

struct LineSink<'a, H> {
    handler: &'a mut H,
    channels: [Channel; 2],
}

impl<H: LineHandler> Sink for LineSink<'_, H> {
    fn take(&mut self, stream: Stream, chunk: &[u8]) -> Reply {
        let [out, err] = &mut self.channels;
        let channel = match stream {
            Stream::Stdout => out,
            Stream::Stderr => err,
        };
        let Channel { stream, splitter, log } = channel;
        let mut total = Reply::default();
        let mut piece = |piece: crate::lines::Piece<'_>| {
            log.take(&piece);
            if piece.first {
                let line = Line { stream: *stream, bytes: piece.bytes, cut: piece.end == End::Cut };
                total.merge(self.handler.on_line(line));
            }
        };
        if chunk.is_empty() {
            splitter.finish(&mut piece)
        } else {
            splitter.push(chunk, &mut piece)
        }
        log.flush();
        total
    }
}

impl Reply {
    pub(crate) fn merge(&mut self, other: Self) {
        self.stdin.extend(other.stdin);
        self.close_stdin |= other.close_stdin;
        self.stop |= other.stop;
        self.finish_within = match (self.finish_within, other.finish_within) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
    }
}

/// Bytes per read: what a pipe holds.
const CHUNK: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Run {
    keeper: Keeper,
    identity: ProcessIdentity,
    pipes: Pipes,
    feed: Feed,
    watch: Watch,
    news: News,
    /// What is to be said at a time of its own; `None`: nothing, or nothing more.
    asides: Option<UnboundedReceiver<Reply>>,
    started: Instant,
}

#[derive(Debug)]
struct Pipes {
    stdout: Option<Receiver>,
    stderr: Option<Receiver>,
    report: Option<Receiver>,
}

/// What the supervisor told us.
#[derive(Debug, Default)]
struct News {
    status: Option<i32>,
    left: bool,
    peak_rss_kib: Option<u64>,
    killed: bool,
}

enum Happened {
    Output(Stream, usize),
    Report(Option<ReportMessage>),
    Fed,
    Aside(Option<Reply>),
    Asked,
    Time,
}

impl Run {
    pub(crate) fn new(started: Started, spec: &CommandSpec) -> Self {
        let limits: &Limits = &spec.limits;
        Self {
            keeper: started.keeper,
            identity: started.identity,
            pipes: Pipes {
                stdout: Some(started.stdout),
                stderr: Some(started.stderr),
                report: Some(started.report),
            },
            feed: Feed::new(started.stdin, &spec.stdin, started.given),
            watch: Watch::new(limits, started.at),
            news: News::default(),
            asides: None,
            started: started.at,
        }
    }

    pub(crate) fn with_asides(mut self, asides: UnboundedReceiver<Reply>) -> Self {
        self.asides = Some(asides);
        self
    }

    pub(crate) async fn carry_out(mut self, sink: &mut impl Sink, stop: &CancellationToken) -> ExitReport {
        let mut buffers = [vec![0_u8; CHUNK], vec![0_u8; CHUNK]];
        let mut asked = false;
        while !self.watch.is_over(self.pipes.open(), Instant::now()) {
            let happened = self.next(&mut buffers, stop, asked).await;
            let now = Instant::now();
            match happened {
                Happened::Output(stream, count) => {
                    let [out, err] = &buffers;
                    let buffer = match stream {
                        Stream::Stdout => out,
                        Stream::Stderr => err,
                    };
                    if count == 0 {
                        self.pipes.close(stream);
                    } else {
                        self.watch.heard(now);
                    }
                    let reply = sink.take(stream, buffer.get(..count).unwrap_or_default());
                    self.answer(&reply, now);
                }
                Happened::Report(message) => self.note(message, now),
                Happened::Fed => {}
                Happened::Aside(Some(reply)) => self.answer(&reply, now),
                Happened::Aside(None) => self.asides = None,
                Happened::Asked => {
                    asked = true;
                    let order = self.watch.stop(StopReason::Asked, now);
                    self.give(order);
                }
                Happened::Time => {
                    if self.watch.look_due(now) {
                        self.watch.looked(cpu::tree_time(self.identity.pid), now);
                    }
                    let order = self.watch.due(now);
                    self.give(order);
                }
            }
        }
        self.close_rest(sink);
        self.finish()
    }

    async fn next(&mut self, buffers: &mut [Vec<u8>; 2], stop: &CancellationToken, asked: bool) -> Happened {
        let [out, err] = buffers;
        let Pipes { stdout, stderr, report } = &mut self.pipes;
        let timer = self.watch.next();
        tokio::select! {
            count = read(stdout, out) => Happened::Output(Stream::Stdout, count),
            count = read(stderr, err) => Happened::Output(Stream::Stderr, count),
            message = read_report(report) => Happened::Report(message),
            () = self.feed.pump() => Happened::Fed,
            reply = aside(&mut self.asides) => Happened::Aside(reply),
            () = stop.cancelled(), if !asked => Happened::Asked,
            () = wait_until(timer) => Happened::Time,
        }
    }

    fn answer(&mut self, reply: &Reply, now: Instant) {
        self.feed.add(&reply.stdin);
        if reply.close_stdin {
            self.feed.close();
        }
        if let Some(span) = reply.finish_within {
            self.watch.finish_within(span, now);
        }
        if reply.stop {
            let order = self.watch.stop(StopReason::Driver, now);
            self.give(order);
        }
    }

    fn give(&mut self, order: Option<Order>) {
        if let Some(order) = order {
            self.news.killed |= order == Order::Kill;
            self.keeper.order(order);
        }
    }

    fn note(&mut self, message: Option<ReportMessage>, now: Instant) {
        match message {
            Some(ReportMessage::Ended { status }) => {
                self.news.status = Some(status);
                self.watch.program_ended(now);
            }
            Some(ReportMessage::Left) => self.news.left = true,
            Some(ReportMessage::Gone { peak_rss_kib }) => {
                self.news.peak_rss_kib = Some(peak_rss_kib).filter(|peak| *peak > 0);
                self.pipes.report = None;
                self.watch.tree_gone(now);
            }
            None => {
                self.pipes.report = None;
                self.watch.tree_gone(now);
            }
        }
    }

    /// A pipe that a stranger keeps open is not waited for; its last line still counts.
    fn close_rest(&mut self, sink: &mut impl Sink) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            if self.pipes.is_open(stream) {
                self.pipes.close(stream);
                let _ = sink.take(stream, &[]);
            }
        }
    }

    fn finish(mut self) -> ExitReport {
        self.keeper.order(Order::Done);
        if !self.watch.abandoned() {
            self.keeper.reap();
        }
        let exit = match self.news.status {
            Some(status) if libc::WIFSIGNALED(status) => Exit::Signal(libc::WTERMSIG(status)),
            Some(status) => Exit::Code(libc::WEXITSTATUS(status)),
            None if self.news.killed => Exit::Signal(libc::SIGKILL),
            None => Exit::Unknown,
        };
        ExitReport {
            exit,
            stopped: self.watch.stopped(),
            left_processes: self.news.left || self.watch.abandoned(),
            dropped_bytes: 0,
            elapsed: self.started.elapsed(),
            peak_rss_kib: self.news.peak_rss_kib,
            containment: self.identity.containment,
        }
    }
}

impl Pipes {
    fn open(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some()
    }

    fn is_open(&self, stream: Stream) -> bool {
        match stream {
            Stream::Stdout => self.stdout.is_some(),
            Stream::Stderr => self.stderr.is_some(),
        }
    }

    fn close(&mut self, stream: Stream) {
        match stream {
            Stream::Stdout => self.stdout = None,
            Stream::Stderr => self.stderr = None,
        }
    }
}

/// An error on a pipe of our own can only mean its end.
async fn read(pipe: &mut Option<Receiver>, buffer: &mut [u8]) -> usize {
    match pipe {
        Some(pipe) => pipe.read(buffer).await.unwrap_or(0),
        None => future::pending().await,
    }
}

async fn aside(asides: &mut Option<UnboundedReceiver<Reply>>) -> Option<Reply> {
    match asides {
        Some(asides) => asides.recv().await,
        None => future::pending().await,
    }
}

async fn read_report(pipe: &mut Option<Receiver>) -> Option<ReportMessage> {
    let Some(pipe) = pipe else { return future::pending().await };
    let mut message = [0_u8; MESSAGE_BYTES];
    // Messages arrive whole, so one read takes one message and nothing is lost when it is cancelled.
    match pipe.read(&mut message).await {
        Ok(MESSAGE_BYTES) => ReportMessage::decode(message),
        Ok(_) | Err(_) => None,
    }
}

async fn wait_until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at.into()).await,
        None => future::pending().await,
    }
}
