//! Which certificates to trust. One TLS stack everywhere: rustls with ring.

mod listed;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use self::listed::Listed;

/// Which certificates of servers to trust.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TlsTrust {
    /// Those that the system trusts; where it has none, as in a bare container, those that Mozilla trusts.
    #[default]
    System,
    /// Those in this PEM file, and those signed by the authorities in it; no others.
    File(PathBuf),
    /// Those in this PEM text, and those signed by the authorities in it; no others.
    Pem(String),
    /// All of them: anyone on the way can listen in and pretend to be the server. For trying things out.
    Anything,
}

/// Why certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file can't be read.
    #[error("the certificate file {path} can't be read: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no certificate in it.
    #[error("{origin} holds no certificate that can be used")]
    NoCertificate {
        /// Which file or text.
        origin: String,
    },
    /// The TLS library refused the set-up.
    #[error("TLS can't be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Sets TLS up. `https` tells whether it is going to be used: reading what the system trusts takes time.
pub(crate) fn config(trust: &TlsTrust, https: bool) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        TlsTrust::System if https => match rustls_platform_verifier::Verifier::new(Arc::clone(&provider)) {
            Ok(verifier) => Arc::new(verifier),
            Err(_) => {
                let roots = RootCertStore {
                    roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
                };
                return Ok(builder.with_root_certificates(roots).with_no_client_auth());
            }
        },
        TlsTrust::System => {
            let nobody = RootCertStore::empty();
            return Ok(builder.with_root_certificates(nobody).with_no_client_auth());
        }
        TlsTrust::File(path) => Arc::new(from_file(path, &provider)?),
        TlsTrust::Pem(text) => Arc::new(from_pem(text.as_bytes(), "the certificate text", &provider)?),
        TlsTrust::Anything => Arc::new(TrustAnything { provider }),
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    Ok(builder.with_no_client_auth())
}

fn from_file(path: &Path, provider: &Arc<CryptoProvider>) -> Result<Listed, TrustError> {
    let pem = std::fs::read(path).map_err(|source| TrustError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    from_pem(&pem, &path.display().to_string(), provider)
}

fn from_pem(pem: &[u8], origin: &str, provider: &Arc<CryptoProvider>) -> Result<Listed, TrustError> {
    // A bundle may hold things that are no certificate, or ones too old to be read; one good one is enough.
    let certificates = CertificateDer::pem_slice_iter(pem)
        .filter_map(Result::ok)
        .collect();
    Listed::new(certificates, provider)?.ok_or_else(|| TrustError::NoCertificate {
        origin: origin.to_owned(),
    })
}

/// Accepts whatever certificate a server shows, but still checks that the server holds its key.
#[derive(Debug)]
struct TrustAnything {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for TrustAnything {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_connections_read_no_certificates() {
        assert!(config(&TlsTrust::System, false).is_ok());
        assert!(config(&TlsTrust::Anything, true).is_ok());
    }

    #[test]
    fn what_holds_no_certificate_is_refused() {
        let missing = config(&TlsTrust::File("/nonexistent/ca.pem".into()), true);
        assert!(matches!(missing, Err(TrustError::Unreadable { .. })));
        for pem in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            let refused = config(&TlsTrust::Pem(pem.to_owned()), true);
            assert!(matches!(refused, Err(TrustError::NoCertificate { .. })), "{pem}");
        }
    }
}
