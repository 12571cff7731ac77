//! A webhook receiver that checks signatures and remembers what came.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use anyhow::Result;
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use hmac::{Hmac, Mac};
use parking_lot::Mutex;
use sha2::Sha256;

/// The secret shared with Bakau in tests.
pub const SECRET: &str = "rahasia-uji";
/// Environment variable in which Bakau under test finds it.
pub const SECRET_ENV: &str = "BAKAU_TEST_SECRET";

/// One accepted delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// `Bakau-Idempotency-Key`.
    pub key: String,
    /// The JSON body.
    pub body: serde_json::Value,
    /// When it came.
    pub at: Instant,
}

#[derive(Debug, Default)]
struct Received {
    deliveries: Vec<Delivery>,
    /// Requests refused because of their signature.
    forged: u64,
    /// How many requests to answer with 500 first.
    failures_left: u64,
}

/// A running receiver; it stops with the runtime.
#[derive(Debug, Clone)]
pub struct Sink {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
}

impl Sink {
    /// Starts it on a free port; the first `failures` requests are answered with 500.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn start(failures: u64) -> Result<Self> {
        let received = Arc::new(Mutex::new(Received { failures_left: failures, ..Received::default() }));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let app = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&received));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { address, received })
    }

    /// Where to post.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What has come so far, without repeats of one key.
    #[must_use]
    pub fn deliveries(&self) -> Vec<Delivery> {
        let mut seen = std::collections::HashSet::new();
        let received = self.received.lock();
        received.deliveries.iter().filter(|delivery| seen.insert(delivery.key.clone())).cloned().collect()
    }

    /// How many requests carried a wrong signature.
    #[must_use]
    pub fn forged(&self) -> u64 {
        self.received.lock().forged
    }
}

async fn receive(State(received): State<Arc<Mutex<Received>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut received = received.lock();
    if !is_signed(&header("bakau-signature"), &body) {
        received.forged += 1;
        return StatusCode::UNAUTHORIZED;
    }
    if 0 < received.failures_left {
        received.failures_left -= 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let body = serde_json::from_slice(&body).unwrap_or_default();
    received.deliveries.push(Delivery { key: header("bakau-idempotency-key"), body, at: Instant::now() });
    StatusCode::NO_CONTENT
}

/// `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`.
fn is_signed(signature: &str, body: &[u8]) -> bool {
    let Some((time, mac)) = signature.split_once(',') else { return false };
    let (Some(time), Some(mac)) = (time.strip_prefix("t="), mac.strip_prefix("v1=")) else { return false };
    let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else { return false };
    hmac.update(time.as_bytes());
    hmac.update(b".");
    hmac.update(body);
    let expected: String = hmac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    expected == mac
}
