//! Servers restart behind the proxies that are shipped, under load, and no request fails.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use zenml_auth_testkit::databases::{Kind, fresh};
use zenml_auth_testkit::report;

use crate::support::{DEADLINE, Server, text};

const CLIENTS: usize = 8;
/// Fewer would show nothing.
const LEAST: u32 = 1_000;

/// A proxy before the servers. It is killed when dropped.
struct Proxy {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn installed(program: &str) -> Option<PathBuf> {
    let found = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"]
        .map(|folder| Path::new(folder).join(program))
        .into_iter()
        .find(|file| file.exists());
    if found.is_none() {
        report::missing(program);
    }
    found
}

/// A file of `deploy`, with other addresses in it.
fn shipped(file: &str, changes: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy/proxies")
        .join(file);
    let mut text = std::fs::read_to_string(path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{file} does not say {from:?}");
        text = text.replace(from, to);
    }
    text
}

impl Proxy {
    fn caddy(file: &str, changes: &[(&str, &str)]) -> Option<Self> {
        let program = installed("caddy")?;
        let port = free_port();
        let listen = format!("http://:{port} {{");
        let site = if file == "Caddyfile" {
            "auth.example.com {"
        } else {
            ":8237 {"
        };
        // The upstreams first, as they have the port of the site in them.
        let mut changes = changes.to_vec();
        changes.push((site, &listen));
        let text = format!(
            "{{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}}\n{}",
            shipped(file, &changes)
        );
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("Caddyfile");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(&config)
            .env("HOME", folder.path())
            .env("XDG_DATA_HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path());
        Some(Self::start(command, port, folder))
    }

    fn nginx(file: &str, changes: &[(&str, &str)]) -> Option<Self> {
        let program = installed("nginx")?;
        let port = free_port();
        let listen = format!("listen 127.0.0.1:{port};");
        let mut changes = changes.to_vec();
        changes.extend([
            ("listen 443 ssl;", listen.as_str()),
            ("ssl_certificate /etc/ssl/auth.example.com.pem;", ""),
            ("ssl_certificate_key /etc/ssl/auth.example.com.key;", ""),
        ]);
        let folder = TempDir::new().unwrap();
        let at = folder.path().display();
        let text = format!(
            "daemon off;\nmaster_process off;\nerror_log {at}/error.log;\npid {at}/pid;\nevents {{ }}\nhttp {{\n\
             access_log off;\nclient_body_temp_path {at}/body;\nproxy_temp_path {at}/proxy;\nfastcgi_temp_path {at}/f;\n\
             uwsgi_temp_path {at}/u;\nscgi_temp_path {at}/s;\n{}\n}}\n",
            shipped(file, &changes)
        );
        let config = folder.path().join("nginx.conf");
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command
            .arg("-c")
            .arg(&config)
            .arg("-e")
            .arg(folder.path().join("error.log"));
        Some(Self::start(command, port, folder))
    }

    fn start(mut command: Command, port: u16, folder: TempDir) -> Self {
        let log = std::fs::File::create(folder.path().join("output")).unwrap();
        let process = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let proxy = Self {
            process,
            port,
            _folder: folder,
        };
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = std::fs::read_to_string(proxy._folder.path().join("output")).unwrap_or_default();
            assert!(begun.elapsed() < DEADLINE, "the proxy does not start: {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
        proxy
    }
}

/// A client that keeps its connection to the proxy.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// The status, and whether the connection goes on.
    fn send(&mut self, request: &str) -> std::io::Result<(u16, bool)> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| std::io::Error::other(format!("no answer: {line:?}")))?;
        let (mut length, mut goes_on) = (0, true);
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let header = line.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            goes_on &= header != "connection: close";
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        if status == 200 && !body.starts_with(b"{") {
            return Err(std::io::Error::other("an answer that is none of ours"));
        }
        Ok((status, goes_on))
    }
}

/// Clients that ask through a proxy, every other time for something that must not be sent twice.
struct Load {
    clients: Vec<JoinHandle<(u32, Vec<String>)>>,
    done: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
}

impl Load {
    fn start(port: u16, key: &str) -> Self {
        let (done, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let form = format!(
            "password={}",
            key.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
        );
        let requests = [
            format!("GET /api/v1/current-user HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n"),
            format!(
                "POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {}\r\n\r\n{form}",
                form.len()
            ),
        ];
        let clients = (0..CLIENTS)
            .map(|_| {
                let (done, answered, requests) = (done.clone(), answered.clone(), requests.clone());
                std::thread::spawn(move || {
                    let (mut count, mut failures) = (0, Vec::new());
                    let mut client = Client::connect(port);
                    while !done.load(Ordering::SeqCst) {
                        let request = &requests[count as usize % 2];
                        count += 1;
                        let goes_on = match client.send(request) {
                            Ok((200, goes_on)) => goes_on,
                            Ok((status, goes_on)) => {
                                failures.push(format!("{} got {status}", &request[..20]));
                                goes_on
                            }
                            Err(error) => {
                                failures.push(format!("{}: {error}", &request[..20]));
                                false
                            }
                        };
                        answered.fetch_add(1, Ordering::SeqCst);
                        if !goes_on {
                            client = Client::connect(port);
                        }
                    }
                    (count, failures)
                })
            })
            .collect();
        Self {
            clients,
            done,
            answered,
        }
    }

    /// Waits for so many more answers.
    fn go_on_for(&self, more: u32) {
        let until = self.answered.load(Ordering::SeqCst) + more;
        let begun = Instant::now();
        while self.answered.load(Ordering::SeqCst) < until {
            assert!(begun.elapsed() < DEADLINE, "nobody answers");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn end_without_failures(self, what: &str, log: &Path) {
        self.done.store(true, Ordering::SeqCst);
        let (mut count, mut failures) = (0, Vec::new());
        for client in self.clients {
            let (more, failed) = client.join().unwrap();
            count += more;
            failures.extend(failed);
        }
        eprintln!("{what}: {} of {count} requests failed", failures.len());
        assert!(
            failures.is_empty(),
            "{what}: {} of {count} failed: {:?}; the servers say:\n{}",
            failures.len(),
            &failures[..failures.len().min(10)],
            std::fs::read_to_string(log).unwrap()
        );
        assert!(count >= LEAST, "{what}: only {count} requests");
    }
}

/// An API key of a new service account.
fn api_key(server: &Server) -> String {
    let admin = server.admin();
    admin.ok(
        "POST",
        "/api/v1/service_accounts",
        r#"{"name": "ci", "active": true}"#,
    );
    let made = admin.ok(
        "POST",
        "/api/v1/service_accounts/ci/api_keys",
        r#"{"name": "load"}"#,
    );
    text(&made, "/body/key")
}

/// The program as it is shipped, which drains.
fn as_shipped(mut command: Command) -> Command {
    command
        .env_remove("ZENML_AUTH_DRAIN_TIME")
        .env("ZENML_AUTH_LOG_FILTER", "warn");
    command
}

/// Stops the server that is there, and starts the next one at once.
fn restart(server: &mut Option<Server>, start: impl Fn() -> Server) {
    let (status, took) = server.take().unwrap().terminate();
    assert_eq!(status, Some(0));
    assert!(took >= Duration::from_secs(5), "it did not drain: {took:?}");
    *server = Some(start());
}

#[test]
fn a_server_that_is_about_to_stop_says_so_and_goes_on_serving() {
    let folder = TempDir::new().unwrap();
    let mut command = crate::support::program(folder.path(), &[]);
    command.env("ZENML_AUTH_DRAIN_TIME", "10m");
    let server = Server::start_as(command, &folder.path().join("test.log"));
    let port = server.address.rsplit(':').next().unwrap().parse().unwrap();
    let key = api_key(&server);
    let ask = format!("GET /api/v1/current-user HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n");
    let mut kept = Client::connect(port);
    assert_eq!(kept.send(&ask).unwrap(), (200, true));

    server.signal("-TERM");
    let begun = Instant::now();
    while server.send("GET", "/ready", "", "").0 != 503 {
        assert!(begun.elapsed() < DEADLINE, "it stays ready");
    }
    // The connection that was kept is answered, and so is a new one; neither is to be used again.
    for client in [&mut kept, &mut Client::connect(port)] {
        assert_eq!(client.send(&ask).unwrap(), (200, false));
    }
    assert_eq!(server.send("GET", "/health", "", "").0, 200);
    assert!(server.sign_in(crate::support::PASSWORD).is_some());
    // Another signal ends the ten minutes.
    let (status, took) = server.terminate();
    assert_eq!(status, Some(0));
    assert!(took < Duration::from_secs(40), "{took:?}");
}

#[test]
fn who_presses_ctrl_c_does_not_wait() {
    let folder = TempDir::new().unwrap();
    let mut command = crate::support::program(folder.path(), &[]);
    command.env("ZENML_AUTH_DRAIN_TIME", "10m");
    let server = Server::start_as(command, &folder.path().join("test.log"));
    server.signal("-INT");
    let (status, _) = server.wait_for_end();
    assert_eq!(status, Some(0));
}

#[test]
fn caddy_before_one_server() {
    let folder = TempDir::new().unwrap();
    let bind = format!("127.0.0.1:{}", free_port());
    let start = || {
        let command = as_shipped(crate::support::program(folder.path(), &[]));
        Server::start_at(command, &folder.path().join("test.log"), &bind)
    };
    let mut server = Some(start());
    let key = api_key(server.as_ref().unwrap());
    let Some(proxy) = Proxy::caddy("Caddyfile", &[("127.0.0.1:8237", &bind)]) else {
        return;
    };
    let load = Load::start(proxy.port, &key);
    for _ in 0..3 {
        load.go_on_for(500);
        restart(&mut server, start);
    }
    load.go_on_for(500);
    load.end_without_failures("Caddy before one server", &folder.path().join("test.log"));
}

/// Hands a socket over as systemd does: as the first file after the standard streams.
const AS_SYSTEMD: &str = r#"exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@""#;

#[test]
fn nginx_before_one_server_with_a_socket_of_systemd() {
    let folder = TempDir::new().unwrap();
    // systemd's.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let start = || {
        let mut command = Command::new("sh");
        command
            .args([
                "-c",
                AS_SYSTEMD,
                "sh",
                env!("CARGO_BIN_EXE_zenml-auth-server"),
                "--data-dir",
            ])
            .arg(folder.path())
            .env("ZENML_AUTH_ADMIN_PASSWORD", crate::support::PASSWORD)
            .stdin(std::os::fd::OwnedFd::from(socket.try_clone().unwrap()));
        let server = Server::start_at(
            as_shipped(command),
            &folder.path().join("test.log"),
            "127.0.0.1:1",
        );
        assert_eq!(server.address, address);
        server
    };
    let mut server = Some(start());
    let key = api_key(server.as_ref().unwrap());
    let Some(proxy) = Proxy::nginx("nginx.conf", &[("127.0.0.1:8237", &address)]) else {
        return;
    };
    let load = Load::start(proxy.port, &key);
    for _ in 0..3 {
        load.go_on_for(500);
        restart(&mut server, start);
    }
    load.go_on_for(500);
    load.end_without_failures("nginx before one server", &folder.path().join("test.log"));
}

/// What the server says of sockets that it can't use.
fn refused_sockets(hand_over: &str, socket: std::os::fd::OwnedFd) -> String {
    let folder = TempDir::new().unwrap();
    let output = Command::new("sh")
        .args([
            "-c",
            hand_over,
            "sh",
            env!("CARGO_BIN_EXE_zenml-auth-server"),
            "--data-dir",
        ])
        .arg(folder.path().join("data"))
        .stdin(socket)
        .output()
        .unwrap();
    let said = crate::support::failure(&output);
    // Nothing was done.
    assert!(!folder.path().join("data").exists());
    said
}

#[test]
fn sockets_of_systemd_that_cannot_all_be_served_are_refused() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Two `ListenStream=`.
    let two = AS_SYSTEMD.replace("3<&0", "3<&0 4<&0").replace("FDS=1", "FDS=2");
    let said = refused_sockets(&two, socket.try_clone().unwrap().into());
    assert!(
        said.contains("2 sockets") && said.contains("ListenStream="),
        "{said}"
    );
    // `Accept=yes`, which hands over a connection.
    let _client = std::net::TcpStream::connect(address).unwrap();
    let (connection, _) = socket.accept().unwrap();
    let said = refused_sockets(AS_SYSTEMD, connection.into());
    assert!(
        said.contains("does not listen") && said.contains("Accept=no"),
        "{said}"
    );
}

/// One server after the other restarts, as in an upgrade.
async fn replicas(what: &str, proxy: impl FnOnce(&[(&str, &str)]) -> Option<Proxy>) {
    // Its type would be too deep for the compiler.
    let fresh: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(fresh(Kind::Postgres));
    let Some(database) = fresh.await else { return };
    let folder = TempDir::new().unwrap();
    let url = folder.path().join("url");
    std::fs::write(&url, database.url()).unwrap();
    let binds = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
    let start = |bind: &String| {
        let mut command = as_shipped(crate::support::command(&["serve", "--database-url-file"]));
        command.arg(&url);
        Server::start_at(command, &folder.path().join("test.log"), bind)
    };
    let mut servers = [Some(start(&binds[0])), Some(start(&binds[1]))];
    let key = api_key(servers[0].as_ref().unwrap());
    let changes = [
        ("zenml-auth-1:8237", binds[0].as_str()),
        ("zenml-auth-2:8237", binds[1].as_str()),
    ];
    let Some(proxy) = proxy(&changes) else { return };
    let load = Load::start(proxy.port, &key);
    for (server, bind) in servers.iter_mut().zip(&binds) {
        load.go_on_for(500);
        restart(server, || start(bind));
        // A rolling upgrade waits until a replica is ready and the proxy has seen it. It looks every second, and a look that
        // comes while the one server leaves and the other is not there yet takes three seconds to fail.
        std::thread::sleep(Duration::from_secs(6));
    }
    load.go_on_for(500);
    load.end_without_failures(what, &folder.path().join("test.log"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caddy_before_two_servers() {
    let proxy = |changes: &[(&str, &str)]| Proxy::caddy("replicas.Caddyfile", changes);
    Box::pin(replicas("Caddy before two servers", proxy)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_before_two_servers() {
    let proxy = |changes: &[(&str, &str)]| Proxy::nginx("nginx-replicas.conf", changes);
    Box::pin(replicas("nginx before two servers", proxy)).await;
}
