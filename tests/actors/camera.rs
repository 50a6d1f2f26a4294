//! The HTTP client alone, before cameras with ways of their own.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use flate2::Compression;
use flate2::read::GzEncoder;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use tokio_util::sync::CancellationToken;

use celaje::camera::fault::AccessFault;
use celaje::camera::http::HttpClient;
use celaje::camera::{Body, Refusal, Source};
use celaje_sky::outcome::MissReason;
use celaje_sky::station::Trust;

use crate::support::server::{Reply, Server};
use crate::support::stage;

/// What stands for a picture's bytes.
const PICTURE: &[u8] = b"\xff\xd8\xff\xe0 a picture \r\n\r\n \xff\xd9";

fn client(base: &str, trust: &Trust) -> HttpClient {
    let source = Source::Http(base.parse().unwrap());
    let mut limits = stage::tuning().http;
    limits.retry.retries = 0;
    HttpClient::new(source.base(), trust, limits, CancellationToken::new()).unwrap()
}

/// What comes of one request to `base`.
async fn ask(base: &str) -> Result<Body, Refusal> {
    let client = client(base, &Trust::default());
    client.get(base.parse().unwrap()).await.map_err(Option::unwrap)
}

/// A server that answers each request with this head, a blank line and `body`.
fn camera(head: &str, body: &[u8]) -> Server {
    // In Latin-1, as the head of a camera is.
    let mut answer: Vec<u8> = head.chars().map(|c| c as u32 as u8).collect();
    answer.extend([b"\r\n", body].concat());
    Server::start(move |_, _| Reply::Raw(answer.clone()))
}

async fn is_read(head: &str, body: &[u8]) {
    let server = camera(head, body);
    let body = ask(&server.base()).await.unwrap_or_else(|e| panic!("{head:?}: {e:?}"));
    assert_eq!((&body.bytes[..], body.attempts), (PICTURE, 1), "{head:?}");
}

/// Heads that browsers, curl or Python take.
#[actix::test]
async fn odd_heads_of_cameras_are_read() {
    let length = format!("Content-Length: {}\r\n", PICTURE.len());
    let longer = format!("Content-Length: {}\r\n", PICTURE.len() + 2);
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
        format!("HTTP/1.1 200 OK\r\nserver: cam\0\u{1}\r\n{length}"),
        format!("HTTP/1.1 200 OK\r\n{length}{length}"),
        format!("HTTP/1.1 200 OK\r\n{length}{longer}"),
        format!("HTTP/1.1 200 OK\r\n{longer}"),
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n{length}"),
        format!("HTTP/1.1 200 OK\r\nserver: cam\r\n{length}").replace("\r\n", "\n"),
        "HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n".to_owned(),
        format!("HTTP/1.2 200 OK\r\n{length}"),
        format!("ICY 200 OK\r\n{length}"),
        format!("HTTP/1.1 203 Non-Authoritative\r\n{length}"),
        format!("HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-21/22\r\n{length}"),
        format!("HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-21/*\r\n{length}"),
        format!("HTTP/1.1 206 Partial\r\n{length}"),
        format!("HTTP/1.1 201 Created\r\n{length}"),
        format!("HTTP/1.1 200OK\r\n{length}"),
        format!("HTTP/1.1 200 OK\r\r\n{length}").replace("\r\n", "\r\r\n"),
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n{length}"),
    ] {
        is_read(&head, PICTURE).await;
    }
    let chunk = format!("{:x}\r\n", PICTURE.len());
    for end in ["\r\n0\r\n\r\n", "\r\n"] {
        let chunked = [chunk.as_bytes(), PICTURE, end.as_bytes()].concat();
        is_read("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n", &chunked).await;
        is_read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", &chunked).await;
    }
    // Lines between chunks that end in a line feed alone.
    let bare = [chunk.replace('\r', "").as_bytes(), PICTURE, b"\n0\n\n"].concat();
    is_read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", &bare).await;
    // No head at all; a server that is no camera.
    let server = Server::start(|_, _| Reply::Raw(PICTURE.to_vec()));
    assert_eq!(&ask(&server.base()).await.unwrap().bytes[..], PICTURE);
    let server = Server::start(|_, _| Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()));
    assert_eq!(ask(&server.base()).await.unwrap_err().reason, MissReason::Reset);
    // A part is not the whole.
    let part = format!("HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-21/99\r\n{length}");
    let refusal = ask(&camera(&part, PICTURE).base()).await.unwrap_err();
    assert_eq!((refusal.reason, refusal.http_status), (MissReason::HttpStatus, Some(206)));
}

#[actix::test]
async fn a_packed_body_is_unpacked() {
    let mut packed = Vec::new();
    GzEncoder::new(PICTURE, Compression::fast()).read_to_end(&mut packed).unwrap();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", packed.len());
    for head in [format!("{head}Content-Encoding: gzip\r\n"), head] {
        let body = ask(&camera(&head, &packed).base()).await.unwrap();
        assert_eq!((&body.bytes[..], body.was_packed), (PICTURE, true), "{head}");
    }
    // The length of what was packed, by a head that the HTTP library takes and by one that not.
    for protocol in ["HTTP/1.1", "ICY"] {
        let head = format!("{protocol} 200 OK\r\nContent-Length: 2000\r\n");
        for body in [&packed[..], &packed[..packed.len() - 8]] {
            let body = ask(&camera(&head, body).base()).await.unwrap_or_else(|e| panic!("{e:?}"));
            assert_eq!((&body.bytes[..], body.was_packed), (PICTURE, true), "{head}");
        }
    }
}

/// How some cameras answer a form; a video in the same form has no end.
#[actix::test]
async fn a_picture_in_a_message_of_parts_is_read_and_a_stream_named() {
    let part = [b"--b\r\nContent-Type: image/jpeg\r\n\r\n", PICTURE, b"\r\n"].concat();
    for kind in ["Content-Type: multipart/form-data; boundary=b\r\n", ""] {
        let head = format!("HTTP/1.1 200 OK\r\n{kind}");
        let one = [&part[..], b"--b--\r\n"].concat();
        let body = ask(&camera(&head, &one).base()).await.unwrap_or_else(|e| panic!("{e:?}"));
        assert_eq!((body.bytes.trim_ascii_end(), body.was_packed), (PICTURE, true), "{kind}");
        let refusal = ask(&camera(&head, &part.repeat(3)).base()).await.unwrap_err();
        let is_stream = matches!(refusal.fault, Some(AccessFault::Stream(_)));
        assert!(is_stream, "{kind} {refusal:?}");
    }
}

#[actix::test]
async fn a_location_is_followed_as_browsers_do() {
    let server = Server::start(|path, _| match path {
        "/sky/" => Reply::Raw(b"HTTP/1.1 302 Found\r\nLocation: /C\xe1mara 1\r\n\r\n".to_vec()),
        "/C%E1mara%201" => Reply::Body(PICTURE.to_vec()),
        _ => Reply::not_found(),
    });
    let base = server.base().replace("http://", "http://user:secret@");
    assert_eq!(&ask(&base).await.unwrap().bytes[..], PICTURE);
    assert!(server.heads().iter().all(|head| head.contains("authorization: Basic ")));
}

/// The nonce is asked for once, and each request counts with it. Of the kinds of protection that
/// the example of RFC 7616 offers, plain `auth` is taken.
#[actix::test]
async fn a_camera_may_ask_for_a_digest() {
    let asked = "Digest realm=\"cam\", qop=\"auth,auth-int\", nonce=\"abc\", opaque=\"\"";
    let server = Server::start(move |_, nth| match nth {
        0 => Reply::Status(401, vec![("www-authenticate", asked.to_owned())]),
        _ => Reply::Body(PICTURE.to_vec()),
    });
    let base = server.base().replace("http://", "http://viewer:p%40ss@");
    let client = client(&base, &Trust::default());
    for _ in 0..2 {
        let body = client.get(base.parse().unwrap()).await.unwrap();
        assert_eq!((&body.bytes[..], body.attempts), (PICTURE, 1));
    }
    let heads = server.heads();
    assert_eq!(heads.len(), 3);
    for (head, count) in heads[1..].iter().zip(["nc=00000001", "nc=00000002"]) {
        assert!(head.contains("authorization: Digest username=\"viewer\""), "{head}");
        assert!(head.contains("uri=\"/sky/\"") && head.contains(count), "{head}");
        assert!(head.contains("qop=auth,"), "{head}");
    }
}

/// With `scheme = "digest"` nobody on the way sees the password, not even once.
#[actix::test]
async fn a_password_may_be_given_as_a_digest_alone() {
    let asked = "Digest realm=\"cam\", qop=\"auth\", nonce=\"abc\"";
    let server = Server::start(move |_, nth| match nth {
        0 => Reply::Status(401, vec![("www-authenticate", asked.to_owned())]),
        1 => Reply::Body(PICTURE.to_vec()),
        _ => Reply::Status(401, vec![("www-authenticate", "Basic realm=\"cam\"".to_owned())]),
    });
    let base = server.base().replace("http://", "http://viewer:p%40ss@");
    let alone = Trust { only_digest: true, ..Trust::default() };
    let first = client(&base, &alone);
    assert_eq!(first.get(base.parse().unwrap()).await.unwrap().bytes, PICTURE);
    let heads = server.heads();
    assert!(!heads[0].contains("authorization") && heads[1].contains("Digest username"));
    let second = client(&base, &alone);
    assert!(second.get(base.parse().unwrap()).await.is_err());
    assert!(!server.heads().concat().contains("Basic "), "{:?}", server.heads());
}

#[actix::test]
async fn what_a_person_has_to_mend_is_named() {
    let refused = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n");
    let basic = "WWW-Authenticate: Basic realm=\"cam\"\r\n";
    let user = "http://user:secret@";
    let place = || "PLACE".to_owned();
    for (head, scheme, fault) in [
        (format!("{}{basic}", refused("401 X")), "http://", AccessFault::PasswordMissing(place())),
        (format!("{}{basic}", refused("401 X")), user, AccessFault::PasswordWrong(place())),
        (
            format!("{}WWW-Authenticate: NTLM\r\n", refused("401 X")),
            user,
            AccessFault::LoginUnknown(place()),
        ),
        (
            format!("{}WWW-Authenticate: Digest realm=\"cam\", nonce=\"a\"\r\n", refused("401 X")),
            user,
            AccessFault::PasswordWrong(place()),
        ),
        (refused("403 X"), user, AccessFault::Forbidden(place())),
        (refused("511 X"), user, AccessFault::Elsewhere),
        (
            format!("{}Location: http://login.example/?from=camera\r\n", refused("302 X")),
            user,
            AccessFault::Elsewhere,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n".to_owned(),
            "http://",
            AccessFault::Stream(" (multipart/x-mixed-replace; boundary=b)".to_owned()),
        ),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n".to_owned(), "http://", AccessFault::Packed),
    ] {
        let server = camera(&head, b"");
        let refusal = ask(&server.base().replace("http://", scheme)).await.unwrap_err();
        let fault = fault.text().en.replace(&place(), &server.base());
        assert_eq!(refusal.fault.map(|fault| fault.text().en), Some(fault), "{head}");
        assert!(!refusal.detail.contains("secret"), "{}", refusal.detail);
    }
}

/// A server that answers at once and without TLS, as one of HTTP does to what it cannot read.
#[actix::test]
async fn a_camera_without_tls_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut hello = [0; 4096];
        let _ = stream.read(&mut hello);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let refusal = ask(&format!("https://{address}/")).await.unwrap_err();
    assert_eq!(refusal.fault, Some(AccessFault::NoTls), "{}", refusal.detail);
}

/// A camera on loopback that speaks TLS with this certificate of the fixtures; it answers `times`,
/// with a head that begins as `protocol` says.
fn tls_camera(
    name: &str,
    versions: &[&'static SupportedProtocolVersion],
    protocol: &'static str,
    times: usize,
) -> String {
    let file = |name: &str| format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let certificate = CertificateDer::from_pem_file(file(name)).unwrap();
    let key = PrivateKeyDer::from_pem_file(file("camera.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = provider.key_provider.load_private_key(key).unwrap();
    // rustls checks no certificate that it is given so; it reads none of version 1.
    let certified = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(certified));
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(times) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            let mut request = [0; 2048];
            // A client that does not trust the certificate hangs up here.
            if stream.read(&mut request).is_ok_and(|n| n > 0) {
                let length = PICTURE.len();
                let head = format!("{protocol} 200 OK\r\nContent-Length: {length}\r\n\r\n");
                stream.write_all(&[head.as_bytes(), PICTURE].concat()).unwrap();
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    format!("https://{address}/")
}

/// The certificate is the camera's own, and its address is not in it.
#[actix::test]
async fn a_private_certificate_is_taken_when_it_is_named() {
    let base = tls_camera("camera.pem", rustls::ALL_VERSIONS, "HTTP/1.1", 3);
    let path = format!("{}/tests/fixtures/tls/camera.pem", env!("CARGO_MANIFEST_DIR"));
    let certificates = celaje::camera::trust::read_certificates(path.as_ref()).unwrap();
    let named = Trust { certificates, ..Trust::default() };
    let any = Trust { anything: true, ..Trust::default() };
    for trust in [named, any] {
        let body = client(&base, &trust).get(base.parse().unwrap()).await;
        assert_eq!(&body.unwrap_or_else(|e| panic!("{trust:?}: {e:?}")).bytes[..], PICTURE);
    }
    let refusal = ask(&base).await.unwrap_err();
    assert_eq!(refusal.reason, MissReason::Unreachable);
    assert_eq!(refusal.fault, Some(AccessFault::Certificate), "{}", refusal.detail);
}

/// The first version of X.509 is what old tools make; no library but the camera's own reads it.
#[actix::test]
async fn a_certificate_of_version_1_is_taken_when_it_is_named() {
    let path = format!("{}/tests/fixtures/tls/camera-v1.pem", env!("CARGO_MANIFEST_DIR"));
    let certificates = celaje::camera::trust::read_certificates(path.as_ref()).unwrap();
    let named = Trust { certificates, ..Trust::default() };
    let any = Trust { anything: true, ..Trust::default() };
    for version in [&TLS12, &TLS13] {
        for trust in [&named, &any] {
            let base = tls_camera("camera-v1.pem", &[version], "HTTP/1.1", 1);
            let body = client(&base, trust).get(base.parse().unwrap()).await;
            let body = body.unwrap_or_else(|e| panic!("{version:?} {trust:?}: {e:?}"));
            assert_eq!(&body.bytes[..], PICTURE);
        }
    }
    let base = tls_camera("camera-v1.pem", rustls::ALL_VERSIONS, "HTTP/1.1", 1);
    assert_eq!(ask(&base).await.unwrap_err().fault, Some(AccessFault::Certificate));
}

/// One connection for the HTTP library, and one for the reader that takes the head.
#[actix::test]
async fn odd_heads_are_read_over_tls_too() {
    let any = Trust { anything: true, ..Trust::default() };
    for (protocol, times) in [("ICY", 3), ("HTTP/1.2", 3)] {
        let base = tls_camera("camera.pem", rustls::ALL_VERSIONS, protocol, times);
        let client = client(&base, &any);
        for _ in 0..2 {
            let body = client.get(base.parse().unwrap()).await;
            let body = body.unwrap_or_else(|e| panic!("{protocol}: {e:?}"));
            assert_eq!((&body.bytes[..], body.attempts), (PICTURE, 1), "{protocol}");
        }
    }
}
