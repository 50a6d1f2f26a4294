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
use crate::text::Text;

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
        ErrorKind::InvalidData => say!("it is no text in UTF-8", "no es un texto en UTF-8"),
        _ => match error.raw_os_error() {
            Some(code) => say!("{error}", "error {code} del sistema"),
            None => say!("{error}", "no se pudo"),
        },
    }
}

/// A result whose error is told to the user.
pub type Result<T, E = Failure> = std::result::Result<T, E>;
