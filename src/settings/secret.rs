//! Secrets: by file or environment, never by flag, and never shown.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use celaje_sky::error::{Failure, Result};
use celaje_sky::say;

/// Most bytes of a secret.
const LONGEST: u64 = 4096;

/// A secret; it is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one who is to be told.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// In a file.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
}

impl SecretPlace {
    /// Reads it: each time anew, so that an exchanged file counts.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(&self) -> Result<Secret> {
        match self {
            Self::File(path) => of_file(path),
            Self::Variable(name) => match std::env::var(name) {
                Ok(text) if !text.trim().is_empty() => Ok(Secret(text.trim().to_owned())),
                _ => Err(Failure::usage(say!(
                    "the variable {name} holds no secret; set it, or name a file",
                    "la variable {name} no contiene ningún secreto; defínala, o indique un archivo"
                ))),
            },
        }
    }
}

/// The first line of a file, without the mark that some editors put before it.
fn of_file(path: &Path) -> Result<Secret> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| {
        file.take(LONGEST + 1).read_to_end(&mut bytes)?;
        Ok(())
    });
    if let Err(error) = read {
        return Err(Failure::usage(say!(
            "the secret's file '{shown}' cannot be read: {error}",
            "no se puede leer el archivo del secreto '{shown}': {error}"
        )));
    }
    let text = std::str::from_utf8(&bytes).ok().filter(|_| bytes.len() as u64 <= LONGEST);
    let text = text.map(|text| text.trim_start_matches('\u{feff}').trim());
    match text {
        Some(text) if !text.is_empty() && text.lines().count() == 1 => Ok(Secret(text.to_owned())),
        _ => Err(Failure::usage(say!(
            "the secret's file '{shown}' must hold one line of text, of at most {LONGEST} bytes",
            "el archivo del secreto '{shown}' debe contener una línea de texto, de hasta {LONGEST} \
             bytes"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_one_line_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            SecretPlace::File(path.clone()).read()
        };
        for bytes in [&b"tk_1"[..], b"tk_1\r\n", b"\xef\xbb\xbftk_1\n", b"  tk_1 \n\n"] {
            let secret = read(bytes).unwrap();
            assert_eq!(secret.expose(), "tk_1", "{bytes:?}");
            assert_eq!(format!("{secret:?}"), "Secret(…)");
        }
        for bytes in [&b""[..], b"\n", b"hush\nhush\n", b"\xff\xfe\x00", &[b'a'; 5000]] {
            let why = read(bytes).unwrap_err().to_string();
            assert!(why.contains("token") && !why.contains("hush"), "{why}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(SecretPlace::File(path).read().is_err());
        let unset = SecretPlace::Variable("CELAJE_TEST_NO_SUCH_SECRET".to_owned());
        assert!(unset.read().unwrap_err().to_string().contains("CELAJE_TEST_NO_SUCH_SECRET"));
    }
}
