//! The way to the server: TLS, proxies, and clocks that differ.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::World;

/// Puts TLS before a server; gives the port, and writes the certificate that it signed itself to a file.
async fn with_tls(world: &World) -> (u16, String) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let file = world.home.path().join("ca.pem");
    std::fs::write(&file, own.cert.pem()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = world.url.replace("http://", "");
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(socket).await else {
                    return;
                };
                let mut plain = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut tls, &mut plain).await;
            });
        }
    });
    (port, file.display().to_string())
}

/// A small proxy that tunnels (`CONNECT`), for those who show these credentials if any are asked for. It remembers whom it was
/// asked to connect to.
struct Proxy {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(asked_for: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&heads);
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        let Ok(byte) = socket.read_u8().await else { return };
                        head.push(byte);
                    }
                    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
                    seen.lock().unwrap().push(head.clone());
                    let known = asked_for.is_none_or(|credentials| {
                        head.contains(&format!(
                            "proxy-authorization: {}",
                            credentials.to_ascii_lowercase()
                        ))
                    });
                    if !known {
                        let refusal =
                            b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
                        let _ = socket.write_all(refusal).await;
                        return;
                    }
                    let target = head.split(' ').nth(1).unwrap().to_owned();
                    let mut there = TcpStream::connect(target).await.unwrap();
                    let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                    let _ = tokio::io::copy_bidirectional(&mut socket, &mut there).await;
                });
            }
        });
        Self { port, heads }
    }

    fn tunnels(&self) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        heads
            .iter()
            .map(|head| head.lines().next().unwrap_or_default().to_owned())
            .collect()
    }
}

/// A machine that is to talk to the server through TLS.
async fn over_tls() -> (World, u16) {
    let mut world = World::new().await;
    let (port, certificate) = with_tls(&world).await;
    world.set("ZENML_STORE_URL", &format!("https://localhost:{port}"));
    world.set("ZENML_STORE_API_TOKEN", "t");
    world.set("ZENML_STORE_VERIFY_SSL", &certificate);
    (world, port)
}

#[tokio::test]
async fn https_goes_through_the_proxy_and_stays_private() {
    let (mut world, port) = over_tls().await;
    let proxy = Proxy::start(None).await;
    world.set("NO_PROXY", "");
    world.set("HTTPS_PROXY", &format!("http://127.0.0.1:{}", proxy.port));
    let ended = world.run("status -v").await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("connected"), "{ended:?}");
    let tunnels = proxy.tunnels();
    assert!(!tunnels.is_empty());
    for tunnel in tunnels {
        assert_eq!(tunnel, format!("connect localhost:{port} http/1.1"));
    }
    let heads = proxy.heads.lock().unwrap().concat();
    assert!(!heads.contains("bearer") && !heads.contains("/api/v1"), "{heads}");

    let ended = world.run("auth explain").await;
    let way = format!("leads through the proxy http://127.0.0.1:{}", proxy.port);
    assert!(ended.stdout.contains(&way), "{ended:?}");
}

#[tokio::test]
async fn exceptions_go_straight() {
    let (mut world, _) = over_tls().await;
    let proxy = Proxy::start(None).await;
    world.set("https_proxy", &format!("http://127.0.0.1:{}", proxy.port));
    for exception in ["localhost", "example.com,localhost", "*"] {
        world.set("NO_PROXY", exception);
        assert_eq!(world.run("status").await.code, 0, "{exception}");
        assert!(proxy.tunnels().is_empty(), "{exception}");
    }
    world.set("NO_PROXY", "example.com");
    assert_eq!(world.run("status").await.code, 0);
    assert!(!proxy.tunnels().is_empty());
}

#[tokio::test]
async fn no_proxy_at_all_goes_for_addresses_too() {
    let mut world = World::connected().await;
    let nobody = "http://127.0.0.1:1";
    world.set("http_proxy", nobody).set("ALL_PROXY", nobody);
    world.set("NO_PROXY", "");
    assert_eq!(world.run("status").await.code, 7);
    world.set("NO_PROXY", "*");
    assert_eq!(world.run("status").await.code, 0);
}

#[tokio::test]
async fn a_proxy_may_ask_for_credentials() {
    let (mut world, _) = over_tls().await;
    // ann:hunter2
    let proxy = Proxy::start(Some("Basic YW5uOmh1bnRlcjI=")).await;
    world.set("NO_PROXY", "");
    world.set("HTTPS_PROXY", &format!("http://127.0.0.1:{}", proxy.port));
    let ended = world.run("status").await;
    assert_eq!(ended.code, 7, "{ended:?}");
    let way = format!("through the proxy http://127.0.0.1:{}: ", proxy.port);
    assert!(
        ended.stderr.contains(&way) && ended.stderr.contains("proxy auth"),
        "{ended:?}"
    );
    world.set(
        "HTTPS_PROXY",
        &format!("http://ann:hunter2@127.0.0.1:{}", proxy.port),
    );
    for line in ["status -v", "auth explain -v"] {
        let ended = world.run(line).await;
        assert_eq!(ended.code, 0, "{ended:?}");
        assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
    }
}

#[tokio::test]
async fn a_certificate_is_checked_unless_that_is_unwanted() {
    let (mut world, port) = over_tls().await;
    world.set("ZENML_STORE_VERIFY_SSL", "true");
    let ended = world.run("auth explain").await;
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(
        ended.stderr.contains("the certificate of https://localhost") && ended.stderr.contains("--ca-file"),
        "{ended:?}"
    );
    let connect = format!("connect --url https://localhost:{port} --api-key ZENKEY_x --no-verify-ssl");
    let ended = world.run(&connect).await;
    assert!(ended.stderr.contains("warning: "), "{ended:?}");
    world.set("ZENML_STORE_VERIFY_SSL", "false");
    assert_eq!(world.run("status").await.code, 0);
}

/// A token that ends at this second, made by nobody.
fn token(ends: u64) -> String {
    format!("h.{}.s", URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{ends}}}"#)))
}

#[tokio::test]
async fn clocks_that_differ_are_told() {
    let mut world = World::new().await;
    let url = world.url.clone();
    world.set("ZENML_STORE_URL", &url);
    // The server lives in the past: 2025-11-23, 18:51:37.
    world.set_date("Sun, 23 Nov 2025 18:51:37 GMT");
    world.set("ZENML_STORE_API_TOKEN", &token(1_763_923_897 + 3_600));
    let ended = world.run("auth explain").await;
    assert_eq!(ended.code, 3, "{ended:?}");
    assert!(ended.stdout.contains(" ahead of the server's"), "{ended:?}");
    assert!(
        ended.stderr.contains(
            "good until 2025-11-23 19:51:37 UTC, but this machine's clock says that this has passed"
        ) && ended.stderr.contains("Set this machine's clock right."),
        "{ended:?}"
    );
    // By both clocks.
    world.set("ZENML_STORE_API_TOKEN", &token(1_763_923_897 - 3_600));
    let ended = world.run("auth explain").await;
    assert!(ended.stderr.contains("the token ended 1 hour ago"), "{ended:?}");
    // A server of the far future.
    world.set_date("Fri, 23 Nov 2125 18:51:37 GMT");
    let ended = world.run("auth explain").await;
    assert!(ended.stdout.contains(" behind the server's"), "{ended:?}");
}

/// An API key of nobody.
const KEY: &str = "ZENKEY_eyJpZCI6Ijc3ZWMyMmEyLTMzNWItNDEzMC1iYTZjLTFlMWMzNzEyMzZhNyIsImtleSI6ImFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWJhYmFiYWIifQ==";

/// Another machine, as far as the command line can tell: a proxy leads to the server of the test.
#[tokio::test]
async fn nothing_is_sent_in_the_clear_to_another_machine() {
    const ADDRESS: &str = "http://zenml.example.com";
    let mut world = World::new().await;
    let proxy = world.url.clone();
    world.set("HTTP_PROXY", &proxy).set("NO_PROXY", "");
    let connect = format!("connect --url {ADDRESS}");
    let signing_in = [
        (format!("{connect} --api-key"), KEY),
        (format!("{connect} --username ann"), "hunter2"),
        (format!("{connect} --no-browser"), ""),
    ];
    for (line, input) in &signing_in {
        let ended = world.run_with(line, input).await;
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains("so nothing was sent"), "{ended:?}");
        assert!(ended.stderr.contains("--allow-http"), "{ended:?}");
        assert_eq!(world.asked(), [""; 0], "{line}");
    }
    world
        .set("ZENML_STORE_URL", ADDRESS)
        .set("ZENML_STORE_API_KEY", KEY);
    for line in ["device list", "status", "auth explain", "user list"] {
        let ended = world.run(line).await;
        assert_ne!(ended.code, 0, "{ended:?}");
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("so nothing was sent"), "{ended:?}");
        // What a server is can be asked without credentials.
        let asked = world.asked();
        assert!(
            asked.iter().all(|asked| asked.ends_with("/api/v1/info")),
            "{line}: {asked:?}"
        );
    }
    let allowed = world.run("device list --allow-http").await;
    assert!(allowed.stderr.contains("is not encrypted"), "{allowed:?}");
    assert!(world.asked().iter().any(|asked| asked.contains("/api/v1/login")));
    world.set("ZENML_ALLOW_HTTP", "true");
    let allowed = world.run("device list").await;
    assert!(
        allowed.stderr.contains("is not encrypted"),
        "warned all the same: {allowed:?}"
    );
    assert!(world.asked().iter().any(|asked| asked.contains("/api/v1/login")));
}

/// The proxy does not exist, so that nothing could go to it by mistake.
#[tokio::test]
async fn nothing_is_sent_in_the_clear_to_a_proxy_on_another_machine() {
    const PROXY: &str = "http://proxy.invalid:3128";
    let mut world = World::new().await;
    world.set("NO_PROXY", "").set("ZENML_STORE_API_KEY", KEY);
    let url = world.url.clone();
    world.set("ZENML_STORE_URL", &url);
    for name in ["HTTP_PROXY", "ALL_PROXY"] {
        world.set("HTTP_PROXY", "").set(name, PROXY);
        for (line, input) in [
            ("connect --url [url] --api-key", KEY),
            ("connect --url [url] --username ann", "hunter2"),
            ("connect --url [url] --no-browser", ""),
            ("device list", ""),
        ] {
            let ended = world.run_with(line, input).await;
            assert_eq!(ended.code, 1, "{name}: {ended:?}");
            for part in [
                "so nothing was sent",
                &format!("through the proxy {PROXY}"),
                "NO_PROXY",
                "--allow-http",
            ] {
                assert!(ended.stderr.contains(part), "{name}, {part}: {ended:?}");
            }
        }
    }
    // With the exception, the way is direct.
    world.set("NO_PROXY", "localhost,127.0.0.1");
    assert_eq!(world.asked(), [""; 0]);
    let ended = world.run("device list").await;
    assert!(!ended.stderr.contains("not encrypted"), "{ended:?}");
    assert!(world.asked().iter().any(|asked| asked.contains("/api/v1/login")));
}
