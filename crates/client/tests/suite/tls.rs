//! Certificates: those of an authority that is named, and no others; and none at all.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use zenml_auth_client::{CertificateFault, Client, ClientError, TlsTrust};

const INFO: &str = r#"{"id":"5d25d5b5-ffb1-4c6d-a43e-344e07f8a54c","version":"0.98.0"}"#;

/// A server with a certificate that it signed itself; gives its port and the certificate.
async fn server() -> (u16, String) {
    serve(CertificateParams::new(["localhost".to_owned()]).unwrap()).await
}

/// The same with a certificate that says it is an authority, as `openssl req -x509` makes them.
async fn own_authority(until: i32) -> (u16, String) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(until, 1, 1);
    serve(params).await
}

async fn serve(params: CertificateParams) -> (u16, String) {
    let signing_key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&signing_key).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut tls) = acceptor.accept(socket).await else {
                    return;
                };
                let mut request = [0; 4096];
                let _ = tls.read(&mut request).await;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                let answer = format!("{head}content-length: {}\r\n\r\n{INFO}", INFO.len());
                let _ = tls.write_all(answer.as_bytes()).await;
                let _ = tls.shutdown().await;
            });
        }
    });
    (port, certificate.pem())
}

fn client(port: u16, host: &str, trust: TlsTrust) -> Client {
    Client::builder(&format!("https://{host}:{port}"))
        .unwrap()
        .trust(trust)
        .retries(0)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_named_authority_is_trusted() {
    let (port, pem) = server().await;
    let info = client(port, "localhost", TlsTrust::Pem(pem))
        .info()
        .await
        .unwrap();
    assert_eq!(info.version, "0.98.0");
}

/// Why a certificate is not accepted.
async fn fault(port: u16, host: &str, trust: TlsTrust) -> CertificateFault {
    match client(port, host, trust).info().await.unwrap_err() {
        ClientError::Certificate { fault, .. } => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_that_is_named_itself_is_trusted_as_long_as_it_holds() {
    let (port, pem) = own_authority(2100).await;
    let named = TlsTrust::Pem(pem);
    assert!(client(port, "localhost", named.clone()).info().await.is_ok());
    assert_eq!(fault(port, "127.0.0.1", named).await, CertificateFault::OtherName);
    let (other_port, other) = own_authority(2100).await;
    let other = TlsTrust::Pem(other);
    assert_eq!(
        fault(port, "localhost", other).await,
        CertificateFault::UnknownIssuer
    );
    assert_eq!(
        fault(other_port, "localhost", TlsTrust::System).await,
        CertificateFault::UnknownIssuer
    );
    let (port, pem) = own_authority(2020).await;
    assert_eq!(
        fault(port, "localhost", TlsTrust::Pem(pem)).await,
        CertificateFault::Expired
    );
}

#[tokio::test]
async fn an_unknown_certificate_is_refused_with_advice() {
    let (port, _) = server().await;
    let error = client(port, "localhost", TlsTrust::System)
        .info()
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Certificate { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("--ca-file"));
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (port, pem) = server().await;
    let refused = fault(port, "127.0.0.1", TlsTrust::Pem(pem)).await;
    assert_eq!(refused, CertificateFault::OtherName);
}

#[tokio::test]
async fn anything_goes_when_asked_for() {
    let (port, _) = server().await;
    assert!(client(port, "127.0.0.1", TlsTrust::Anything).info().await.is_ok());
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let error = client(port, "localhost", TlsTrust::Anything)
        .info()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("does not speak TLS"), "{error}");
}
