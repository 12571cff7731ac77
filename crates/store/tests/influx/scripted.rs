//! A server that answers as a test says, for answers that a real influxd cannot be made to give.

use std::sync::Arc;

use bakau_store::influx::{InfluxConfig, Timeouts};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What happens to a request.
pub(crate) enum Say {
    /// Status, further headers (each with its line end), body.
    Answer(u16, &'static str, Vec<u8>),
    /// These bytes, whatever they are, and then the end of the connection.
    Bytes(Vec<u8>),
}

impl Say {
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer(status, "", br#"{"code":"x","message":"as the test says"}"#.to_vec())
    }
}

/// The server; it ends with the test.
pub(crate) struct Scripted {
    url: String,
    /// Bodies of the requests, in order.
    seen: Arc<Mutex<Vec<String>>>,
    running: tokio::task::JoinHandle<()>,
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Scripted {
    pub(crate) async fn start(mut answer: impl FnMut(&str) -> Say + Send + 'static) -> Self {
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let bodies = Arc::clone(&seen);
        let running = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Some(body) = read(&mut stream).await else {
                    // About the server itself; no script is about that.
                    let _client_may_be_gone = stream.write_all(NOT_TOLD).await;
                    continue;
                };
                let bytes = match answer(&body) {
                    Say::Answer(status, headers, text) => {
                        let length = text.len();
                        let head = format!(
                            "HTTP/1.1 {status} Scripted\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n"
                        );
                        [head.into_bytes(), text].concat()
                    }
                    Say::Bytes(bytes) => bytes,
                };
                bodies.lock().push(body);
                let _client_may_be_gone = stream.write_all(&bytes).await;
                let _client_may_be_gone = stream.shutdown().await;
            }
        });
        Self { url, seen, running }
    }

    pub(crate) fn config(&self) -> InfluxConfig {
        let (url, org, bucket) = (self.url.clone(), "test".to_owned(), "b".to_owned());
        InfluxConfig {
            url,
            org,
            bucket,
            token: bakau_model::Secret::new("any"),
            authority: None,
            timeouts: Timeouts::default(),
        }
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }
}

const NOT_TOLD: &[u8] = b"HTTP/1.1 404 Scripted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// The body of one request; `None` when it only asks about the server.
async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map(str::parse::<usize>);
            let length = length.map_or(0, Result::unwrap);
            if head.starts_with("get ") {
                return None;
            }
            if end + 4 + length <= bytes.len() {
                return Some(String::from_utf8(bytes.split_off(end + 4)).unwrap());
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "a request ends early");
    }
}
