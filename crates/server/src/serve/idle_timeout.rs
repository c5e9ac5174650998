//! What a connection does, and when it has done nothing for too long.
//!
//! hyper gives a client so long for the head of a request, once it knows which version of HTTP it speaks, and answers
//! pings for as long as they come. So what counts here is requests: a connection without an open one is idle, whatever
//! else moves on it, and a request that is neither answered nor taken in time ends its connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may take to send the head of a request; of the first one, from when it connected.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a connection may be without an open request.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a connection with open requests is looked at.
const TICK: Duration = Duration::from_secs(15);
/// For how many ticks it is remembered when a request began. After them, which is 90 to 105 seconds, it is overdue: a
/// request takes a minute at most, and then its answer has to be taken. The first tick is one later.
const GENERATIONS: usize = 7;
/// After how many ticks in a row without a byte in either direction a connection is given up; 75 seconds.
const STILL_TICKS: u32 = 5;
/// How long what a client still sends is read and thrown away after the last answer, and how much of it. A connection
/// that is closed before it was read to its end may take the answer with it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// How long an answer may be on its way before the client has it.
pub(super) const AFTERGLOW: Duration = Duration::from_secs(1);

/// How a connection should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// At once.
    Close(&'static str),
    /// After what is under way, and after telling the client.
    Finish(&'static str),
    /// The same, but without waiting for what the client still owes: another connection needs its place.
    Leave(&'static str),
}

/// For how long a connection may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// As long as its client goes on asking.
    Open,
    /// So long, unless it shows a good credential by then.
    Probation(Duration),
}

/// What is known of a connection that others work with.
#[derive(Debug)]
pub(super) struct Activity {
    accepted: Instant,
    /// A whole head of a request came.
    asked: AtomicBool,
    /// A request with a good credential came.
    proven: AtomicBool,
    /// Bytes moved since the last look.
    moved: AtomicBool,
    /// The client does not take what is written.
    blocked: AtomicBool,
    /// How many requests are open, in all and by when they began.
    open: AtomicU32,
    generation: AtomicUsize,
    begun: [AtomicU32; GENERATIONS],
    /// How many of them the server works on. On the others it waits for the client: for the body, or to take the answer.
    working: AtomicU32,
    /// When there was no open request any more, and none to work on, in milliseconds since it was accepted.
    idle_since: AtomicU64,
    waiting_since: AtomicU64,
    leave: Notify,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            accepted: Instant::now(),
            asked: AtomicBool::new(false),
            proven: AtomicBool::new(false),
            moved: AtomicBool::new(false),
            blocked: AtomicBool::new(false),
            open: AtomicU32::new(0),
            generation: AtomicUsize::new(0),
            begun: std::array::from_fn(|_| AtomicU32::new(0)),
            working: AtomicU32::new(0),
            idle_since: AtomicU64::new(0),
            waiting_since: AtomicU64::new(0),
            leave: Notify::new(),
        }
    }

    /// Notes that a request came; it is open until what this gives is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> OpenRequest {
        raise(&self.asked);
        let generation = self.generation.load(Ordering::Relaxed) % GENERATIONS;
        self.open.fetch_add(1, Ordering::Relaxed);
        self.working.fetch_add(1, Ordering::Relaxed);
        if let Some(begun) = self.begun.get(generation) {
            begun.fetch_add(1, Ordering::Relaxed);
        }
        OpenRequest {
            activity: self.clone(),
            generation,
            is_worked_on: true,
        }
    }

    /// Notes that the server waits for the body of a request, until what this gives is dropped.
    pub(super) fn wait_for_body(self: &Arc<Self>) -> WaitForBody {
        self.wait_for_client();
        WaitForBody(self.clone())
    }

    fn wait_for_client(&self) {
        self.waiting_since.store(self.now(), Ordering::Relaxed);
        self.working.fetch_sub(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.accepted.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that a request came with a good credential.
    pub(super) fn prove(&self) {
        raise(&self.proven);
    }

    pub(super) fn is_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    /// For how long there was no open request; `None` while there is one.
    pub(super) fn idle_for(&self) -> Option<Duration> {
        let is_idle = self.open.load(Ordering::Relaxed) == 0;
        is_idle.then(|| self.since(&self.idle_since))
    }

    /// For how long the server has had nothing to do but to wait for the client; `None` while it works on a request.
    pub(super) fn waits_for(&self) -> Option<Duration> {
        let is_waiting = self.working.load(Ordering::Relaxed) == 0;
        is_waiting.then(|| self.since(&self.waiting_since))
    }

    fn since(&self, moment: &AtomicU64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(moment.load(Ordering::Relaxed)))
    }

    /// Asks the connection to end: after what the server works on, and at once if it has waited for the client.
    pub(super) fn ask_to_leave(&self) {
        self.leave.notify_one();
    }

    /// Waits until the connection is asked to end.
    pub(super) async fn is_asked_to_leave(&self) {
        self.leave.notified().await;
    }

    /// Whether only the client keeps it, and had the time to take what was answered last.
    pub(super) fn is_over(&self) -> bool {
        self.waits_for().is_some_and(|wait| wait >= AFTERGLOW)
    }

    /// Waits until there is no use in waiting any longer.
    pub(super) async fn ends(&self, stay: Stay) -> End {
        tokio::select! {
            end = self.fails_probation(stay) => end,
            end = self.times_out() => end,
            () = self.is_asked_to_leave() => {
                if self.is_over() || !self.asked.load(Ordering::Relaxed) {
                    End::Close("another one needs its place")
                } else {
                    End::Leave("another one needs its place")
                }
            }
        }
    }

    /// Waits until a connection had its time to show a good credential, did not, and the server does not work on a request
    /// that could have one.
    async fn fails_probation(&self, stay: Stay) -> End {
        if let Stay::Probation(time) = stay {
            sleep(time).await;
            while !self.is_proven() {
                if self.is_over() || !self.asked.load(Ordering::Relaxed) {
                    return End::Close("it showed no good credential");
                }
                let wait = self.waits_for().unwrap_or_default();
                sleep(AFTERGLOW.saturating_sub(wait)).await;
            }
        }
        std::future::pending().await
    }

    async fn times_out(&self) -> End {
        sleep(HEAD_TIMEOUT).await;
        if !self.asked.load(Ordering::Relaxed) {
            return End::Close("it asked for nothing");
        }
        let mut still = 0;
        let mut seen = Instant::now();
        loop {
            // Once a tick, and not whenever an idle one is looked at in between.
            if seen.elapsed() >= TICK {
                seen = Instant::now();
                still = if self.moved.swap(false, Ordering::Relaxed) {
                    0
                } else {
                    still + 1
                };
                if still >= STILL_TICKS {
                    return End::Close("it stands still");
                }
                if self.has_overdue() {
                    return End::Close("a request takes too long");
                }
            }
            match self.idle_for() {
                // What is written and not taken yet is the end of an answer.
                Some(idle) if !self.blocked.load(Ordering::Relaxed) => {
                    if idle >= IDLE_TIMEOUT {
                        return End::Finish("it is idle");
                    }
                    sleep(IDLE_TIMEOUT.saturating_sub(idle)).await;
                }
                _ => sleep(TICK.saturating_sub(seen.elapsed())).await,
            }
        }
    }

    /// Moves on by one tick, and tells whether a request is there that began all the others ago.
    fn has_overdue(&self) -> bool {
        let next = (self.generation.load(Ordering::Relaxed) + 1) % GENERATIONS;
        // Those of a whole round ago would be taken for new ones.
        let oldest = self.begun.get(next).map(|begun| begun.load(Ordering::Relaxed));
        self.generation.store(next, Ordering::Relaxed);
        oldest.is_some_and(|open| open > 0)
    }
}

fn raise(flag: &AtomicBool) {
    // A look before a write keeps the line of memory where it is.
    if !flag.load(Ordering::Relaxed) {
        flag.store(true, Ordering::Relaxed);
    }
}

fn lower(flag: &AtomicBool) {
    if flag.load(Ordering::Relaxed) {
        flag.store(false, Ordering::Relaxed);
    }
}

/// A request that was not answered to its end yet.
#[derive(Debug)]
pub(super) struct OpenRequest {
    activity: Arc<Activity>,
    generation: usize,
    is_worked_on: bool,
}

impl OpenRequest {
    /// Notes that the answer is there, and waits for the client to take it.
    pub(super) fn answered(mut self) -> Self {
        self.is_worked_on = false;
        self.activity.wait_for_client();
        self
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        if self.is_worked_on {
            self.activity.wait_for_client();
        }
        if let Some(begun) = self.activity.begun.get(self.generation) {
            begun.fetch_sub(1, Ordering::Relaxed);
        }
        let now = self.activity.now();
        self.activity.idle_since.store(now, Ordering::Relaxed);
        self.activity.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request whose body has not arrived yet.
#[derive(Debug)]
pub struct WaitForBody(Arc<Activity>);

impl Drop for WaitForBody {
    fn drop(&mut self) {
        self.0.working.fetch_add(1, Ordering::Relaxed);
    }
}

/// A stream that notes when bytes move, and reads what is left before it closes.
#[derive(Debug)]
pub(super) struct ActivityStream<S> {
    stream: S,
    activity: Arc<Activity>,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<S> ActivityStream<S> {
    pub(super) const fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            activity,
            linger: None,
        }
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => raise(&self.activity.blocked),
            Poll::Ready(Ok(count)) if count > 0 => {
                lower(&self.activity.blocked);
                raise(&self.activity.moved);
            }
            Poll::Ready(_) => {}
        }
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ActivityStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            raise(&self.activity.moved);
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ActivityStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        let (timer, left) = this
            .linger
            .get_or_insert_with(|| (Box::pin(sleep(LINGER)), LINGER_BYTES));
        let mut waste = [0; 2048];
        while *left > 0 && timer.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut waste);
            match ready!(Pin::new(&mut this.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => *left = left.saturating_sub(buffer.filled().len()),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
