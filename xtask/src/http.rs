//! Just enough HTTP to talk to a server on this machine: one exchange a connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::TaskError;

/// A request that is being put together.
pub(crate) struct Request<'a> {
    address: &'a str,
    method: &'a str,
    path: &'a str,
    headers: String,
    body: String,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

/// Begins a request to `127.0.0.1:…`.
pub(crate) fn request<'a>(address: &'a str, method: &'a str, path: &'a str) -> Request<'a> {
    Request {
        address,
        method,
        path,
        headers: String::new(),
        body: String::new(),
    }
}

impl Request<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        self.body = form(fields);
        self.header("Content-Type", "application/x-www-form-urlencoded")
    }

    pub(crate) fn json(mut self, body: &impl ToString) -> Self {
        self.body = body.to_string();
        self.header("Content-Type", "application/json")
    }

    /// Sends it, and takes the whole answer, whatever its status.
    pub(crate) fn send(self) -> Result<Answer, TaskError> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(
            stream,
            "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{}Content-Length: {}\r\n\r\n{}",
            self.method,
            self.path,
            self.address,
            self.headers,
            self.body.len(),
            self.body
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        Ok(Answer {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        })
    }

    /// Sends it, and fails unless the answer is 200.
    pub(crate) fn succeed(self) -> Result<Answer, TaskError> {
        let what = format!("{} {}", self.method, self.path);
        let answer = self.send()?;
        if answer.status == 200 {
            Ok(answer)
        } else {
            Err(format!("{what}: {} {}", answer.status, answer.body).into())
        }
    }
}

impl Answer {
    /// All values of a header.
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.head.lines().filter_map(move |line| {
            let (given, value) = line.split_once(':')?;
            given.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// A text in the JSON of the body, by its path such as `/body/key`.
    pub(crate) fn text(&self, pointer: &str) -> Result<String, TaskError> {
        let json: serde_json::Value = serde_json::from_str(&self.body)?;
        let text = json.pointer(pointer).and_then(serde_json::Value::as_str);
        text.map(str::to_owned)
            .ok_or_else(|| format!("no {pointer} in {}", self.body).into())
    }
}

/// Fields as a form writes them.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
                other => format!("%{other:02X}"),
            })
            .collect::<String>()
    };
    fields
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}
