//! Someone who talks to the real program, one connection a request.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::{DEADLINE, Server};

/// Someone who talks to a server, with or without a credential.
#[derive(Clone)]
pub struct Client {
    address: String,
    from: Option<IpAddr>,
    pub token: String,
}

impl Client {
    /// A stranger.
    pub fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            from: None,
            token: String::new(),
        }
    }

    /// The same with another credential.
    pub fn with(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// The same, from another address of this machine.
    pub fn coming_from(&self, address: impl Into<IpAddr>) -> Self {
        Self {
            from: Some(address.into()),
            ..self.clone()
        }
    }

    /// A connection from its address.
    pub fn connect(&self) -> Option<TcpStream> {
        let stream = match self.from {
            None => TcpStream::connect(&self.address).ok()?,
            Some(address) => {
                let socket =
                    Socket::new(Domain::for_address((address, 0).into()), Type::STREAM, None).ok()?;
                socket.bind(&SocketAddr::from((address, 0)).into()).ok()?;
                socket
                    .connect(&self.address.parse::<SocketAddr>().ok()?.into())
                    .ok()?;
                socket.into()
            }
        };
        stream.set_read_timeout(Some(DEADLINE)).ok()?;
        Some(stream)
    }

    /// The same, at another server.
    pub fn at(&self, server: &Server) -> Self {
        Self {
            address: server.address.clone(),
            ..self.clone()
        }
    }

    /// The same, signed in with a password.
    pub fn signed_in(&self, name: &str, password: &str) -> Self {
        let form = format!("username={name}&password={password}");
        let (status, body) = self.send("POST", "/api/v1/login", &form).unwrap();
        assert_eq!(status, 200, "{body}");
        self.with(body["access_token"].as_str().unwrap())
    }

    /// Sends a request with these header lines besides its own, and gives the whole answer; `None` when the server is gone
    /// before it has answered.
    pub fn talk(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<String> {
        let mut stream = self.connect()?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             User-Agent: Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Sends a request, and gives status and body; `None` when the server is gone before it has answered.
    pub fn exchange(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let (status, _, body) = self.whole(method, path, body)?;
        Some((status, body))
    }

    /// The same with the head of the answer before the body.
    pub fn whole(&self, method: &str, path: &str, body: &str) -> Option<(u16, String, String)> {
        let answer = self.talk(method, path, "", body)?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((status, head.to_owned(), body.to_owned()))
    }

    /// The same with JSON in the answer. What was cut off is no answer.
    pub fn send(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let (status, body) = self.exchange(method, path, body)?;
        Some((status, serde_json::from_str(&body).ok()?))
    }

    /// Sends a request that has to succeed, and gives the body.
    #[track_caller]
    pub fn ok(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, body) = self.send(method, path, body).unwrap();
        assert_eq!(status, 200, "{method} {path}: {body}");
        body
    }

    /// The status of a request that only looks who is there.
    #[track_caller]
    pub fn status(&self) -> u16 {
        self.send("GET", "/api/v1/current-user", "").unwrap().0
    }
}

/// The form with which a machine asks for its token (RFC 8628 §3.4).
pub fn polling(client: &str, device_code: &str) -> String {
    let grant = "urn:ietf:params:oauth:grant-type:device_code";
    format!("grant_type={grant}&client_id={client}&device_code={device_code}")
}

/// A text in a JSON value, by its path such as `/body/key`.
#[track_caller]
pub fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap().to_owned()
}
