//! Certificates that a camera may show beside those of the system's authorities.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::station::Trust;
use celaje_sky::text::Text;

/// Reads the certificates of a file: PEM, or one in DER.
///
/// # Errors
/// What is wrong with the file, as a clause.
pub fn read_certificates(path: &Path) -> Result<Vec<Vec<u8>>, Text> {
    let bytes = std::fs::read(path).map_err(|error| io_text(&error))?;
    // Windows' editors begin a text with its byte order mark.
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let pem: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = match pem {
        Ok(found) if !found.is_empty() => found,
        // DER is a sequence of ASN.1.
        _ if bytes.first() == Some(&0x30) => vec![CertificateDer::from(bytes)],
        _ => {
            return Err(say!(
                "it holds no certificate, which begins with -----BEGIN CERTIFICATE-----",
                "no contiene ningún certificado, que empieza con -----BEGIN CERTIFICATE-----"
            ));
        }
    };
    let mut roots = rustls::RootCertStore::empty();
    for (n, certificate) in (1..).zip(&found) {
        roots.add(certificate.clone()).map_err(|error| {
            say!(
                "its certificate number {n} is damaged ({error})",
                "su certificado número {n} está dañado"
            )
        })?;
    }
    Ok(found.into_iter().map(|certificate| certificate.to_vec()).collect())
}

/// How TLS is set up where certificates were named.
///
/// # Errors
/// When they, or those of the system, cannot be used.
pub(super) fn tls_of(trust: &Trust, provider: Arc<CryptoProvider>) -> Result<ClientConfig, Error> {
    Ok(verified(trust, provider)?.with_no_client_auth())
}

/// The same of a client that may have a certificate and a key of its own, in files of PEM that
/// `cert_file` and `key_file` name.
///
/// # Errors
/// When one of them cannot be used.
pub(crate) fn client_tls(trust: &Trust, own: Option<(&Path, &Path)>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verified = verified(trust, provider).map_err(|error| {
        Failure::environment(say!(
            "TLS cannot be set up: {error}; look at the certificates of this machine",
            "no se puede preparar TLS; revise los certificados de este equipo"
        ))
    })?;
    let Some((certificate, key)) = own else {
        return Ok(verified.with_no_client_auth());
    };
    let chain = read_certificates(certificate).map_err(|why| {
        let (shown, en, es) = (certificate.display(), why.en, why.es);
        Failure::usage(say!(
            "cert_file: '{shown}' cannot be used: {en}; name this client's certificate in PEM",
            "cert_file: no se puede usar '{shown}': {es}; indique el certificado de este cliente \
             en PEM"
        ))
    })?;
    if chain.iter().any(|certificate| is_of_version_1(certificate)) {
        let shown = certificate.display();
        return Err(Failure::usage(say!(
            "cert_file: a certificate in '{shown}' is of version 1 of X.509, which TLS does not \
             take; make it anew with extensions: openssl x509 -req … -extfile FILE, where FILE \
             says subjectAltName=DNS:celaje",
            "cert_file: un certificado de '{shown}' es X.509 de versión 1, que TLS no acepta; \
             hágalo de nuevo con extensiones: openssl x509 -req … -extfile ARCHIVO, donde ARCHIVO \
             dice subjectAltName=DNS:celaje"
        )));
    }
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    let own = read_key(key)?;
    verified.with_client_auth_cert(chain, own).map_err(|error| {
        let (certificate, key) = (certificate.display(), key.display());
        Failure::usage(match error {
            Error::InconsistentKeys(_) => say!(
                "key_file: the key in '{key}' is not that of the certificate in '{certificate}'; \
                 name in cert_file and key_file two that belong together",
                "key_file: la clave de '{key}' no es la del certificado de '{certificate}'; \
                 indique en cert_file y key_file dos que vayan juntos"
            ),
            other => say!(
                "key_file: the key in '{key}' cannot be used ({other}); name one of RSA, ECDSA or \
                 Ed25519",
                "key_file: no se puede usar la clave de '{key}'; indique una de RSA, ECDSA o \
                 Ed25519"
            ),
        })
    })
}

/// Whether a certificate in DER is of the first version of X.509, which says none.
fn is_of_version_1(certificate: &[u8]) -> bool {
    // Two sequences one in the other; what follows begins with the version, in brackets.
    let inner = sequence_content(certificate).and_then(sequence_content);
    inner.and_then(<[u8]>::first).is_some_and(|tag| *tag != 0xa0)
}

/// What is in the ASN.1 sequence that DER begins with.
fn sequence_content(der: &[u8]) -> Option<&[u8]> {
    let [0x30, length, rest @ ..] = der else { return None };
    match length {
        0..0x80 => Some(rest),
        _ => rest.get(usize::from(length & 0x7f)..),
    }
}

/// Whether a certificate was refused because it is of the first version of X.509.
pub(crate) fn is_too_old(fault: &CertificateError) -> bool {
    let CertificateError::Other(other) = fault else { return false };
    other.0.downcast_ref::<webpki::Error>() == Some(&webpki::Error::UnsupportedCertVersion)
}

/// The private key of a file of PEM.
fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        let Text { en, es } = io_text(&error);
        Failure::usage(say!(
            "key_file: '{shown}' cannot be read: {en}; name this client's private key in PEM",
            "key_file: no se puede leer '{shown}': {es}; indique la clave privada de este cliente \
             en PEM"
        ))
    })?;
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    PrivateKeyDer::from_pem_slice(text).map_err(|_| {
        let is_locked = text.windows(9).any(|part| part == b"ENCRYPTED");
        Failure::usage(if is_locked {
            say!(
                "key_file: the key in '{shown}' is locked by a password; write it without one: \
                 openssl pkey -in '{shown}' -out KEY",
                "key_file: la clave de '{shown}' está protegida con contraseña; escríbala sin \
                 ella: openssl pkey -in '{shown}' -out CLAVE"
            )
        } else {
            say!(
                "key_file: '{shown}' holds no private key; name one in PEM, which begins with \
                 -----BEGIN PRIVATE KEY-----",
                "key_file: '{shown}' no contiene una clave privada; indique una en PEM, que \
                 empieza con -----BEGIN PRIVATE KEY-----"
            )
        })
    })
}

fn verified(
    trust: &Trust,
    provider: Arc<CryptoProvider>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let config = config.with_safe_default_protocol_versions()?.dangerous();
    if trust.anything {
        let any = Arc::new(AnyCertificate(provider));
        return Ok(config.with_custom_certificate_verifier(any));
    }
    let named: Vec<_> = trust.certificates.iter().cloned().map(CertificateDer::from).collect();
    let verifier = CameraVerifier {
        rest: Verifier::new_with_extra_roots(named.iter().cloned(), Arc::clone(&provider))?,
        named,
        algorithms: provider.signature_verification_algorithms,
    };
    Ok(config.with_custom_certificate_verifier(Arc::new(verifier)))
}

/// Whether `message` is signed with the key of `certificate`, which may be of the first version of
/// X.509: many cameras make one of those for themselves, and rustls reads none.
fn verify_signature(
    algorithms: WebPkiSupportedAlgorithms,
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let anchor = webpki::anchor_from_trusted_cert(certificate);
    let anchor = anchor.map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let key = sequence(anchor.subject_public_key_info.as_ref());
    let key = SubjectPublicKeyInfoDer::from(key);
    let key = webpki::RawPublicKeyEntity::try_from(&key)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let of_scheme = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signature.scheme);
    let mut known = of_scheme.flat_map(|(_, algorithms)| algorithms.iter());
    match known.any(|one| key.verify_signature(*one, message, signature.signature()).is_ok()) {
        true => Ok(HandshakeSignatureValid::assertion()),
        false => Err(Error::InvalidCertificate(CertificateError::BadSignature)),
    }
}

/// `content` as an ASN.1 sequence in DER.
fn sequence(content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let head = match content.len() {
        short @ 0..0x80 => vec![0x30, short as u8],
        _ => [&[0x30, 0x80 | length.len() as u8], &length[..]].concat(),
    };
    [&head, content].concat()
}

/// Takes any certificate, and any signature with it.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes a camera whose own certificate was named, whatever names it bears: most cameras make it
/// themselves, and are asked by an address that it does not hold. Leaves the others to the usual
/// check.
#[derive(Debug)]
struct CameraVerifier {
    named: Vec<CertificateDer<'static>>,
    rest: Verifier,
    algorithms: WebPkiSupportedAlgorithms,
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
        if self.named.contains(certificate) {
            return verify_signature(self.algorithms, message, certificate, signature);
        }
        self.rest.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.named.contains(certificate) {
            return verify_signature(self.algorithms, message, certificate, signature);
        }
        self.rest.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.rest.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_hides_no_certificate() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let why = |text: &str| {
            std::fs::write(file.path(), text).unwrap();
            read_certificates(file.path()).unwrap_err().en
        };
        // A certificate that is none, but found.
        let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        assert!(!why(pem).contains("it holds no certificate"), "{}", why(pem));
        assert_eq!(why(&format!("\u{feff}{pem}")), why(pem));
        assert!(why("hello").contains("it holds no certificate"));
    }
}
