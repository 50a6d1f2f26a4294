//! Why a server does not take what it is sent, and which key to look at: one sentence in both
//! languages.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::{AlertDescription, CertificateError};

use crate::camera::trust::is_too_old;
use celaje_sky::say;
use celaje_sky::text::Text;

/// How the standard library begins what it says of a name that has no address.
const NO_ADDRESS: &str = "failed to lookup address information";

/// The keys of `celaje.toml` that say how a server is reached.
pub(super) struct PeerKeys {
    /// Its address.
    pub address: Text,
    /// What it may say of TLS.
    pub security: Text,
    /// Its authority; none where those of the system alone count.
    pub authority: Option<Text>,
    /// The client's own certificate and key.
    pub client: Option<Text>,
}

/// What keeps a server from being spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PeerFault {
    Refused,
    Closed,
    Silent,
    NoRoute,
    NameUnknown,
    /// Its certificate is of an authority that is not known.
    Untrusted,
    /// Its certificate, or that of its authority, is of the first version of X.509.
    TooOld,
    /// Its certificate bears another name.
    OtherName,
    /// Its certificate is of another time.
    OutOfDate,
    /// It asks for a certificate of the client, or refuses that.
    ClientCertificate,
    NoTls,
    /// It closes the connection in the middle of TLS' handshake.
    HandshakeEnded,
    /// It answers, but as no broker does.
    NoMqtt,
    Other(String),
}

impl PeerFault {
    /// What an error, or the deepest known cause of it, says.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        let mut last = error;
        while let Some(cause) = next {
            if let Some(fault) = Self::known(cause) {
                return fault;
            }
            (last, next) = (cause, cause.source());
        }
        Self::Other(last.to_string())
    }

    fn known(cause: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return Some(Self::of_tls(error));
        }
        let error = cause.downcast_ref::<io::Error>()?;
        // What one of input and output holds is no source of it.
        if let Some(fault) = error.get_ref().and_then(|inner| Self::known(inner)) {
            return Some(fault);
        }
        Some(match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Self::Closed,
            ErrorKind::TimedOut => Self::Silent,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Self::NoRoute,
            _ if error.to_string().starts_with(NO_ADDRESS) => Self::NameUnknown,
            _ => return None,
        })
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use AlertDescription as A;
        match error {
            rustls::Error::InvalidCertificate(fault) => match fault {
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => Self::OtherName,
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Self::OutOfDate,
                fault if is_too_old(fault) => Self::TooOld,
                _ => Self::Untrusted,
            },
            rustls::Error::AlertReceived(
                A::CertificateRequired
                | A::BadCertificate
                | A::UnsupportedCertificate
                | A::CertificateRevoked
                | A::CertificateExpired
                | A::CertificateUnknown
                | A::UnknownCA
                | A::AccessDenied
                | A::HandshakeFailure,
            ) => Self::ClientCertificate,
            rustls::Error::InvalidMessage(_) => Self::NoTls,
            other => Self::Other(other.to_string()),
        }
    }

    /// The sentence of a server at `place`, which is shown as it is: it must hold no secret.
    pub(super) fn sentence(&self, place: &str, keys: &PeerKeys) -> Text {
        let (fault, todo) = (self.text(), self.advice(keys));
        let (en, es) = (fault.en, fault.es);
        let (look, revise) = (todo.en, todo.es);
        say!("{place} {en}; {look}", "{place} {es}; {revise}")
    }

    /// What it does; the server is the subject.
    fn text(&self) -> Text {
        match self {
            Self::Refused => say!("refuses the connection", "rechaza la conexión"),
            Self::Closed => say!("closes the connection", "cierra la conexión"),
            Self::Silent => say!("does not answer", "no responde"),
            Self::NoRoute => {
                say!("cannot be reached from this machine", "no se alcanza desde este equipo")
            }
            Self::NameUnknown => {
                say!("has a name that is not known", "tiene un nombre que no se conoce")
            }
            Self::Untrusted => say!(
                "shows a certificate that is not trusted",
                "muestra un certificado que no es de confianza"
            ),
            Self::TooOld => say!(
                "shows a certificate of version 1 of X.509, which TLS does not take",
                "muestra un certificado X.509 de versión 1, que TLS no acepta"
            ),
            Self::OtherName => {
                say!("shows a certificate for another name", "muestra un certificado a otro nombre")
            }
            Self::OutOfDate => say!(
                "shows a certificate that is not valid now",
                "muestra un certificado que ahora no está vigente"
            ),
            Self::ClientCertificate => say!(
                "asks for another certificate of the client",
                "pide otro certificado del cliente"
            ),
            Self::NoTls => say!("does not speak TLS there", "no habla TLS ahí"),
            Self::HandshakeEnded => say!(
                "ends the handshake of TLS, as a server does that speaks none there",
                "corta el saludo de TLS, como hace un servidor que ahí no lo habla"
            ),
            Self::NoMqtt => {
                say!("answers what is no MQTT", "responde algo que no es MQTT")
            }
            Self::Other(why) => say!("cannot be spoken to ({why})", "no se puede usar"),
        }
    }

    /// What to do.
    fn advice(&self, keys: &PeerKeys) -> Text {
        let Text { en: address, es: dirección } = &keys.address;
        let Text { en: security, es: seguridad } = &keys.security;
        match self {
            Self::Refused | Self::Silent | Self::NoRoute | Self::Other(_) => say!(
                "look whether it runs, and at {address}",
                "revise si está en marcha, y {dirección}"
            ),
            Self::Closed if let Some(Text { en, es }) = &keys.client => {
                say!("look at {address} and at {en}", "revise {dirección} y {es}")
            }
            Self::Closed | Self::NoTls | Self::HandshakeEnded | Self::NoMqtt => {
                say!("look at {address}: {security}", "revise {dirección}: {seguridad}")
            }
            Self::NameUnknown => say!("look at {address}", "revise {dirección}"),
            Self::OtherName => say!(
                "write into {address} the name that it bears",
                "escriba en {dirección} el nombre que lleva"
            ),
            Self::Untrusted => match &keys.authority {
                Some(Text { en, es }) => say!(
                    "name its authority's certificate as {en}",
                    "indique el certificado de su autoridad como {es}"
                ),
                None => say!(
                    "add its authority to those of this machine",
                    "agregue su autoridad a las de este equipo"
                ),
            },
            Self::TooOld => say!(
                "make it anew there with extensions: openssl x509 -req … -extfile FILE, where \
                 FILE says subjectAltName=DNS: and its name",
                "hágalo de nuevo allí con extensiones: openssl x509 -req … -extfile ARCHIVO, donde \
                 ARCHIVO dice subjectAltName=DNS: y su nombre"
            ),
            Self::OutOfDate => say!(
                "renew it there, and look at this machine's clock",
                "renuévelo allí, y revise el reloj de este equipo"
            ),
            Self::ClientCertificate => match &keys.client {
                Some(Text { en, es }) => say!("look at {en}", "revise {es}"),
                None => say!("look at {address}", "revise {dirección}"),
            },
        }
    }
}
