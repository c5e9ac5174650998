//! Where log lines go: to standard error, off the path of requests.
//!
//! A line of a warning or an error is written before the program goes on. All others wait for a thread that writes them
//! many at a time. When standard error does not keep up with them, those that find no room are dropped and counted, so
//! that a terminal or a collector that reads the log slowly never holds up a request.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, OnceLock};

use tracing::Level;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::MakeWriterExt as _;

/// How many lines wait at most. A line of a request has some 200 bytes.
const ROOM: usize = 8_192;

/// Sees to it that all lines are written before the program ends.
#[must_use = "lines are lost that still wait when it is dropped"]
pub struct Lines(#[expect(dead_code, reason = "what counts is when it is dropped")] WorkerGuard);

/// What writes log lines.
pub(super) fn begin() -> (impl for<'w> MakeWriter<'w> + Send + Sync + 'static, Lines) {
    let (queue, lines) = queue(io::stderr(), ROOM);
    (io::stderr.with_max_level(Level::WARN).or_else(queue), lines)
}

fn queue(to: impl Write + Send + 'static, room: usize) -> (NonBlocking, Lines) {
    let dropped = Arc::new(OnceLock::new());
    let (queue, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(room)
        .lossy(true)
        .thread_name("log")
        .finish(Waiting {
            to: BufWriter::new(to),
            dropped: Arc::clone(&dropped),
            told: 0,
        });
    let _ = dropped.set(queue.error_counter());
    (queue, Lines(guard))
}

/// Lines that have waited. The thread flushes when no more do.
struct Waiting<W: Write> {
    to: BufWriter<W>,
    dropped: Arc<OnceLock<ErrorCounter>>,
    /// Of how many dropped lines the log tells already.
    told: usize,
}

impl<W: Write> Write for Waiting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()?;
        let dropped = self.dropped.get().map_or(0, ErrorCounter::dropped_lines);
        if dropped > self.told {
            let lines = dropped - self.told;
            self.told = dropped;
            tracing::warn!(
                lines,
                "log lines were dropped: standard error did not take them in time"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use tracing_subscriber::fmt::MakeWriter as _;

    use super::*;

    /// Takes nothing until it is told to.
    struct Slow {
        written: Arc<Mutex<Vec<u8>>>,
        asked: Sender<()>,
        go_on: Receiver<()>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.asked.send(());
            let _ = self.go_on.recv();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn who_reads_the_log_holds_up_nobody_and_is_told_what_was_dropped() {
        let (asked, is_asked) = channel();
        let (go_on, may_go_on) = channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let to = Slow {
            written: Arc::clone(&written),
            asked,
            go_on: may_go_on,
        };
        let (queue, lines) = queue(to, 4);
        let write = |line: &str| queue.make_writer().write_all(line.as_bytes()).unwrap();
        write("first\n");
        // It is being written now, and four more wait.
        is_asked.recv().unwrap();
        for _ in 0..10 {
            write("more\n");
        }
        assert_eq!(queue.error_counter().dropped_lines(), 6);
        drop(go_on);
        drop(lines);
        assert_eq!(
            String::from_utf8(written.lock().unwrap().clone()).unwrap(),
            format!("first\n{}", "more\n".repeat(4))
        );
    }
}
