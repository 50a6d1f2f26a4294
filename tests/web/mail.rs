//! Mails, against aiosmtpd.

use std::io::{BufRead, BufReader, Lines, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use celaje::daemon::alerts::send_test;

use crate::alerts::reach;
use crate::mqtt::certificates;

/// A mail server that prints what it is sent.
struct MailSink {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl MailSink {
    /// None where python3 has no aiosmtpd, which is said. `keys` are further arguments of its
    /// controller, where `tls` is by the certificate in `folder`.
    fn start(folder: &Path, keys: &str) -> Option<Self> {
        let has = Command::new("python3").args(["-c", "import aiosmtpd.controller"]).output();
        if !has.is_ok_and(|output| output.status.success()) {
            let _ = writeln!(std::io::stderr(), "skipped: python3 has no aiosmtpd");
            return None;
        }
        let script = format!(
            "import os, socket, ssl, sys, aiosmtpd.controller as c, aiosmtpd.handlers as h\n\
             tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
             if os.path.exists('server.pem'): tls.load_cert_chain('server.pem', 'server.key')\n\
             s = socket.socket(); s.bind(('127.0.0.1', 0)); \
             port = s.getsockname()[1]; s.close()\n\
             sink = h.Debugging(sys.stdout)\n\
             server = c.Controller(sink, hostname='127.0.0.1', port=port, {keys})\n\
             server.start(); print(port, flush=True)\nsys.stdin.read()"
        );
        let mut child = Command::new("python3")
            .args(["-u", "-c", &script])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It tells of each handshake that fails.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        Some(Self { child, lines, port })
    }

    /// A sender to it.
    fn sender(&self, security: &str) -> String {
        let port = self.port;
        format!(
            "[[sender]]\nid = \"mail\"\nkind = \"smtp\"\nserver = \"127.0.0.1\"\n\
             port = {port}\nsecurity = \"{security}\"\n\
             from = \"Celaje <sky@example.org>\"\nto = [\"me@example.org\"]\n"
        )
    }

    /// What it was sent.
    fn end(mut self) -> String {
        drop(self.child.stdin.take());
        let told: Vec<String> = self.lines.by_ref().map_while(Result::ok).collect();
        self.child.wait().unwrap();
        told.join("\n")
    }
}

#[actix::test]
async fn a_mail_arrives_at_a_sink() {
    let folder = tempfile::tempdir().unwrap();
    let Some(sink) = MailSink::start(folder.path(), "") else { return };
    let settings = reach(&sink.sender("none"));
    send_test(&settings.senders[0], Some("http://host/")).await.unwrap();
    let text = sink.end();
    for part in
        ["From: Celaje <sky@example.org>", "To: me@example.org", "Subject: Celaje:", "http://host/"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// A process of its own, since its environment names the authorities of the system.
#[test]
fn a_mail_arrives_by_tls_where_the_authority_is_known() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    if !certificates(folder.path()) || !certificates(other.path()) {
        return;
    }
    for (keys, security) in
        [("tls_context=tls, require_starttls=True", "starttls"), ("ssl_context=tls", "tls")]
    {
        let Some(sink) = MailSink::start(folder.path(), keys) else { return };
        let config = folder.path().join("celaje.toml");
        std::fs::write(&config, sink.sender(security)).unwrap();
        let test = |authority: &Path| -> Output {
            Command::new(env!("CARGO_BIN_EXE_celaje"))
                .env_clear()
                .envs([("HOME", folder.path()), ("SSL_CERT_FILE", authority)])
                .env("LANG", "C")
                .args(["alert", "test", "mail", "--config"])
                .arg(&config)
                .output()
                .unwrap()
        };
        let refused = test(&other.path().join("ca.pem"));
        let why = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success(), "{security}: {why}");
        assert_eq!(why.trim().lines().count(), 1, "{security}: {why}");
        assert!(why.contains("shows a certificate that is not trusted"), "{security}: {why}");
        let sent = test(&folder.path().join("ca.pem"));
        let why = String::from_utf8(sent.stderr).unwrap();
        assert!(sent.status.success(), "{security}: {why}");
        let text = sink.end();
        assert_eq!(text.matches("Subject: Celaje:").count(), 1, "{security}: {text}");
    }
}
