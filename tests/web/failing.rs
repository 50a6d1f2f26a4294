//! What takes no message says why in one sentence, in each language: what, which value, what to do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;

use celaje::daemon::alerts;
use celaje::settings::alerts::SenderSettings;
use celaje::settings::{Layer, Settings};
use celaje_sky::error::Failure;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::broker::free_port;
use crate::sink::Sink;

/// What no sentence may hold.
const SECRET: &str = "hush-hush";

/// The first sender of these settings.
fn sender(folder: &Path, toml: &str) -> SenderSettings {
    let path = folder.join("celaje.toml");
    std::fs::write(&path, toml).unwrap();
    let settings = Settings::resolve(Layer::default(), Some(&path), |_| None).unwrap();
    settings.reach.senders[0].clone()
}

/// A failure's two sentences: each has its parts, none has a secret, and Spanish no English.
fn told(failure: &Failure, en: &[&str], es: &[&str]) {
    println!("{}\n  {}", failure.text.en, failure.text.es);
    for (text, parts) in [(&failure.text.en, en), (&failure.text.es, es)] {
        for part in parts {
            assert!(text.contains(part), "no '{part}' in: {text}");
        }
        assert!(!text.contains(SECRET) && !text.contains('\n'), "{text}");
        assert!(!text.contains(". ") && !text.ends_with('.'), "one sentence: {text}");
    }
    let english = [
        " the ",
        " look",
        "error",
        "refuse",
        "Unauthorized",
        "Server",
        " not ",
        "connection",
        "denied",
    ];
    for word in english {
        assert!(!failure.text.es.contains(word), "'{word}' in: {}", failure.text.es);
    }
}

async fn test(folder: &Path, toml: &str) -> Failure {
    alerts::send_test(&sender(folder, toml), None).await.unwrap_err()
}

fn webhook(url: &str, more: &str) -> String {
    format!("[[sender]]\nid = 'phone'\nkind = 'webhook'\nurl = '{url}'\n{more}")
}

#[actix::test]
async fn a_webhook_that_refuses_names_its_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), format!("\u{feff}{SECRET}\r\n")).unwrap();
    let (token, telegram) =
        ("token_file = 'token'\n", "token_file = 'token'\npreset = 'telegram'\nrecipient = '4'\n");
    for (status, more, en, es) in [
        (500, "", "the fault is its own", "la falla es suya"),
        (503, token, "the fault is its own", "la falla es suya"),
        (401, "", "look at url, or write token_file", "revise url, o escriba token_file"),
        (401, token, "look at token_file", "revise token_file"),
        (403, token, "look at token_file", "revise token_file"),
        (404, token, "look at url", "revise url"),
        (404, telegram, "look at token_file", "revise token_file"),
        (301, "", "look at url", "revise url"),
        (400, telegram, "look at preset, body, token_file, recipient", "revise preset, body, tok"),
        (429, "", "quiet_for", "quiet_for"),
    ] {
        let sink = Sink::start(move |_| Some(status));
        let url = sink.url.replace("http://", "http://sky:hush-hush@");
        let failure = test(folder.path(), &webhook(&format!("{url}/hush-hush"), more)).await;
        let place = sink.url.trim_end_matches("/hook");
        let http = format!("HTTP {status}");
        told(&failure, &["'phone'", place, &http, en], &["'phone'", place, &http, es]);
        assert_eq!(failure.class.exit_status(), 3);
    }
}

#[actix::test]
async fn a_webhook_that_is_not_there_names_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let sink = Sink::start(|_| Some(200));
    let plain = sink.url.replace("http://", "https://");
    // Too long for any resolver: nobody is asked for it.
    let unknown = format!("http://{}.invalid", "x".repeat(70));
    let private = tls("camera.pem");
    for (url, en, es) in [
        (
            format!("http://127.0.0.1:{port}"),
            "refuses the connection; look whether it runs, and at url",
            "rechaza la conexión; revise si está en marcha, y url",
        ),
        (
            unknown,
            "has a name that is not known; look at url",
            "un nombre que no se conoce; revise",
        ),
        (
            plain,
            "closes the connection; look at url: http:// or https://",
            "cierra la conexión; revise url: http:// o https://",
        ),
        (private, "a certificate that is not trusted", "un certificado que no es de confianza"),
        (closing(), "closes the connection; look at url", "cierra la conexión; revise url"),
    ] {
        let failure = test(folder.path(), &webhook(&format!("{url}/hush-hush"), "")).await;
        let place: String = url.split('/').take(3).collect::<Vec<_>>().join("/");
        told(&failure, &["'phone'", &place, en], &["'phone'", &place, es]);
    }
    // Where the address is a secret, its file is named.
    std::fs::write(folder.path().join("url"), format!("http://127.0.0.1:{port}/hush-hush"))
        .unwrap();
    let secret = "[[sender]]\nid = 'chat'\nkind = 'webhook'\npreset = 'slack'\nurl_file = 'url'\n";
    told(&test(folder.path(), secret).await, &["and at url_file"], &["y url_file"]);
    std::fs::write(folder.path().join("url"), SECRET).unwrap();
    let no_address = test(folder.path(), secret).await;
    told(&no_address, &["url_file holds no address"], &["url_file no contiene una dirección"]);
}

/// A secret's file that is missing, blank, or Windows' own: at the start as at the first message.
#[actix::test]
async fn a_secret_that_is_none_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let toml = webhook("http://127.0.0.1:9/", "token_file = 'tk'\n");
    let mail = "[[sender]]\nid = 'post'\nkind = 'smtp'\nserver = '127.0.0.1'\nfrom = 'a@b.c'\n\
                to = ['a@b.c']\nuser = 'sky'\npassword_file = 'tk'\n";
    let both: [(&str, &str, &str); 2] =
        [(&toml, "'phone'", "token_file"), (mail, "'post'", "password_file")];
    for (bytes, en, es) in [
        (None, "it is not there", "no existe"),
        (Some(&b"\xef\xbb\xbf \r\n"[..]), "is empty", "está vacío"),
        (Some(b"hush-hush\nhush-hush\n"), "has 2 lines", "tiene 2 líneas"),
        (Some(b"\xff\xfeh\0"), "is no text in UTF-8", "no es un texto en UTF-8"),
    ] {
        if let Some(bytes) = bytes {
            std::fs::write(folder.path().join("tk"), bytes).unwrap();
        }
        for (toml, id, key) in both {
            let sender = sender(folder.path(), toml);
            let at_start = alerts::check(std::slice::from_ref(&sender)).unwrap_err();
            told(&at_start, &[id, key, "/tk'", en], &[id, key, "/tk'", es]);
            assert_eq!(at_start.class.exit_status(), 2);
            let sent = alerts::send_test(&sender, None).await.unwrap_err();
            told(&sent, &[id, key, "/tk'", en], &[id, key, "/tk'", es]);
        }
    }
    std::fs::write(folder.path().join("tk"), "\u{feff}hush-hush\r\n").unwrap();
    assert!(alerts::check(&[sender(folder.path(), &toml)]).is_ok());
}

#[actix::test]
async fn a_mail_server_that_refuses_names_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), SECRET).unwrap();
    let user = "user = 'sky'\npassword_file = 'password'\n";
    let port = free_port();
    for (script, user, security, en, es) in [
        (None, user, "none", "refuses the connection", "rechaza la conexión"),
        (
            Some(&[("EHLO", "250-me\r\n250 AUTH PLAIN"), ("AUTH", "535 5.7.8 no")][..]),
            user,
            "none",
            "does not let the user 'sky' in (SMTP 535); look at user and password_file",
            "no deja entrar al usuario 'sky' (SMTP 535); revise user y password_file",
        ),
        (
            Some(&[("EHLO", "250 me"), ("MAIL", "530 5.7.0 log in")]),
            "",
            "none",
            "asks for a login or TLS (SMTP 530); write user and password_file",
            "pide un usuario o TLS (SMTP 530); escriba user y password_file",
        ),
        (
            Some(&[("EHLO", "250 me"), ("MAIL", "250 ok"), ("RCPT", "550 5.1.1 no such user")]),
            "",
            "none",
            "refuses the mail (SMTP 550); look at from, to",
            "rechaza el correo (SMTP 550); revise from, to",
        ),
        (
            Some(&[("EHLO", "250 me"), ("MAIL", "451 4.7.1 later")]),
            "",
            "none",
            "takes no mail now (SMTP 451)",
            "ahora no acepta correo (SMTP 451)",
        ),
        (
            Some(&[("EHLO", "250 me")]),
            user,
            "none",
            "does not offer what security and user ask for; look at security, port and user",
            "no ofrece lo que piden security y user; revise security, port y user",
        ),
        (
            Some(&[("EHLO", "250 me")]),
            user,
            "starttls",
            "does not offer what security and user ask for",
            "no ofrece lo que piden security y user",
        ),
        (
            Some(&[]),
            "",
            "tls",
            "does not speak TLS there; look at server, port and security: tls, starttls or none",
            "no habla TLS ahí; revise server, port y security: tls, starttls o none",
        ),
    ] {
        let port = script.map_or(port, mail_server);
        let toml = format!(
            "[[sender]]\nid = 'post'\nkind = 'smtp'\nserver = '127.0.0.1'\nport = {port}\n\
             security = '{security}'\nfrom = 'a@b.c'\nto = ['a@b.c']\n{user}"
        );
        let failure = test(folder.path(), &toml).await;
        let place = format!("127.0.0.1:{port}");
        told(&failure, &["'post'", &place, en], &["'post'", &place, es]);
    }
}

#[actix::test]
async fn a_broker_that_refuses_says_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), SECRET).unwrap();
    let user = "user = 'sky'\npassword_file = 'password'\n";
    let no_user =
        ["asks for a user; write user and password_file", "pide un usuario; escriba user"];
    let bad = ["the user 'sky' in; look at user and password_file in [mqtt]", "al usuario 'sky'"];
    for (code, user, [en, es]) in [
        (1, "", ["does not take MQTT 3.1.1; allow it at the broker", "no acepta MQTT 3.1.1"]),
        (2, "", ["does not take the client id 'celaje-", "no acepta el id de cliente 'celaje-"]),
        (
            3,
            "",
            ["it is not available; look at the broker", "no está disponible; revise el broker"],
        ),
        (4, user, bad),
        (5, user, bad),
        (4, "", no_user),
        (5, "", no_user),
    ] {
        let port = connack(code);
        let failure = test(folder.path(), &broker("mqtt", port, user)).await;
        let place = format!("mqtt://127.0.0.1:{port}");
        told(&failure, &["'house'", &place, en], &["'house'", &place, es]);
    }
    let (port, private) = (free_port(), tls("camera.pem"));
    let private: u16 = private.rsplit(':').next().unwrap().parse().unwrap();
    let plain = closing().rsplit(':').next().unwrap().parse().unwrap();
    for (scheme, port, en, es) in [
        (
            "mqtt",
            port,
            "refuses the connection; look whether it runs, and at url in [mqtt]",
            "y url en [mqtt]",
        ),
        (
            "mqtts",
            private,
            "not trusted; name its authority's certificate as ca_file in [mqtt]",
            "como ca_file en [mqtt]",
        ),
        (
            "mqtt",
            plain,
            "closes the connection; look at url in [mqtt]: mqtt:// or mqtts://",
            "cierra la conexión; revise url",
        ),
        (
            "mqtts",
            plain,
            "ends the handshake of TLS, as a server does that speaks none there; look at url in \
             [mqtt]: mqtt:// or mqtts://",
            "corta el saludo de TLS, como hace un servidor que ahí no lo habla; revise url en \
             [mqtt]: mqtt:// o mqtts://",
        ),
        (
            "mqtt",
            private,
            "answers what is no MQTT; look at url in [mqtt]: mqtt:// or mqtts://",
            "responde algo que no es MQTT; revise url en [mqtt]: mqtt:// o mqtts://",
        ),
    ] {
        let failure = test(folder.path(), &broker(scheme, port, "")).await;
        let place = format!("{scheme}://127.0.0.1:{port}");
        told(&failure, &[&place, en], &[&place, es]);
    }
}

/// Certificates and a key that are none, or not those of one another.
#[test]
fn a_broken_certificate_names_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("text", "hush-hush");
    write("cut", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    write(
        "locked",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let other = rustls_key();
    std::fs::write(folder.path().join("other"), other).unwrap();
    let pair = |cert: &str, key: &str| format!("cert_file = '{cert}'\nkey_file = '{key}'\n");
    let good = (&format!("{own}/camera.pem"), &format!("{own}/camera.key"));
    for (more, en, es) in [
        (
            "ca_file = 'none'".to_owned(),
            ["ca_file: '", "it is not there"],
            ["ca_file: ", "no existe"],
        ),
        (
            "ca_file = 'text'".to_owned(),
            ["ca_file: '", "holds no certificate"],
            ["ca_file", "ningún"],
        ),
        (
            "ca_file = 'cut'".to_owned(),
            ["ca_file: '", "number 1 is damaged"],
            ["ca_file", "dañado"],
        ),
        (pair("none", good.1), ["cert_file: '", "it is not there"], ["cert_file: ", "no existe"]),
        (pair("text", good.1), ["cert_file: '", "holds no certificate"], ["cert_file", "ningún"]),
        (pair(good.0, "none"), ["key_file: '", "it is not there"], ["key_file: ", "no existe"]),
        (pair(good.0, "text"), ["key_file: '", "no private key"], ["key_file: '", "clave privada"]),
        (
            pair(good.0, "locked"),
            ["locked by a password", "openssl"],
            ["con contraseña", "openssl"],
        ),
        (pair(good.0, "other"), ["is not that of the", "cert_file"], ["no es la del", "cert_file"]),
    ] {
        let path = folder.path().join("celaje.toml");
        std::fs::write(&path, format!("[mqtt]\nurl = 'mqtts://127.0.0.1'\n{more}\n")).unwrap();
        let settings = Settings::resolve(Layer::default(), Some(&path), |_| None).unwrap();
        let failure = celaje::daemon::mqtt::check(&settings.reach.mqtt.unwrap()).unwrap_err();
        told(&failure, &["[mqtt] ", en[0], en[1]], &["[mqtt] ", es[0], es[1]]);
        assert_eq!(failure.class.exit_status(), 2, "{more}");
    }
}

fn broker(scheme: &str, port: u16, more: &str) -> String {
    format!(
        "[mqtt]\nurl = '{scheme}://127.0.0.1:{port}'\n{more}\
         [[sender]]\nid = 'house'\nkind = 'mqtt'\n"
    )
}

/// A private key of Ed25519 that belongs to no certificate here, as PEM.
fn rustls_key() -> &'static str {
    "-----BEGIN PRIVATE KEY-----\n\
     MC4CAQAwBQYDK2VwBCIEIG3hyIAON7nFOZVLjCxC40Pn671zLgQd9zmIQ5gqlR+t\n\
     -----END PRIVATE KEY-----\n"
}

/// A listener whose connections end as they begin, as an address.
fn closing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 16]);
        }
    });
    format!("http://{address}")
}

/// A broker that answers every client with this code; its port.
fn connack(code: u8) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(&[0x20, 2, 0, code]);
        }
    });
    port
}

/// A mail server that answers what begins so; anything else with 250. Its port.
fn mail_server(script: &'static [(&'static str, &'static str)]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            let _ = stream.write_all(b"220 me\r\n");
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let known = script.iter().find(|(start, _)| line.starts_with(start.as_bytes()));
                let answer = known.map_or("250 ok", |(_, answer)| answer);
                if stream.write_all(format!("{answer}\r\n").as_bytes()).is_err() {
                    break;
                }
                line.clear();
            }
        }
    });
    port
}

/// A server of TLS with a certificate that nobody knows, as an address.
fn tls(name: &str) -> String {
    let file = |name: &str| format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let certificate = CertificateDer::from_pem_file(file(name)).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("camera.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let _ = StreamOwned::new(connection, stream).read(&mut [0; 512]);
        }
    });
    format!("https://{address}")
}
