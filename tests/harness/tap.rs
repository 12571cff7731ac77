//! A wire tap between an external broker and Bakau: a witness of what the broker handed over and what Bakau acknowledged,
//! which asks neither of them.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
};

use anyhow::Result;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a message is called by the test; `None` for messages that do not matter.
pub type Name = fn(topic: &[u8], payload: &[u8]) -> Option<u64>;

/// What passed by so far, each message under the number that the test gave it.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Messages at QoS 1 that the broker handed over.
    pub handed_over: HashSet<u64>,
    /// Those that Bakau acknowledged.
    pub acknowledged: HashSet<u64>,
    /// How often one was handed over again.
    pub repeats: u64,
}

/// A running tap; it stops with the runtime.
#[derive(Debug)]
pub struct Tap {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl Tap {
    /// Listens on a free port and passes everything on to `broker`; connections are refused while that is away.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn start(broker: SocketAddr, name: Name) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A broker that is away: the connection is dropped, as if nobody listened.
                if let Ok(upstream) = TcpStream::connect(broker).await {
                    tokio::spawn(pass(client, upstream, Arc::clone(&shared), name));
                }
            }
        });
        Ok(Self { port, seen })
    }

    /// Where Bakau connects.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What passed by so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }
}

/// Passes both directions on until both ended.
async fn pass(client: TcpStream, broker: TcpStream, seen: Arc<Mutex<Seen>>, name: Name) {
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    // Packet ids of this connection.
    let open = Arc::new(Mutex::new(HashMap::new()));
    let (deliveries, shared) = (Arc::clone(&open), Arc::clone(&seen));
    let down = copy(from_broker, to_client, move |kind, body| {
        let Some((id, number)) = delivery(kind, body, name) else { return };
        let mut seen = shared.lock();
        if !seen.handed_over.insert(number) {
            seen.repeats += 1;
        }
        deliveries.lock().insert(id, number);
    });
    let up = copy(from_client, to_broker, move |kind, body| {
        let Some(number) = acknowledgement(kind, body).and_then(|id| open.lock().remove(&id)) else { return };
        seen.lock().acknowledged.insert(number);
    });
    tokio::join!(down, up);
}

/// Passes bytes on until the reader ends, showing each MQTT packet; what cannot be written any more is still looked at.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut look: impl FnMut(u8, &[u8])) {
    let (mut bytes, mut buffer, mut writes) = (Vec::new(), vec![0; 64 * 1024], true);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        writes = writes && to.write_all(&buffer[..read]).await.is_ok();
        bytes.extend_from_slice(&buffer[..read]);
        let mut at = 0;
        while let Some((kind, start, end)) = packet(&bytes[at..]) {
            look(kind, &bytes[at + start..at + end]);
            at += end;
        }
        bytes.drain(..at);
    }
    // The other side may be gone already.
    let _ = to.shutdown().await;
}

/// The first byte of the next whole packet, and where its body starts and ends.
fn packet(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let mut length = 0;
    for (place, byte) in bytes.get(1..)?.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let start = place + 2;
            return (start + length <= bytes.len()).then_some((bytes[0], start, start + length));
        }
    }
    None
}

/// Packet id and number of a PUBLISH at QoS 1.
fn delivery(kind: u8, body: &[u8], name: Name) -> Option<(u16, u64)> {
    if kind & 0xf6 != 0x32 {
        return None;
    }
    let (length, rest) = body.split_first_chunk::<2>()?;
    let (topic, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (id, rest) = rest.split_first_chunk::<2>()?;
    // The payload is JSON; what lies before it are the properties of MQTT 5.
    let payload = rest.iter().position(|byte| *byte == b'{').map(|at| &rest[at..])?;
    Some((u16::from_be_bytes(*id), name(topic, payload)?))
}

/// Packet id of a PUBACK that says yes.
fn acknowledgement(kind: u8, body: &[u8]) -> Option<u16> {
    let (id, rest) = body.split_first_chunk::<2>()?;
    let yes = rest.first().is_none_or(|reason| *reason < 0x80);
    (kind == 0x40 && yes).then_some(u16::from_be_bytes(*id))
}
