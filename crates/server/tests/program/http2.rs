//! HTTP/2, frame by frame, with the real program: what it allows, and what ends a connection that floods it.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{PASSWORD, Server};

/// Kinds of frames (RFC 9113 §6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
/// Flags.
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// Errors (RFC 9113 §7).
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

/// `:status 200` and `:status 431`, as they begin the head of an answer (RFC 7541).
const STATUS_200: &[u8] = &[0x88];
const STATUS_431: &[u8] = &[0x48, 0x83, 0x69, 0x90, 0xff];

#[derive(Debug, PartialEq, Eq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// The error that it tells.
    fn error(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A text as HPACK has it, plainly.
fn literal(text: &str) -> Vec<u8> {
    let mut bytes = match text.len() {
        length @ ..127 => vec![u8::try_from(length).unwrap()],
        length => {
            let (mut bytes, mut rest) = (vec![127], length - 127);
            while rest >= 128 {
                bytes.push(u8::try_from(rest % 128 + 128).unwrap());
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).unwrap());
            bytes
        }
    };
    bytes.extend(text.as_bytes());
    bytes
}

/// A header that is not to be remembered.
fn header(name: &str, value: &str) -> Vec<u8> {
    [vec![0], literal(name), literal(value)].concat()
}

/// The head of a request; 2 is `GET`, and 3 is `POST`.
fn head(method: u8, path: &str) -> Vec<u8> {
    // `:scheme` is `http`; `:path` and `:authority` are given.
    [
        vec![0x80 + method, 0x86, 0x04],
        literal(path),
        vec![0x01],
        literal("server"),
    ]
    .concat()
}

fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &head(2, path))
}

/// A request whose body is yet to come.
fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &head(3, path))
}

/// The client's end of a connection.
struct Connection(TcpStream);

impl Connection {
    /// One that has said what every client says.
    fn open(server: &Server) -> Self {
        let mut opened = Self(server.client().connect().unwrap());
        opened.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        opened.send(&frame(SETTINGS, 0, 0, &[]));
        opened
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// The next frame; `None` when the connection has ended.
    fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.take(&mut head)?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]).try_into().unwrap()];
        self.take(&mut payload)?;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
            payload,
        })
    }

    fn take(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.0.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error)
                if [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset].contains(&error.kind()) =>
            {
                None
            }
            Err(error) => panic!("the server neither answers nor ends the connection: {error}"),
        }
    }

    /// Everything up to and with the first frame of this kind.
    fn read_until(&mut self, kind: u8, flags: u8) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            let next = self.read();
            frames.push(next.unwrap_or_else(|| panic!("the connection has ended after {frames:?}")));
            let last = frames.last().unwrap();
            if last.kind == kind && last.flags & flags == flags {
                return frames;
            }
        }
    }

    /// Whether the server answers another request as it should.
    fn is_good(&mut self, stream: u32) -> bool {
        self.send(&get(stream, "/health"));
        let frames = self.read_until(DATA, END_STREAM);
        let answers = |kind| {
            frames
                .iter()
                .find(move |frame| frame.kind == kind && frame.stream == stream)
        };
        answers(HEADERS).is_some_and(|head| head.payload.starts_with(STATUS_200))
            && answers(DATA).is_some_and(|body| body.payload == b"ok")
    }
}

fn start() -> (TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    (folder, server)
}

#[test]
fn the_server_says_what_it_allows() {
    let (_folder, server) = start();
    let mut connection = Connection::open(&server);
    connection.send(&frame(PING, 0, 0, b"anything"));
    let frames = connection.read_until(PING, ACK);
    let settings = &frames[0];
    assert_eq!((settings.kind, settings.flags), (SETTINGS, 0));
    let mut allowed = BTreeMap::new();
    for setting in settings.payload.chunks(6) {
        let [a, b, value @ ..]: [u8; 6] = setting.try_into().unwrap();
        allowed.insert(u16::from_be_bytes([a, b]), u32::from_be_bytes(value));
    }
    // RFC 9113 §6.5.2: streams, the window of each, the longest frame, and the longest head.
    for (setting, expected) in [(3, 8), (4, 16 * 1024), (5, 16 * 1024), (6, 16 * 1024)] {
        assert_eq!(allowed.get(&setting), Some(&expected), "{setting}: {allowed:?}");
    }
    // All streams together have the 65,535 bytes that a connection begins with.
    assert!(
        frames.iter().all(|frame| frame.kind != WINDOW_UPDATE),
        "{frames:?}"
    );
    assert!(connection.is_good(1));
}

#[test]
fn a_stream_beside_eight_is_refused() {
    let (_folder, server) = start();
    let mut connection = Connection::open(&server);
    let body = format!("username=default&password={PASSWORD}");
    for number in 0..8 {
        connection.send(&post(2 * number + 1, "/api/v1/login"));
    }
    connection.send(&post(17, "/api/v1/login"));
    let refused = connection.read_until(RST_STREAM, 0);
    let last = refused.last().unwrap();
    assert_eq!((last.stream, last.error()), (17, REFUSED_STREAM));
    // The others are served, and one that has ended makes room.
    for number in 0..8 {
        connection.send(&frame(DATA, END_STREAM, 2 * number + 1, body.as_bytes()));
    }
    let mut answered = 0;
    while answered < 8 {
        let head = connection.read_until(HEADERS, END_HEADERS).pop().unwrap();
        assert!(head.payload.starts_with(STATUS_200), "{head:?}");
        answered += 1;
    }
    connection.send(&post(19, "/api/v1/login"));
    connection.send(&frame(DATA, END_STREAM, 19, body.as_bytes()));
    loop {
        let head = connection.read_until(HEADERS, END_HEADERS).pop().unwrap();
        if head.stream == 19 {
            assert!(head.payload.starts_with(STATUS_200), "{head:?}");
            break;
        }
    }
}

#[test]
fn a_head_of_more_than_sixteen_kibibytes_is_refused_and_the_connection_goes_on() {
    let (_folder, server) = start();
    let mut connection = Connection::open(&server);
    // A header counts with 32 bytes more than it has (RFC 9113 §6.5.2).
    for (stream, length, status) in [(1, 15_900, STATUS_200), (3, 16_400, STATUS_431)] {
        let block = [head(2, "/health"), header("x-large", &"x".repeat(length))].concat();
        let (first, rest) = block.split_at(8_000);
        connection.send(&frame(HEADERS, END_STREAM, stream, first));
        connection.send(&frame(CONTINUATION, 0, stream, &rest[..4_000]));
        connection.send(&frame(CONTINUATION, END_HEADERS, stream, &rest[4_000..]));
        let answer = connection.read_until(HEADERS, END_HEADERS).pop().unwrap();
        assert_eq!(answer.stream, stream);
        assert!(answer.payload.starts_with(status), "{length}: {answer:?}");
    }
    assert!(connection.is_good(5));
}

/// Sends all of this, while somebody else is served, and gives the frame with which the server ends the connection.
fn flood(server: &Server, bytes: &[u8]) -> Frame {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut answered = 0;
            while answered < 3 || !done.load(Ordering::SeqCst) {
                let health = server.client().exchange("GET", "/health", "");
                assert_eq!(health, Some((200, "ok".to_owned())));
                answered += 1;
            }
        });
        let mut connection = Connection::open(server);
        let mut writing = Connection(connection.0.try_clone().unwrap());
        // It may be cut off in the middle of it.
        scope.spawn(move || drop(writing.0.write_all(bytes)));
        let mut last = None;
        while let Some(frame) = connection.read() {
            if frame.kind == GOAWAY && frame.error() != 0 {
                last = Some(frame);
            }
        }
        done.store(true, Ordering::SeqCst);
        others.join().unwrap();
        last.unwrap()
    })
}

#[test]
fn a_flood_of_frames_ends_its_connection_and_others_are_answered() {
    let (_folder, server) = start();
    let repeated = |make: &dyn Fn(u32) -> Vec<u8>| {
        (0..5_000)
            .flat_map(|number| make(2 * number + 1))
            .collect::<Vec<_>>()
    };
    // CVE-2023-44487: streams that are taken back at once.
    let resets = repeated(&|stream| {
        let reset = frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes());
        [get(stream, "/health"), reset].concat()
    });
    // CVE-2025-8671: streams that the server has to take back. A head may not have this header (RFC 9113 §8.2.2).
    let mistakes = repeated(&|stream| {
        let block = [head(2, "/health"), header("connection", "close")].concat();
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
    });
    // CVE-2024-27316: a head without an end, of frames with nothing in them.
    let begun = frame(HEADERS, END_STREAM, 1, &head(2, "/health"));
    let continued = [begun, frame(CONTINUATION, 0, 1, &[]).repeat(5_000)].concat();
    // CVE-2019-9518: a body without an end, of frames with nothing in them.
    let empty = [post(1, "/api/v1/login"), frame(DATA, 0, 1, &[]).repeat(20_000)].concat();
    for (bytes, reason) in [
        (resets, "too_many_resets"),
        (mistakes, "too_many_internal_resets"),
        (continued, "too_many_continuations"),
        (empty, "too_many_data_frames"),
    ] {
        let last = flood(&server, &bytes);
        assert_eq!(last.error(), ENHANCE_YOUR_CALM, "{reason}: {last:?}");
        assert_eq!(String::from_utf8_lossy(&last.payload[8..]), reason);
    }
    assert!(Connection::open(&server).is_good(1));
}

/// How many KiB of memory the server has at the moment.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn what_has_to_be_acknowledged_is_not_read_faster_than_the_answers_are_taken() {
    let (_folder, server) = start();
    assert!(Connection::open(&server).is_good(1));
    let before = memory(&server);
    for bytes in [frame(PING, 0, 0, b"anything"), frame(SETTINGS, 0, 0, &[])] {
        let mut connection = Connection::open(&server);
        connection
            .0
            .set_write_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let many = bytes.repeat(4_096);
        let mut sent = 0;
        // Until the server reads no more, or has ended the connection.
        while connection.0.write_all(&many).is_ok() {
            sent += many.len();
            assert!(sent < 256 * 1024 * 1024, "the server reads on and on");
        }
        let health = server.client().exchange("GET", "/health", "");
        assert_eq!(health, Some((200, "ok".to_owned())));
        let now = memory(&server);
        assert!(now < before + 16 * 1024, "{before} KiB before, {now} KiB now");
    }
}
