//! What end users read, in Spanish and in English.
//!
//! A sentence is written once in each language where it is needed ([`say!`](crate::say)) and
//! travels as a [`Text`]; the language is chosen when it is printed.

use std::fmt;
use std::sync::OnceLock;

use crate::say;

/// A language of the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Español.
    Es,
    /// English.
    En,
}

static LANG: OnceLock<Lang> = OnceLock::new();

impl Lang {
    /// Each value with the name under which it is written.
    pub const NAMES: &'static [(&'static str, Self)] = &[("es", Self::Es), ("en", Self::En)];

    /// The language that a POSIX locale name asks for (`es_AR.UTF-8` → Spanish).
    ///
    /// Anything that is not Spanish reads English.
    pub fn from_locale(locale: &str) -> Self {
        if locale.to_ascii_lowercase().starts_with("es") { Self::Es } else { Self::En }
    }

    /// The language of the environment: `CELAJE_LANG`, `LC_ALL`, `LC_MESSAGES`, `LANG`, the first
    /// that is set and not empty.
    pub fn from_environment() -> Self {
        ["CELAJE_LANG", "LC_ALL", "LC_MESSAGES", "LANG"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
            .map_or(Self::En, |value| Self::from_locale(&value))
    }

    /// Fixes the language of this process; the first call wins.
    pub fn choose(self) {
        let _ = LANG.set(self);
    }

    /// The language of this process: the chosen one, else that of the environment.
    pub fn current() -> Self {
        *LANG.get_or_init(Self::from_environment)
    }
}

/// One sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text {
    /// English.
    pub en: String,
    /// Spanish.
    pub es: String,
}

impl Text {
    /// The sentence in `lang`.
    pub fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::Es => &self.es,
            Lang::En => &self.en,
        }
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get(Lang::current()))
    }
}

/// A number of things, each language's names of one and of several: `1 observation`.
///
/// ```
/// use celaje_sky::text::count;
/// let text = count(1, ["miss", "misses"], ["fallido", "fallidos"]);
/// assert_eq!((text.en.as_str(), text.es.as_str()), ("1 miss", "1 fallido"));
/// ```
pub fn count(n: impl Into<i64>, en: [&str; 2], es: [&str; 2]) -> Text {
    let n = n.into();
    let [en, es] = [en, es].map(|names| names[usize::from(n != 1)]);
    say!("{n} {en}", "{n} {es}")
}

/// A value that cannot be read: how to write one, such as `write a whole number from 1 to 31`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadValue(pub Text);

/// Builds a [`Text`] from an English and a Spanish format string; both see the same variables.
///
/// ```
/// let slots = 3;
/// let text = celaje_sky::say!("{slots} slots", "{slots} turnos");
/// assert_eq!(text.en, "3 slots");
/// assert_eq!(text.es, "3 turnos");
/// ```
///
/// A text that is a part of both is named behind them; each language takes its own.
///
/// ```
/// let why = celaje_sky::say!("full", "lleno");
/// let text = celaje_sky::say!("the disk is {why}", "el disco está {why}", why = why);
/// assert_eq!(text.es, "el disco está lleno");
/// ```
#[macro_export]
macro_rules! say {
    ($en:literal, $es:literal $(,)?) => {
        $crate::text::Text { en: format!($en), es: format!($es) }
    };
    ($en:literal, $es:literal, $($part:ident = $text:expr),+ $(,)?) => {{
        $(let $part: $crate::text::Text = $text;)+
        $crate::text::Text {
            en: {
                $(let $part = &$part.en;)+
                format!($en)
            },
            es: {
                $(let $part = &$part.es;)+
                format!($es)
            },
        }
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_choose_the_language() {
        assert_eq!(Lang::from_locale("es_AR.UTF-8"), Lang::Es);
        assert_eq!(Lang::from_locale("ES"), Lang::Es);
        assert_eq!(Lang::from_locale("C.UTF-8"), Lang::En);
        assert_eq!(Lang::from_locale("de_DE"), Lang::En);
    }
}
