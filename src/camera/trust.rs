//! Certificates that a camera may show beside those of the system's authorities.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use celaje_sky::say;
use celaje_sky::station::Trust;
use celaje_sky::text::Text;

/// Reads the certificates of a file: PEM, or one in DER.
///
/// # Errors
/// What is wrong with the file, as a clause.
pub fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, Text> {
    let bytes = std::fs::read(path).map_err(|e| say!("{e}", "{e}"))?;
    let pem: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = match pem {
        Ok(found) if !found.is_empty() => found,
        // DER is a sequence of ASN.1.
        _ if bytes.first() == Some(&0x30) => vec![CertificateDer::from(bytes)],
        _ => {
            return Err(say!(
                "it holds no certificate; it begins with -----BEGIN CERTIFICATE-----",
                "no contiene ningún certificado; empieza con -----BEGIN CERTIFICATE-----"
            ));
        }
    };
    let mut roots = rustls::RootCertStore::empty();
    for certificate in &found {
        roots.add(certificate.clone()).map_err(|e| say!("{e}", "{e}"))?;
    }
    Ok(found.into_iter().map(|certificate| certificate.to_vec()).collect())
}

/// How TLS is set up where certificates were named.
///
/// # Errors
/// When they, or those of the system, cannot be used.
pub(super) fn tls_of(trust: &Trust, provider: Arc<CryptoProvider>) -> Result<ClientConfig, Error> {
    let named: Vec<_> = trust.certificates.iter().cloned().map(CertificateDer::from).collect();
    let verifier = CameraVerifier {
        rest: Verifier::new_with_extra_roots(named.iter().cloned(), Arc::clone(&provider))?,
        named,
    };
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions()?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(config.with_no_client_auth())
}

/// Takes a camera whose own certificate was named, whatever names it bears: most cameras make it
/// themselves, and are asked by an address that it does not hold. Leaves the others to the usual
/// check.
#[derive(Debug)]
struct CameraVerifier {
    named: Vec<CertificateDer<'static>>,
    rest: Verifier,
}

impl ServerCertVerifier for CameraVerifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.named.iter().any(|named| named == own) {
            return Ok(ServerCertVerified::assertion());
        }
        self.rest.verify_server_cert(own, others, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.rest.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.rest.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.rest.supported_verify_schemes()
    }
}
