//! The error policy, written down once.
//!
//! * A module with errors of its own has a `thiserror` enum; nothing in the library panics on
//!   input.
//! * What the user has to act on becomes a [`Failure`]: one sentence in both languages (what, which
//!   value, what to do) and a [`Class`] that fixes the exit status.
//! * A slot that yields no observation is no error: it is a
//!   [`Miss`](crate::outcome::Miss) with a reason, and is recorded.
//! * What may be a mistake (a run that found no picture) is a notice on stderr. `--quiet` silences
//!   it, and it does not change the exit status.
//! * A bug (a panic in an actor) is caught at the actor's edge, logged, and its work is retried
//!   once.

use std::io::ErrorKind;

use crate::say;
use crate::text::{BadValue, Text};

/// Whose fault a [`Failure`] is, and with it the exit status of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The command line or the settings: exit status 2.
    Usage,
    /// A file, a library, the database, the machine: exit status 3.
    Environment,
    /// No request of a run reached the host: exit status 4.
    Unreachable,
}

impl Class {
    /// The exit status of this class.
    pub const fn exit_status(self) -> u8 {
        match self {
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Unreachable => 4,
        }
    }
}

/// Something that the user has to act on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// Fixes the exit status.
    pub class: Class,
    /// One sentence: what, which value, what to do.
    pub text: Text,
}

impl Failure {
    /// A mistake in the command line or the settings.
    pub fn usage(text: Text) -> Self {
        Self { class: Class::Usage, text }
    }

    /// Something that the machine lacks or refuses.
    pub fn environment(text: Text) -> Self {
        Self { class: Class::Environment, text }
    }

    /// The camera's host could not be reached at all.
    pub fn unreachable(text: Text) -> Self {
        Self { class: Class::Unreachable, text }
    }
}

/// Why the system refused, in the reader's language: its own words are English.
pub fn io_text(error: &std::io::Error) -> Text {
    // Linux's EIO, which has no kind of its own.
    const DEVICE: Option<i32> = Some(5);
    // What this program itself says has both languages already.
    let own = error.get_ref().and_then(|inner| inner.downcast_ref());
    if let Some(BadValue(text)) = own {
        return text.clone();
    }
    match error.kind() {
        ErrorKind::NotFound => say!("it is not there", "no existe"),
        ErrorKind::PermissionDenied => say!("permission is denied", "no hay permiso"),
        ErrorKind::IsADirectory => say!("it is a folder", "es una carpeta"),
        ErrorKind::NotADirectory => {
            say!("a part of its path is no folder", "una parte de la ruta no es una carpeta")
        }
        ErrorKind::StorageFull => say!("the disk is full", "el disco está lleno"),
        ErrorKind::ReadOnlyFilesystem => {
            say!("the file system is read-only", "el sistema de archivos es de solo lectura")
        }
        ErrorKind::AlreadyExists => say!("it is there already", "ya existe"),
        ErrorKind::ResourceBusy => say!("it is in use", "está en uso"),
        ErrorKind::QuotaExceeded => {
            say!("the user's share of the disk is used up", "se agotó la cuota de disco")
        }
        ErrorKind::FileTooLarge => say!("the file gets too large", "el archivo es muy grande"),
        ErrorKind::InvalidFilename => say!("its name is not possible", "el nombre no es posible"),
        ErrorKind::DirectoryNotEmpty => {
            say!("the folder is not empty", "la carpeta no está vacía")
        }
        ErrorKind::CrossesDevices => {
            say!("it is on another file system", "está en otro sistema de archivos")
        }
        ErrorKind::BrokenPipe => say!("its reader has ended", "quien lo lee terminó"),
        ErrorKind::UnexpectedEof => say!("it ends too early", "termina antes de tiempo"),
        ErrorKind::TimedOut => say!("it does not answer in time", "no responde a tiempo"),
        ErrorKind::ConnectionRefused => {
            say!("the connection is refused", "se rechaza la conexión")
        }
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
            say!("the connection was closed", "se cortó la conexión")
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            say!("it cannot be reached from this machine", "no se alcanza desde este equipo")
        }
        ErrorKind::AddrInUse => {
            say!("another program uses the address", "otro programa usa la dirección")
        }
        ErrorKind::AddrNotAvailable => {
            say!("this machine has no such address", "este equipo no tiene esa dirección")
        }
        ErrorKind::OutOfMemory => say!("the memory is full", "no queda memoria"),
        // What has words of its own is no refusal of the system's.
        ErrorKind::InvalidData if error.get_ref().is_none() => {
            say!("it is no text in UTF-8", "no es un texto en UTF-8")
        }
        _ => match error.raw_os_error() {
            code if cfg!(unix) && code == DEVICE => {
                say!("the device fails", "falla el dispositivo")
            }
            Some(code) => say!("{error}", "error {code} del sistema"),
            None => say!("{error}", "no se pudo"),
        },
    }
}

/// Why a request brought nothing, in the reader's language: `detail` is in the words of the
/// libraries that made it, and so it is recorded.
pub fn request_text(detail: &str) -> Text {
    const KNOWN: [(&str, &str, &str); 15] = [
        ("Connection refused", "the connection is refused", "se rechaza la conexión"),
        ("Connection reset", "the connection was closed", "se cortó la conexión"),
        ("connection closed", "the connection was closed", "se cortó la conexión"),
        ("Broken pipe", "the connection was closed", "se cortó la conexión"),
        ("failed to lookup address", "its name is not known", "no se conoce su nombre"),
        ("dns error", "its name is not known", "no se conoce su nombre"),
        ("No route to host", "there is no way to it", "no hay camino hasta allí"),
        ("etwork is unreachable", "there is no way to it", "no hay camino hasta allí"),
        ("timed out", "it does not answer in time", "no responde a tiempo"),
        ("deadline has elapsed", "it does not answer in time", "no responde a tiempo"),
        ("error decoding response", "its answer breaks off", "su respuesta se corta"),
        ("ertificate", "", "no se acepta el certificado"),
        ("SOCKS error", "", "el proxy SOCKS no pasa el pedido"),
        ("nothing was found", "", "no se halló nada"),
        ("no such file", "", "no existe ese archivo"),
    ];
    if detail.is_empty() || detail.starts_with("HTTP ") {
        return say!("{detail}", "{detail}");
    }
    let known = KNOWN.iter().find(|(part, ..)| detail.contains(part));
    match known {
        Some((_, "", es)) => say!("{detail}", "{es}"),
        Some((_, en, es)) => say!("{en}", "{es}"),
        None => say!("{detail}", "el pedido falló"),
    }
}

/// A result whose error is told to the user.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Error;

    #[test]
    fn what_the_system_refuses_has_words_in_both_languages() {
        // Linux's: EPERM ENOENT EACCES EBUSY EEXIST ENOTDIR EISDIR ENOSPC EROFS ECONNREFUSED.
        for code in [1, 2, 13, 16, 17, 20, 21, 28, 30, 111] {
            let Text { en, es } = io_text(&Error::from_raw_os_error(code));
            for text in [&en, &es] {
                assert!(!text.contains("error"), "{code}: {text}");
            }
            assert_ne!(en, es);
        }
        let odd = io_text(&Error::from_raw_os_error(95));
        assert_eq!(odd.es, "error 95 del sistema");
        assert!(odd.en.ends_with("(os error 95)"), "{}", odd.en);
        let ours = say!("a database", "una base de datos");
        assert_eq!(io_text(&Error::other(BadValue(ours.clone()))), ours);
        let own = io_text(&Error::new(ErrorKind::InvalidData, "the archive has no end"));
        assert_eq!((own.en.as_str(), own.es.as_str()), ("the archive has no end", "no se pudo"));
    }

    #[test]
    fn a_request_that_failed_is_told_in_both_languages() {
        for (detail, en, es) in [
            (
                "error sending request: client error (Connect): tcp connect error: Connection \
                 refused (os error 111)",
                "the connection is refused",
                "se rechaza la conexión",
            ),
            ("HTTP 404", "HTTP 404", "HTTP 404"),
            (
                "invalid peer certificate: x",
                "invalid peer certificate: x",
                "no se acepta el certificado",
            ),
            ("something odd", "something odd", "el pedido falló"),
        ] {
            let text = request_text(detail);
            assert_eq!((text.en.as_str(), text.es.as_str()), (en, es));
        }
    }
}
