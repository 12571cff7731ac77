//! A stand-in for Telegram's bot API on loopback: the real one cannot be reached from a test machine.
//!
//! It answers `sendMessage` and `sendPhoto` as documented for the bot API: `ok`, `error_code`, `description`, and
//! `parameters.retry_after` when it is asked too often.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc, time::Instant};

use anyhow::Result;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    routing::post,
};
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The bot's token in tests.
pub const TOKEN: &str = "4711:rahasia-bot";
/// Environment variable in which Bakau under test finds it.
pub const TOKEN_ENV: &str = "BAKAU_TEST_TELEGRAM_TOKEN";

/// One call that was answered with `ok`.
#[derive(Debug, Clone)]
pub struct Call {
    /// `sendMessage` or `sendPhoto`.
    pub method: String,
    /// The JSON body; null for a picture.
    pub body: Value,
    /// Bytes of the request.
    pub bytes: usize,
    /// When it came.
    pub at: Instant,
}

#[derive(Debug, Default)]
struct Chats {
    calls: Vec<Call>,
    /// Answers to give before calls are taken: status, description, parameters.
    script: VecDeque<(u16, &'static str, Value)>,
}

/// A running stand-in; it stops with the runtime.
#[derive(Debug, Clone)]
pub struct Telegram {
    address: SocketAddr,
    chats: Arc<Mutex<Chats>>,
}

impl Telegram {
    /// Starts it on a free port.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn start() -> Result<Self> {
        let chats = Arc::new(Mutex::new(Chats::default()));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let app = Router::new().route("/{bot}/{method}", post(receive)).with_state(Arc::clone(&chats));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, chats })
    }

    /// The channel `id` of a catalogue that sends through this bot.
    #[must_use]
    pub fn channel(&self, id: &str) -> String {
        format!(
            "\n[[channel]]\nid = \"{id}\"\nkind = \"telegram\"\ntoken_env = \"{TOKEN_ENV}\"\n\
             base_url = \"http://{}\"\n",
            self.address
        )
    }

    /// Gives this answer once, before it takes calls again.
    pub fn refuse(&self, status: u16, description: &'static str, parameters: Value) {
        self.chats.lock().script.push_back((status, description, parameters));
    }

    /// What has been taken so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.chats.lock().calls.clone()
    }
}

async fn receive(
    State(chats): State<Arc<Mutex<Chats>>>,
    Path((bot, method)): Path<(String, String)>,
    headers: HeaderMap,
    bytes: Bytes,
) -> (StatusCode, Json<Value>) {
    let refusal = |status: u16, description: &str, parameters: Value| {
        let body = json!({"ok": false, "error_code": status, "description": description, "parameters": parameters});
        (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body))
    };
    if bot != format!("bot{TOKEN}") {
        return refusal(401, "Unauthorized", json!({}));
    }
    let mut chats = chats.lock();
    if let Some((status, description, parameters)) = chats.script.pop_front() {
        return refusal(status, description, parameters);
    }
    let is_json = headers.get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let body: Value = if is_json { serde_json::from_slice(&bytes).unwrap_or_default() } else { Value::Null };
    if method == "sendMessage" && body["text"].as_str().is_none_or(|text| 4_096 < text.chars().count()) {
        return refusal(400, "Bad Request: message is too long", json!({}));
    }
    chats.calls.push(Call { method, body, bytes: bytes.len(), at: Instant::now() });
    let number = chats.calls.len();
    (StatusCode::OK, Json(json!({"ok": true, "result": {"message_id": number}})))
}
