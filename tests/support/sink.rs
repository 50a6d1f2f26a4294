//! A webhook on loopback that answers as it is told, and keeps what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// A message, and the status that it was answered with; none where there was no answer.
pub type SinkMessage = (Value, Option<u16>);

/// See the module.
pub struct Sink {
    pub url: String,
    messages: Arc<Mutex<Vec<SinkMessage>>>,
}

impl Sink {
    /// `status` gives the answer to the `nth` message from 0; with none the sender waits in vain.
    pub fn start(status: impl Fn(usize) -> Option<u16> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let messages = Arc::<Mutex<Vec<SinkMessage>>>::default();
        let kept = Arc::clone(&messages);
        std::thread::spawn(move || {
            for (n, mut stream) in listener.incoming().flatten().enumerate() {
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if lines.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                        break;
                    }
                    if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
                        length = text.trim().parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                // A sender that was killed has sent a part, or nothing.
                let Ok(()) = lines.read_exact(&mut body) else { continue };
                let Ok(message) = serde_json::from_slice(&body) else { continue };
                let status = status(n);
                kept.lock().unwrap().push((message, status));
                match status {
                    Some(status) => {
                        let later = if status == 429 { "Retry-After: 900\r\n" } else { "" };
                        let answer = format!(
                            "HTTP/1.1 {status} X\r\n{later}Content-Length: 0\r\n\
                             Connection: close\r\n\r\n"
                        );
                        let _ = stream.write_all(answer.as_bytes());
                    }
                    // Until the sender is gone.
                    None => drop(lines.read_to_end(&mut Vec::new())),
                }
            }
        });
        Self { url, messages }
    }

    pub fn messages(&self) -> Vec<SinkMessage> {
        self.messages.lock().unwrap().clone()
    }

    /// The messages that were answered with 200.
    pub fn taken(&self) -> Vec<Value> {
        let taken = self.messages().into_iter().filter(|(_, status)| *status == Some(200));
        taken.map(|(message, _)| message).collect()
    }
}
