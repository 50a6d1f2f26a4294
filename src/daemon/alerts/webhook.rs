//! Messages by HTTP: in the form of a known service, or by a template.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method};
use rustls::crypto::ring;
use serde_json::{Value, json};
use url::Url;

use crate::daemon::alerts::NotSent;
use crate::daemon::alerts::message::AlertText;
use crate::daemon::peer::{PeerFault, PeerKeys};
use crate::settings::alerts::{
    Preset, SenderKind, WebhookAddress, placeholder_unknown, unknown_placeholder,
};
use celaje_sky::say;
use celaje_sky::text::Text;

/// Time for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request to be made.
#[derive(Debug, PartialEq)]
struct WebhookRequest {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: String,
    media_type: &'static str,
}

pub(super) async fn send(sender: &SenderKind, text: &AlertText) -> Result<(), NotSent> {
    let request = build(sender, text)?;
    // Fails only when one is installed already.
    let _ = ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("celaje/", env!("CARGO_PKG_VERSION")))
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| NotSent::because(unreached(sender, "", &error)))?;
    let url = Url::parse(&request.url)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))
        .ok_or_else(|| NotSent::because(no_address(sender)))?;
    // The rest of the address may be a secret.
    let place = url.origin().ascii_serialization();
    let method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::POST);
    let mut asked = client.request(method, url).header(CONTENT_TYPE, request.media_type);
    for (name, value) in &request.headers {
        let known = HeaderName::try_from(name.as_str());
        let value = HeaderValue::from_bytes(value.as_bytes());
        match (known, value) {
            (Ok(known), Ok(mut value)) => {
                value.set_sensitive(true);
                asked = asked.header(known, value);
            }
            _ => {
                return Err(NotSent::because(say!(
                    "the header '{name}' cannot be sent; look at headers, and at the token in it",
                    "no se puede enviar el encabezado '{name}'; revise headers, y el token en él"
                )));
            }
        }
    }
    match asked.body(request.body).send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => {
            let after = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            Err(NotSent {
                why: answered(sender, &place, answer.status().as_u16()),
                retry_after: after.and_then(|text| text.trim().parse().ok()).filter(|s| *s >= 0),
            })
        }
        Err(error) => Err(NotSent::because(unreached(sender, &place, &error.without_url()))),
    }
}

/// The key of the address, or of the token where that is the sender's only one.
fn address_key(sender: &SenderKind) -> String {
    match sender {
        SenderKind::Webhook { address: WebhookAddress::Secret(place), .. } => place.key("url"),
        _ => "url".to_owned(),
    }
}

fn no_address(sender: &SenderKind) -> Text {
    let key = address_key(sender);
    say!(
        "{key} holds no address; write one that begins with http:// or https://",
        "{key} no contiene una dirección; escriba una que empiece con http:// o https://"
    )
}

fn unreached(sender: &SenderKind, place: &str, error: &reqwest::Error) -> Text {
    let fault = match error {
        error if error.is_timeout() => PeerFault::Silent,
        error => PeerFault::of(error),
    };
    let key = address_key(sender);
    let keys = PeerKeys {
        address: say!("{key}", "{key}"),
        security: say!("http:// or https://", "http:// o https://"),
        authority: None,
        client: None,
    };
    fault.sentence(place, &keys)
}

/// What an answer with another status than success says, and what to do.
fn answered(sender: &SenderKind, place: &str, status: u16) -> Text {
    let SenderKind::Webhook { preset, token, recipient, .. } = sender else {
        return say!("{place} answered HTTP {status}", "{place} respondió HTTP {status}");
    };
    let address = address_key(sender);
    let token_key = token.as_ref().map(|place| place.key("token"));
    // Telegram's token is a part of the address.
    let is_secret = *preset == Some(Preset::Telegram);
    let todo = match (status, token_key) {
        (401 | 403, None) => say!(
            "look at {address}, or write token_file with the token that it asks for",
            "revise {address}, o escriba token_file con el token que pide"
        ),
        (401 | 403, Some(token)) => say!("look at {token}", "revise {token}"),
        (404 | 405 | 410, Some(token)) if is_secret => say!("look at {token}", "revise {token}"),
        (300..=399 | 404 | 405 | 410, _) => say!("look at {address}", "revise {address}"),
        (429, _) => say!(
            "it wants no more for now: write a longer quiet_for if this happens often",
            "por ahora no quiere más: escriba un quiet_for más largo si ocurre seguido"
        ),
        (400..=499, token) => {
            let known = [token, recipient.as_ref().map(|_| "recipient".to_owned())];
            let more: String = known.into_iter().flatten().map(|key| format!(", {key}")).collect();
            say!(
                "it does not take this message: look at preset, body{more}",
                "no acepta este mensaje: revise preset, body{more}"
            )
        }
        _ => say!(
            "the fault is its own: look at that service, or wait until it is mended",
            "la falla es suya: revise ese servicio, o espere a que se arregle"
        ),
    };
    let (en, es) = (todo.en, todo.es);
    say!("{place} answered HTTP {status}; {en}", "{place} respondió HTTP {status}; {es}")
}

fn build(sender: &SenderKind, text: &AlertText) -> Result<WebhookRequest, NotSent> {
    let SenderKind::Webhook { preset, address, method, headers, body, token, recipient } = sender
    else {
        return Err(NotSent::because(no_address(sender)));
    };
    let told = |failure: celaje_sky::error::Failure| NotSent::because(failure.text);
    let token = match token {
        Some(place) => place.read("token").map_err(told)?.expose().to_owned(),
        None => String::new(),
    };
    let url = match address {
        WebhookAddress::Plain(url) => url.clone(),
        WebhookAddress::Secret(place) => {
            let url = place.read("url").map_err(told)?.expose().to_owned();
            if let Some(found) = unknown_placeholder(&url) {
                return Err(NotSent::because(placeholder_unknown(&place.key("url"), found)));
            }
            url
        }
    };
    let recipient = recipient.clone().unwrap_or_default();
    let mut request = WebhookRequest {
        method: method.clone(),
        url: filled(&url, text, &token, &|value| {
            utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
        }),
        headers: Vec::new(),
        body: String::new(),
        media_type: "application/json",
    };
    match preset {
        Some(preset) => apply(*preset, &mut request, text, &token, &recipient)
            .ok_or_else(|| NotSent::because(no_address(sender)))?,
        None => {
            request.body = match body {
                Some(body) => filled_body(body, text, &token),
                None => serde_json::to_string(text).unwrap_or_default(),
            };
            if !token.is_empty() && headers.is_empty() {
                request.headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
            }
        }
    }
    if let Some(body) = body.as_ref().filter(|_| preset.is_some()) {
        request.body = filled_body(body, text, &token);
    }
    for (name, value) in headers {
        let value = filled(value, text, &token, &|value| value.replace(['\r', '\n'], " "));
        request.headers.push((name.clone(), value));
    }
    Ok(request)
}

/// The form of a service; none where the address is none.
fn apply(
    preset: Preset,
    request: &mut WebhookRequest,
    text: &AlertText,
    token: &str,
    recipient: &str,
) -> Option<()> {
    let AlertText { title, text: words, priority, page, .. } = text;
    let both = format!("{title}\n{words}");
    let base = request.url.trim_end_matches('/').to_owned();
    let body: Value = match preset {
        Preset::Ntfy => {
            let mut url = Url::parse(&base).ok()?;
            let topic = url.path().trim_matches('/').to_owned();
            url.set_path("/");
            request.url = url.to_string();
            if !token.is_empty() {
                request.headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
            }
            let mut body = json!({
                "topic": topic, "title": title, "message": words, "priority": priority,
                "tags": [tag(&text.kind)],
            });
            if !page.is_empty() {
                body["click"] = json!(page);
            }
            body
        }
        Preset::Gotify => {
            request.url = below(&base, "/message");
            request.headers.push(("X-Gotify-Key".to_owned(), token.to_owned()));
            json!({ "title": title, "message": words, "priority": priority + 2 })
        }
        Preset::Pushover => {
            request.url = below(&base, "/1/messages.json");
            let priority = i32::from(*priority) - 3;
            json!({
                "token": token, "user": recipient, "title": title, "message": words,
                "priority": priority,
            })
        }
        Preset::Telegram => {
            request.url = format!("{base}/bot{token}/sendMessage");
            json!({ "chat_id": recipient, "text": both })
        }
        Preset::Slack => json!({ "text": both }),
        Preset::Discord => json!({ "content": both }),
        Preset::Apprise => {
            let kind = if *priority > 3 { "warning" } else { "info" };
            json!({ "title": title, "body": words, "type": kind })
        }
        Preset::Healthchecks => {
            request.media_type = "text/plain; charset=utf-8";
            request.body = both;
            return Some(());
        }
    };
    request.body = body.to_string();
    Some(())
}

/// The address of a service at `base`, which may be written with this path or without it.
fn below(base: &str, path: &str) -> String {
    format!("{}{path}", base.strip_suffix(path).unwrap_or(base))
}

/// The body of a template; in JSON an amount that is not there is `null` outside quotes.
fn filled_body(template: &str, text: &AlertText, token: &str) -> String {
    let is_json = template.trim_start().starts_with(['{', '[']);
    if !is_json || text.okta.is_some() {
        return filled(template, text, token, &json_inside);
    }
    let (mut body, mut is_quoted) = (String::new(), false);
    for (n, part) in template.split("{okta}").enumerate() {
        if n > 0 && !is_quoted {
            body.push_str("null");
        }
        let mut is_escaped = false;
        for c in part.chars() {
            is_quoted ^= c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
        }
        body.push_str(part);
    }
    filled(&body, text, token, &json_inside)
}

/// A name of an emoji, as ntfy has them.
fn tag(kind: &str) -> &'static str {
    match kind {
        "clearing" | "safe" => "stars",
        "clouding" | "unsafe" => "cloud",
        "camera" => "camera",
        _ => "telescope",
    }
}

/// Fills in each `{name}` that templates may hold, escaped; other braces stay.
fn filled(
    template: &str,
    text: &AlertText,
    token: &str,
    escaped: &dyn Fn(&str) -> String,
) -> String {
    let value = |name: &str| {
        Some(match name {
            "id" => text.id.clone(),
            "alert" => text.alert.clone(),
            "kind" => text.kind.clone(),
            "station" => text.station.clone(),
            "title" => text.title.clone(),
            "text" => text.text.clone(),
            "okta" => text.okta.map(|okta| okta.to_string()).unwrap_or_default(),
            "at" => text.at.clone(),
            "priority" => text.priority.to_string(),
            "page" => text.page.clone(),
            "token" => token.to_owned(),
            _ => return None,
        })
    };
    let mut out = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        out.push_str(before);
        let name = from[1..].split_once('}').map(|(name, _)| name);
        match name.and_then(|name| Some((name, value(name)?))) {
            Some((name, value)) => {
                out.push_str(&escaped(&value));
                rest = &from[name.len() + 2..];
            }
            None => {
                out.push('{');
                rest = &from[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// A text as it stands inside the quotes of JSON.
fn json_inside(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::alerts::PLACEHOLDERS;
    use crate::settings::secret::SecretPlace;

    fn text() -> AlertText {
        AlertText {
            title: "The \"hill\": clear".to_owned(),
            text: "1 of 8\noktas".to_owned(),
            kind: "clearing".to_owned(),
            okta: Some(1),
            ..AlertText::test(Some("http://host/"))
        }
    }

    fn webhook(preset: Option<Preset>, url: &str) -> SenderKind {
        SenderKind::Webhook {
            preset,
            address: WebhookAddress::Plain(url.to_owned()),
            method: "POST".to_owned(),
            headers: [("X-Title".to_owned(), "{title} {token}".to_owned())].into(),
            body: None,
            token: None,
            recipient: Some("42".to_owned()),
        }
    }

    fn built(sender: &SenderKind) -> (WebhookRequest, Value) {
        let request = build(sender, &text()).unwrap();
        let body = serde_json::from_str(&request.body).unwrap_or_default();
        (request, body)
    }

    #[test]
    fn each_service_gets_its_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        let with_token = |preset, url: &str| match webhook(Some(preset), url) {
            SenderKind::Webhook { address, method, headers, body, recipient, preset, .. } => {
                let token = Some(SecretPlace::File(path.clone()));
                SenderKind::Webhook { address, method, headers, body, recipient, preset, token }
            }
            other => other,
        };
        let (ntfy, body) = built(&with_token(Preset::Ntfy, "https://ntfy.sh/my-sky"));
        assert_eq!((ntfy.url.as_str(), &body["topic"]), ("https://ntfy.sh/", &"my-sky".into()));
        assert_eq!((&body["priority"], &body["click"]), (&3.into(), &"http://host/".into()));
        assert!(ntfy.headers.contains(&("Authorization".to_owned(), "Bearer s3cret".to_owned())));
        let (gotify, body) = built(&with_token(Preset::Gotify, "http://box:81/"));
        assert_eq!(gotify.url, "http://box:81/message");
        assert!(gotify.headers.contains(&("X-Gotify-Key".to_owned(), "s3cret".to_owned())));
        assert_eq!(body["message"], "1 of 8\noktas");
        let (telegram, body) = built(&with_token(Preset::Telegram, "https://api.telegram.org"));
        assert_eq!(telegram.url, "https://api.telegram.org/bots3cret/sendMessage");
        assert_eq!(body["chat_id"], "42");
        let (pushover, body) = built(&with_token(Preset::Pushover, "https://api.pushover.net"));
        assert_eq!(pushover.url, "https://api.pushover.net/1/messages.json");
        assert_eq!((&body["token"], &body["user"]), (&"s3cret".into(), &"42".into()));
        // As its own pages show it.
        let whole = "https://api.pushover.net/1/messages.json";
        assert_eq!(built(&with_token(Preset::Pushover, whole)).0.url, whole);
        let (gotify, _) = built(&with_token(Preset::Gotify, "http://box:81/message"));
        assert_eq!(gotify.url, "http://box:81/message");
        let (_, body) = built(&with_token(Preset::Slack, "http://a/"));
        assert_eq!(body["text"], "The \"hill\": clear\n1 of 8\noktas");
        let (_, body) = built(&with_token(Preset::Discord, "http://a/"));
        assert!(body["content"].is_string());
        let (_, body) = built(&with_token(Preset::Apprise, "http://a/"));
        assert_eq!(body["type"], "info");
        let (ping, _) = built(&with_token(Preset::Healthchecks, "http://a/uuid"));
        assert_eq!(
            (ping.url.as_str(), ping.media_type),
            ("http://a/uuid", "text/plain; charset=utf-8")
        );
    }

    #[test]
    fn each_placeholder_is_filled_in_and_no_other() {
        for name in PLACEHOLDERS {
            let template = format!("{{{name}}}");
            assert_ne!(filled(&template, &text(), "s3cret", &str::to_owned), template);
            assert_eq!(unknown_placeholder(&template), None);
        }
        let other = "{\"a\":{bogus},\"b\":{}}";
        assert_eq!(filled(other, &text(), "", &str::to_owned), other);
        assert_eq!(unknown_placeholder(other), Some("{bogus}"));
    }

    #[test]
    fn an_amount_that_is_not_there_is_null_in_json() {
        let text = AlertText { okta: None, ..text() };
        for (template, body) in [
            (r#"{"o":{okta},"t":"\"{okta} of 8"}"#, r#"{"o":null,"t":"\" of 8"}"#),
            (r#" [{okta}, "a\\", {okta}]"#, r#" [null, "a\\", null]"#),
            ("okta={okta}", "okta="),
        ] {
            assert_eq!(filled_body(template, &text, ""), body);
        }
        let seen = AlertText { okta: Some(0), ..text };
        assert_eq!(filled_body(r#"{"o":{okta}}"#, &seen, ""), r#"{"o":0}"#);
    }

    #[test]
    fn a_template_is_filled_in_and_escaped() {
        let sender = match webhook(None, "http://a/?q={title}&n={okta}&x={none}") {
            SenderKind::Webhook { address, method, headers, preset, token, recipient, .. } => {
                let body = Some("{\"t\":\"{title}\",\"o\":{okta},\"w\":\"{text}\"}".to_owned());
                SenderKind::Webhook { address, method, headers, body, preset, token, recipient }
            }
            other => other,
        };
        let (request, body) = built(&sender);
        assert_eq!(request.url, "http://a/?q=The%20%22hill%22%3A%20clear&n=1&x={none}");
        let expected = json!({ "t": "The \"hill\": clear", "o": 1, "w": "1 of 8\noktas" });
        assert_eq!(body, expected);
        assert_eq!(request.headers, [("X-Title".to_owned(), "The \"hill\": clear ".to_owned())]);
        let (_, plain) = built(&webhook(None, "http://a/"));
        assert_eq!(plain["kind"], "clearing");
    }
}
