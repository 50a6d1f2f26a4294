//! Secrets: by file or environment, never by flag, and never shown.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use celaje_sky::error::{Failure, Result, io_text};
use celaje_sky::say;
use celaje_sky::text::Text;

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
    /// Where to look for it: the key of the file, which begins with `what`, or the variable.
    pub fn key(&self, what: &str) -> String {
        match self {
            Self::File(_) => format!("{what}_file"),
            Self::Variable(name) => name.clone(),
        }
    }

    /// Reads it: each time anew, so that an exchanged file counts. `what` is as for [`Self::key`].
    ///
    /// # Errors
    /// When there is none.
    pub fn read(&self, what: &str) -> Result<Secret> {
        match self {
            Self::File(path) => Secret::of_file(path, &self.key(what)),
            Self::Variable(name) => match std::env::var(name) {
                Ok(text) if !text.trim().is_empty() => Ok(Secret(text.trim().to_owned())),
                _ => Err(Failure::usage(say!(
                    "the variable {name} is empty or not set; set it, or write {what}_file",
                    "la variable {name} está vacía o no existe; defínala, o escriba {what}_file"
                ))),
            },
        }
    }
}

impl Secret {
    /// The one line of a file, without the mark that some editors put before it; `key` is what
    /// names the file.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_file(path: &Path, key: &str) -> Result<Self> {
        let shown = path.display();
        let mut bytes = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| {
            file.take(LONGEST + 1).read_to_end(&mut bytes)?;
            Ok(())
        });
        if let Err(error) = read {
            let Text { en, es } = io_text(&error);
            return Err(Failure::usage(say!(
                "{key}: the file '{shown}' cannot be read: {en}; write the secret into it, in one \
                 line",
                "{key}: no se puede leer el archivo '{shown}': {es}; escriba en él el secreto, en \
                 una línea"
            )));
        }
        line(&bytes).map(Self).map_err(|fault| {
            let Text { en, es } = fault;
            Failure::usage(say!(
                "{key}: the file '{shown}' {en}; write the secret alone into it, in one line",
                "{key}: el archivo '{shown}' {es}; escriba en él solo el secreto, en una línea"
            ))
        })
    }
}

/// The one line of `bytes`, or what they are instead.
fn line(bytes: &[u8]) -> Result<String, Text> {
    if bytes.len() as u64 > LONGEST {
        return Err(say!("has more than {LONGEST} bytes", "tiene más de {LONGEST} bytes"));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(say!("is no text in UTF-8", "no es un texto en UTF-8"));
    };
    let text = text.trim_start_matches('\u{feff}').trim();
    match text.lines().count() {
        0 => Err(say!("is empty", "está vacío")),
        1 => Ok(text.to_owned()),
        n => Err(say!("has {n} lines", "tiene {n} líneas")),
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
            SecretPlace::File(path.clone()).read("token")
        };
        for bytes in [&b"tk_1"[..], b"tk_1\r\n", b"\xef\xbb\xbftk_1\n", b"  tk_1 \n\n"] {
            let secret = read(bytes).unwrap();
            assert_eq!(secret.expose(), "tk_1", "{bytes:?}");
            assert_eq!(format!("{secret:?}"), "Secret(…)");
        }
        for (bytes, en, es) in [
            (&b""[..], "is empty", "está vacío"),
            (b"\xef\xbb\xbf \r\n", "is empty", "está vacío"),
            (b"hush\nhush\n", "has 2 lines", "tiene 2 líneas"),
            // UTF-16, as Windows' editors write it.
            (b"\xff\xfeh\x00", "is no text in UTF-8", "no es un texto en UTF-8"),
            (&[b'a'; 5000], "more than 4096 bytes", "más de 4096 bytes"),
        ] {
            let why = read(bytes).unwrap_err().text;
            let shown = path.display().to_string();
            for (text, part) in [(&why.en, en), (&why.es, es)] {
                assert!(text.starts_with("token_file: ") && text.contains(part), "{text}");
                assert!(text.contains(&shown) && !text.contains("hush"), "{text}");
            }
        }
        std::fs::remove_file(&path).unwrap();
        let missing = SecretPlace::File(path).read("password").unwrap_err().text;
        assert!(missing.en.starts_with("password_file: the file '"), "{missing}");
        assert!(missing.en.contains("it is not there"), "{missing}");
        assert!(missing.es.contains("no existe"), "{missing}");
        let unset = SecretPlace::Variable("CELAJE_TEST_NO_SUCH_SECRET".to_owned());
        let why = unset.read("token").unwrap_err().text;
        for text in [why.en, why.es] {
            assert!(text.contains("CELAJE_TEST_NO_SUCH_SECRET"), "{text}");
            assert!(text.contains("token_file"), "{text}");
        }
    }
}
