//! Messages by mail.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::daemon::alerts::NotSent;
use crate::daemon::alerts::message::AlertText;
use crate::settings::alerts::{MailSecurity, SenderKind};

/// Time for each answer of the server.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn send(sender: &SenderKind, text: &AlertText) -> Result<(), NotSent> {
    let SenderKind::Mail { server, port, security, user, password, from, to } = sender else {
        return Err(NotSent::because("the sender is no mail server"));
    };
    let failed = |error: &dyn std::fmt::Display| NotSent::because(format!("{server}: {error}"));
    let builder = match security {
        MailSecurity::Starttls => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(server),
        MailSecurity::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(server),
        MailSecurity::None => {
            Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.as_str()))
        }
    };
    let mut builder = builder.map_err(|error| failed(&error))?.timeout(Some(PATIENCE));
    if let Some(port) = port {
        builder = builder.port(*port);
    }
    if let (Some(user), Some(place)) = (user, password) {
        let password = place.read().map_err(|failure| failed(&failure))?;
        let password = password.expose().to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    let message = message(from, to, text).map_err(|why| failed(&why))?;
    builder.build().send(message).await.map(drop).map_err(|error| failed(&error))
}

fn message(from: &str, to: &[String], text: &AlertText) -> Result<Message, String> {
    let mailbox = |text: &str| text.parse::<Mailbox>().map_err(|error| error.to_string());
    let mut message = Message::builder().from(mailbox(from)?).subject(&text.title);
    for address in to {
        message = message.to(mailbox(address)?);
    }
    let body = match text.page.is_empty() {
        true => format!("{}\n", text.text),
        false => format!("{}\n\n{}\n", text.text, text.page),
    };
    message.header(ContentType::TEXT_PLAIN).body(body).map_err(|error| error.to_string())
}
