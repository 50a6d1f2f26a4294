//! A camera server on loopback that does as a script says, faults included.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// 200 with this body.
    Body(Vec<u8>),
    /// A status without a body, with these headers.
    Status(u16, Vec<(&'static str, String)>),
    /// 200 with the promise of a body of so many bytes, of which none comes.
    Promise(u64),
    /// Closes the connection without a word.
    Reset,
    /// Promises the body but sends its first half only.
    Half(Vec<u8>),
    /// Sends a byte now and then, for ever.
    Drip,
    /// Sends without end.
    Endless,
    /// These bytes in place of an answer, and the end of the connection.
    Raw(Vec<u8>),
    /// Says nothing.
    Hang,
    /// Ends every connection and refuses new ones for this long.
    Die(Duration),
    /// The reply, after this long.
    Late(Duration, Box<Reply>),
}

impl Reply {
    pub const fn not_found() -> Self {
        Self::Status(404, Vec::new())
    }

    pub const fn status(status: u16) -> Self {
        Self::Status(status, Vec::new())
    }

    pub fn redirect(to: impl Into<String>) -> Self {
        Self::Status(302, vec![("location", to.into())])
    }

    pub fn late(self, milliseconds: u64) -> Self {
        Self::Late(Duration::from_millis(milliseconds), Box::new(self))
    }
}

/// Gives the reply to the `nth` request (from 0) for a path.
pub type Script = dyn Fn(&str, usize) -> Reply + Send + Sync;

/// A running server; ends when dropped.
pub struct Server {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    script: Box<Script>,
    log: Mutex<Vec<String>>,
    heads: Mutex<Vec<String>>,
    seen: Mutex<HashMap<String, usize>>,
    now: AtomicUsize,
    most: AtomicUsize,
    end: CancellationToken,
}

impl Server {
    pub fn start(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            script: Box::new(script),
            log: Mutex::default(),
            heads: Mutex::default(),
            seen: Mutex::default(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            end: CancellationToken::new(),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(lives(listener, served));
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// The base address to give to `--url-base`.
    pub fn base(&self) -> String {
        format!("http://{}/sky/", self.address)
    }

    /// The paths asked for so far, in order.
    pub fn requests(&self) -> Vec<String> {
        self.shared.log.lock().unwrap().clone()
    }

    /// The requests' heads so far, in order.
    pub fn heads(&self) -> Vec<String> {
        self.shared.heads.lock().unwrap().clone()
    }

    pub fn forget_requests(&self) {
        self.shared.log.lock().unwrap().clear();
    }

    /// The most requests that were in flight at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.most.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.end.cancel();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// An address of loopback on which nobody listens.
pub fn closed() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Serves from one death to the next.
async fn lives(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let address = listener.local_addr().unwrap();
    let mut listener = Some(listener);
    loop {
        let listener =
            listener.take().unwrap_or_else(|| std::net::TcpListener::bind(address).unwrap());
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let life = shared.end.child_token();
        let down = Arc::new(Mutex::new(Duration::ZERO));
        loop {
            tokio::select! {
                () = life.cancelled() => break,
                Ok((stream, _)) = listener.accept() => {
                    let (shared, down) = (Arc::clone(&shared), Arc::clone(&down));
                    let served = serve(stream, shared, life.clone(), down);
                    let life = life.clone();
                    tokio::spawn(async move {
                        tokio::select! {
                            () = life.cancelled() => {}
                            () = served => {}
                        }
                    });
                }
            }
        }
        drop(listener);
        if shared.end.is_cancelled() {
            return;
        }
        let down = *down.lock().unwrap();
        tokio::select! {
            () = shared.end.cancelled() => return,
            () = tokio::time::sleep(down) => {}
        }
    }
}

/// One more request in flight, for as long as it lives.
struct InFlight<'a>(&'a Shared);

impl<'a> InFlight<'a> {
    fn new(shared: &'a Shared) -> Self {
        let now = shared.now.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most.fetch_max(now, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve(
    mut stream: TcpStream,
    shared: Arc<Shared>,
    life: CancellationToken,
    down: Arc<Mutex<Duration>>,
) {
    let mut buffer = Vec::new();
    loop {
        let Some(head) = read_request(&mut stream, &mut buffer).await else {
            return;
        };
        let in_flight = InFlight::new(&shared);
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        shared.log.lock().unwrap().push(path.clone());
        shared.heads.lock().unwrap().push(head);
        let nth = {
            let mut seen = shared.seen.lock().unwrap();
            let count = seen.entry(path.clone()).or_default();
            *count += 1;
            *count - 1
        };
        let mut reply = (shared.script)(&path, nth);
        if let Reply::Late(time, then) = reply {
            tokio::time::sleep(time).await;
            reply = *then;
        }
        if let Reply::Die(time) = reply {
            *down.lock().unwrap() = time;
            life.cancel();
            return;
        }
        // A client may send its next request as soon as it has the answer.
        if is_short(&reply) {
            drop(in_flight);
            if !answer(&mut stream, reply).await.unwrap_or(false) {
                return;
            }
        } else if !answer(&mut stream, reply).await.unwrap_or(false) {
            return;
        }
    }
}

/// Whether an answer is on its way whole as soon as it is begun.
const fn is_short(reply: &Reply) -> bool {
    matches!(reply, Reply::Body(_) | Reply::Status(..) | Reply::Reset)
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            buffer.drain(..end + 4);
            return Some(head);
        }
        let mut chunk = [0; 2048];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => buffer.extend_from_slice(&chunk[..n]),
        }
    }
}

/// Answers; false when the connection ends with it.
async fn answer(stream: &mut TcpStream, reply: Reply) -> std::io::Result<bool> {
    let head = |status: u16, length: u64| {
        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\ncontent-type: image/jpeg\r\n")
    };
    match reply {
        Reply::Body(body) => {
            let mut bytes = head(200, body.len() as u64).into_bytes();
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(&body);
            stream.write_all(&bytes).await?;
            Ok(true)
        }
        Reply::Status(status, headers) => {
            let mut text = head(status, 0);
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str("\r\n");
            stream.write_all(text.as_bytes()).await?;
            Ok(true)
        }
        Reply::Promise(length) => {
            let text = format!("{}\r\n", head(200, length));
            stream.write_all(text.as_bytes()).await?;
            std::future::pending().await
        }
        Reply::Half(body) => {
            let mut bytes = head(200, body.len() as u64).into_bytes();
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(&body[..body.len() / 2]);
            stream.write_all(&bytes).await?;
            Ok(false)
        }
        Reply::Drip => {
            let text = format!("{}\r\n", head(200, 50_000));
            stream.write_all(text.as_bytes()).await?;
            loop {
                stream.write_all(&[0]).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n").await?;
            loop {
                stream.write_all(&[0xff; 4096]).await?;
            }
        }
        Reply::Raw(bytes) => {
            stream.write_all(&bytes).await?;
            Ok(false)
        }
        Reply::Hang => std::future::pending().await,
        Reply::Reset | Reply::Die(_) | Reply::Late(..) => Ok(false),
    }
}
