//! Where the queue is, and how one is let in.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use celaje_sky::say;
use celaje_sky::text::Text;

/// How long a worker may be silent where nothing is said of it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What an address says of who one is.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum QueueLogin {
    /// `nats://USER:PASSWORD@HOST`.
    User(String, String),
    /// `nats://TOKEN@HOST`.
    Token(String),
}

/// The servers of a queue, and what they ask for.
#[derive(Clone, PartialEq, Eq)]
pub struct QueueAddress {
    /// Of one server or, of a cluster, several; without what is secret.
    servers: Vec<Url>,
    /// What the first of the addresses that say something of it said.
    login: Option<QueueLogin>,
    /// Certificates of the servers' authority; none for those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The file with the credentials that NATS gave out.
    pub credentials: Option<PathBuf>,
    /// How long a worker may be silent before its job is given to another one.
    pub patience: Duration,
}

impl std::fmt::Debug for QueueAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "QueueAddress({self})")
    }
}

impl std::fmt::Display for QueueAddress {
    /// The servers alone, without what is secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let servers: Vec<_> = self.servers.iter().map(Url::as_str).collect();
        f.write_str(&servers.join(","))
    }
}

impl QueueAddress {
    /// Reads `nats://HOST:PORT` or `tls://HOST:PORT`, several of them separated by commas.
    ///
    /// # Errors
    /// When it is none; the text is not repeated, since it may hold a password.
    pub fn parse(text: &str) -> Result<Self, Text> {
        let bad = || {
            say!(
                "queue must be nats://HOST:PORT or tls://HOST:PORT, several of one cluster \
                 separated by commas",
                "queue debe ser nats://SERVIDOR:PUERTO o tls://SERVIDOR:PUERTO, varios de un \
                 mismo cluster separados por comas"
            )
        };
        let mut servers = Vec::new();
        let mut login = None;
        for part in text.split(',').map(str::trim) {
            let mut url = Url::parse(part).map_err(|_| bad())?;
            let is_bare = matches!(url.path(), "" | "/") && url.query().is_none();
            let has_host = url.host_str().is_some_and(|host| !host.is_empty());
            if !matches!(url.scheme(), "nats" | "tls") || !is_bare || !has_host {
                return Err(bad());
            }
            login = login.or_else(|| QueueLogin::of(&url));
            url.set_username("").and_then(|()| url.set_password(None)).map_err(|()| bad())?;
            servers.push(url);
        }
        Ok(Self { servers, login, ca_file: None, credentials: None, patience: PATIENCE })
    }

    /// The servers' addresses.
    pub(super) fn servers(&self) -> Vec<String> {
        self.servers.iter().map(Url::to_string).collect()
    }

    /// Who one is, where the address says so.
    pub(super) fn login(&self) -> Option<QueueLogin> {
        self.login.clone()
    }
}

impl QueueLogin {
    fn of(url: &Url) -> Option<Self> {
        let plain = |text: &str| {
            percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
        };
        let first = plain(url.username());
        match url.password() {
            Some(password) => Some(Self::User(first, plain(password))),
            None => (!first.is_empty()).then_some(Self::Token(first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = QueueAddress::parse("tls://ana:s%40cret@a:4222,tls://b:4222").unwrap();
        assert_eq!(address.to_string(), "tls://a:4222,tls://b:4222");
        assert_eq!(format!("{address:?}"), "QueueAddress(tls://a:4222,tls://b:4222)");
        let login = Some(QueueLogin::User("ana".to_owned(), "s@cret".to_owned()));
        assert!(address.login() == login);
        let address = QueueAddress::parse("nats://b:4222,nats://s%40cret@a:4222").unwrap();
        assert_eq!(address.to_string(), "nats://b:4222,nats://a:4222");
        assert!(address.login() == Some(QueueLogin::Token("s@cret".to_owned())));
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for bad in ["", "http://a:1", "nats://", "nats://u:secret@a/b", "nats://a:1,", "a:4222"] {
            let refused = QueueAddress::parse(bad).unwrap_err();
            assert!(!refused.en.contains("secret"), "{bad}");
        }
    }
}
