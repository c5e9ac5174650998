//! A wire that can be cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Where to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Before a statement with this word reaches the server.
    Before(&'static str),
    /// After the server has answered a statement with this word, before the answer reaches the client.
    After(&'static str),
    /// Before the message that comes after so many others reaches the server, whatever is in it.
    BeforeMessage(u32),
    /// After the server has answered the message that comes after so many others, before the answer reaches the client.
    AfterMessage(u32),
}

/// Passes everything on between clients and a server, until told to cut a connection.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    plan: Arc<Mutex<Vec<Cut>>>,
    silent: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Begins to listen, on behalf of the server that listens on this port.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let plan = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&plan);
        let (silent, silence) = watch::channel(false);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let plan = Arc::clone(&shared);
                let mut silence = silence.clone();
                tokio::spawn(async move {
                    let server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await;
                    if let Ok(server) = server {
                        // How a connection ends does not matter here.
                        let _ = pass_on(client, server, &plan, &mut silence).await;
                    }
                });
            }
        });
        Self {
            port: own,
            plan,
            silent,
            task,
        }
    }

    /// Cuts the next connection that gives occasion to, once.
    pub fn cut(&self, cut: Cut) {
        self.plan.lock().push(cut);
    }

    /// Makes no cut that was not made yet.
    pub fn stop_cutting(&self) {
        self.plan.lock().clear();
    }

    /// Passes nothing on from now on, and leaves all connections open: as a server that hangs, or a network that loses
    /// everything.
    pub fn fall_silent(&self) {
        self.silent.send_replace(true);
    }

    /// Whether all cuts were made.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.plan.lock().is_empty()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass_on(
    mut client: TcpStream,
    mut server: TcpStream,
    plan: &Mutex<Vec<Cut>>,
    silence: &mut watch::Receiver<bool>,
) -> std::io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut cut_the_answer = false;
    loop {
        tokio::select! {
            biased;
            fell = async { silence.wait_for(|silent| *silent).await.map(drop) } => {
                if fell.is_ok() {
                    std::future::pending::<()>().await;
                }
                return Ok(());
            }
            read = client.read(&mut asked) => {
                let bytes = &asked[..read?];
                if bytes.is_empty() {
                    return server.shutdown().await;
                }
                match take(plan, bytes) {
                    Some(Cut::Before(_) | Cut::BeforeMessage(_)) => return Ok(()),
                    Some(Cut::After(_) | Cut::AfterMessage(_)) => cut_the_answer = true,
                    None => {}
                }
                server.write_all(bytes).await?;
            }
            read = server.read(&mut answered) => {
                let bytes = &answered[..read?];
                if bytes.is_empty() || cut_the_answer {
                    return Ok(());
                }
                client.write_all(bytes).await?;
            }
        }
    }
}

/// What was planned for a message like this one. Statements go over the wire in plain text.
fn take(plan: &Mutex<Vec<Cut>>, bytes: &[u8]) -> Option<Cut> {
    let mut plan = plan.lock();
    let position = plan.iter_mut().position(|cut| {
        let word = match cut {
            Cut::Before(word) | Cut::After(word) => *word,
            Cut::BeforeMessage(left) | Cut::AfterMessage(left) => {
                let is_due = *left == 0;
                *left = left.saturating_sub(1);
                return is_due;
            }
        };
        let ends_there = |at: usize| !bytes.get(at + word.len()).is_some_and(u8::is_ascii_alphabetic);
        (0..bytes.len()).any(|at| bytes[at..].starts_with(word.as_bytes()) && ends_there(at))
    })?;
    Some(plan.remove(position))
}
