//! A receiver of webhooks over a real socket.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// What the sink does with a request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Status line and further header lines.
    Answer(&'static str),
    /// Takes it and never answers.
    Never,
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

#[derive(Debug)]
pub(super) struct Sink {
    pub(super) url: String,
    pub(super) requests: mpsc::UnboundedReceiver<Request>,
    script: Arc<Mutex<VecDeque<Reply>>>,
}

impl Sink {
    /// Answers with the script, then with 204.
    pub(super) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::unbounded_channel();
        let script: Arc<Mutex<VecDeque<Reply>>> = Arc::new(Mutex::new(script.into_iter().collect()));
        let replies = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, sender.clone(), Arc::clone(&replies)));
            }
        });
        Self { url, requests, script }
    }

    pub(super) fn then(&self, reply: Reply) {
        self.script.lock().push_back(reply);
    }

    pub(super) async fn next(&mut self) -> Request {
        let wait = std::time::Duration::from_secs(20);
        tokio::time::timeout(wait, self.requests.recv()).await.expect("no request came").expect("sink is gone")
    }
}

async fn serve(mut stream: TcpStream, sender: mpsc::UnboundedSender<Request>, script: Arc<Mutex<VecDeque<Reply>>>) {
    let Some(request) = read(&mut stream).await else { return };
    let reply = script.lock().pop_front().unwrap_or(Reply::Answer("204 No Content"));
    sender.send(request).unwrap();
    match reply {
        Reply::Answer(head) => {
            let answer = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        Reply::Never => std::future::pending().await,
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.ok().filter(|count| *count != 0)?;
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: BTreeMap<_, _> = lines.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        if headers.get("content-length")?.parse::<usize>().ok()? <= body.len() {
            return Some(Request { body: body.to_owned(), headers });
        }
    }
}
