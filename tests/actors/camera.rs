//! The HTTP client alone, before cameras with ways of their own.

use tokio_util::sync::CancellationToken;

use celaje::camera::http::HttpClient;
use celaje::camera::{Body, Refusal, Source};

use crate::support::server::{Reply, Server};
use crate::support::stage;

/// What stands for a picture's bytes.
const PICTURE: &[u8] = b"\xff\xd8\xff\xe0 a picture \r\n\r\n \xff\xd9";

/// What comes of one request to `server`.
async fn ask(server: &Server) -> Result<Body, Refusal> {
    let base: url::Url = server.base().parse().unwrap();
    let limits = stage::tuning().http;
    let client = HttpClient::new(&Source::Http(base.clone()), limits, CancellationToken::new());
    client.unwrap().get(base).await.map_err(Option::unwrap)
}

/// A server that answers each request with this head, a blank line and the picture.
fn camera(head: &str) -> Server {
    let answer = [format!("{head}\r\n").as_bytes(), PICTURE].concat();
    Server::start(move |_, _| Reply::Raw(answer.clone()))
}

/// Heads that browsers, curl or Python take.
#[actix::test]
async fn odd_heads_of_cameras_are_read() {
    let length = format!("Content-Length: {}\r\n", PICTURE.len());
    let many: String = (0..400).map(|n| format!("X-{n}: y\r\n")).collect();
    for head in [
        format!("HTTP/1.1 200 OK\r\nMon, 01 Jan 2024 12:03:00 GMT\r\n{length}"),
        format!("HTTP/1.0 200 OK\r\nConnection: close\r\nHTTP/1.0 200 OK\r\n{length}"),
        format!("HTTP/1.1 200 OK\r\nCache Control: none\r\n{length}"),
        format!("HTTP/1.1 200 OK\r\nServer : cam\r\n{length}"),
        format!("HTTP/1.1 200 OK\r\nServer: cam\r\n more\r\n{length}"),
        format!("HTTP/1.1 200 OK\r\n: x\r\n{length}"),
        format!("HTTP/1.1 200 OK\r\n{many}{length}"),
        format!("HTTP/1.1 200\r\n{length}"),
        format!("HTTP/1.1 200 OK\r\nserver: c\u{e1}mara\r\n{length}"),
        format!("HTTP/1.1 200 OK\r\n{length}{length}"),
        format!("HTTP/1.1 200 OK\r\nserver: cam\r\n{length}").replace("\r\n", "\n"),
        "HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n".to_owned(),
    ] {
        let body = ask(&camera(&head)).await.unwrap_or_else(|e| panic!("{head:?}: {e:?}"));
        assert_eq!((&body.bytes[..], body.attempts), (PICTURE, 1), "{head:?}");
    }
}
