//! Messages by mail.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::daemon::alerts::NotSent;
use crate::daemon::alerts::message::AlertText;
use crate::daemon::peer::{PeerFault, PeerKeys};
use crate::settings::alerts::{MailSecurity, SenderKind};
use crate::settings::secret::SecretPlace;
use celaje_sky::say;
use celaje_sky::text::Text;

/// Time for each answer of the server.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn send(sender: &SenderKind, text: &AlertText) -> Result<(), NotSent> {
    let SenderKind::Mail { server, port, security, user, password, from, to } = sender else {
        return Err(NotSent::because(say!("server is missing", "falta server")));
    };
    let builder = match security {
        MailSecurity::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(server),
        MailSecurity::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(server),
        MailSecurity::None => {
            Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.as_str()))
        }
    };
    let mail =
        MailServer { server, port: *port, user: user.as_deref(), password: password.as_ref() };
    let builder = builder.map_err(|error| NotSent::because(mail.fault(&error)))?;
    let mut builder = builder.timeout(Some(PATIENCE));
    if let Some(port) = port {
        builder = builder.port(*port);
    }
    if let (Some(user), Some(place)) = (user, password) {
        let secret = place.read("password").map_err(|failure| NotSent::because(failure.text))?;
        let secret = secret.expose().to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), secret));
    }
    let message = message(from, to, text).map_err(NotSent::because)?;
    let sent = builder.build().send(message).await;
    sent.map(drop).map_err(|error| NotSent::because(mail.fault(&error)))
}

/// A mail server as its keys name it.
struct MailServer<'a> {
    server: &'a str,
    port: Option<u16>,
    user: Option<&'a str>,
    password: Option<&'a SecretPlace>,
}

impl MailServer<'_> {
    /// Why it did not take a mail, and what to do.
    fn fault(&self, error: &smtp::Error) -> Text {
        let place = match self.port {
            Some(port) => format!("{}:{port}", self.server),
            None => self.server.to_owned(),
        };
        if let Some(code) = error.status() {
            return self.answered(&place, u16::from(code));
        }
        let keys = PeerKeys {
            address: say!("server, port and security", "server, port y security"),
            security: say!("tls, starttls or none", "tls, starttls o none"),
            authority: None,
            client: None,
        };
        if error.is_timeout() {
            return PeerFault::Silent.sentence(&place, &keys);
        }
        if error.is_response() {
            return say!(
                "{place} does not answer as a mail server does; look at server, port and security",
                "{place} no responde como un servidor de correo; revise server, port y security"
            );
        }
        if error.is_client() {
            // What the library does not do without: TLS, or a way to log in.
            return say!(
                "{place} does not offer what security and user ask for; look at security, port \
                 and user",
                "{place} no ofrece lo que piden security y user; revise security, port y user"
            );
        }
        PeerFault::of(error).sentence(&place, &keys)
    }

    fn answered(&self, place: &str, code: u16) -> Text {
        match (code, self.user) {
            (454 | 534 | 535 | 538, Some(user)) => {
                let key = self.password.map(|place| place.key("password")).unwrap_or_default();
                say!(
                    "{place} does not let the user '{user}' in (SMTP {code}); look at user and \
                     {key}",
                    "{place} no deja entrar al usuario '{user}' (SMTP {code}); revise user y {key}"
                )
            }
            (530 | 534 | 535 | 538, None) => say!(
                "{place} asks for a login or TLS (SMTP {code}); write user and password_file, and \
                 look at security",
                "{place} pide un usuario o TLS (SMTP {code}); escriba user y password_file, y \
                 revise security"
            ),
            (400..=499, _) => say!(
                "{place} takes no mail now (SMTP {code}); wait, or look at that server",
                "{place} ahora no acepta correo (SMTP {code}); espere, o revise ese servidor"
            ),
            _ => say!(
                "{place} refuses the mail (SMTP {code}); look at from, to, user and security",
                "{place} rechaza el correo (SMTP {code}); revise from, to, user y security"
            ),
        }
    }
}

fn message(from: &str, to: &[String], text: &AlertText) -> Result<Message, Text> {
    let bad = |key: &'static str| {
        say!("{key} names no mail address; look at it", "{key} no nombra una dirección; revíselo")
    };
    let mailbox = |key, text: &str| text.parse::<Mailbox>().map_err(|_| bad(key));
    let mut message = Message::builder().from(mailbox("from", from)?).subject(&text.title);
    for address in to {
        message = message.to(mailbox("to", address)?);
    }
    let body = match text.page.is_empty() {
        true => format!("{}\n", text.text),
        false => format!("{}\n\n{}\n", text.text, text.page),
    };
    message.header(ContentType::TEXT_PLAIN).body(body).map_err(|_| bad("from"))
}
