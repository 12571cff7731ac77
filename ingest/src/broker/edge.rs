//! The public ports, plain and with TLS: accepts connections and carries their bytes to rmqtt and back.
//!
//! rmqtt 0.24 waits for ever for the first byte of a connection, takes any number of connections, and shuts the socket
//! down before it writes an MQTT 5 DISCONNECT, so no client ever learns a reason. The edge bounds the first two and
//! writes the reason itself. It follows packet boundaries only; everything else is rmqtt's.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::{
    Shared,
    connections::{Closing, Connection},
    frame::{Scanner, Violation},
    limits, metrics,
};

/// Longest from the connection to a complete CONNECT.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest a client may leave its acknowledgements unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest rmqtt gets to finish what it has already read when the server ends a connection.
const CLOSING_GRACE: Duration = Duration::from_secs(2);

/// Longest and most that is read and thrown away after a DISCONNECT: closing a socket with unread bytes resets the
/// connection, and a reset destroys the reason on its way to the client.
const DRAIN_TIME: Duration = Duration::from_secs(2);
const DRAIN_BYTES: usize = 16 * 1024 * 1024;

/// The same while stopping, which should not take long.
const STOPPING_DRAIN_TIME: Duration = Duration::from_millis(200);

/// Read at once; on the stack, so that an idle connection holds no buffer.
const PIECE_BYTES: usize = 16 * 1024;

/// Least time between two log lines about refused connections.
const WARN_EVERY: Duration = Duration::from_secs(60);

/// What all public ports share.
pub(super) struct Edge {
    shared: Arc<Shared>,
    /// Where rmqtt listens.
    inner: SocketAddr,
    places: usize,
    slots: Arc<Semaphore>,
    warned: Mutex<Option<Instant>>,
    pub(super) tasks: TaskTracker,
}

impl Edge {
    pub(super) fn new(shared: &Arc<Shared>, inner: SocketAddr) -> Self {
        let places = limits::connections(&shared.config);
        let slots = Arc::new(Semaphore::new(places));
        Self { shared: Arc::clone(shared), inner, places, slots, warned: Mutex::new(None), tasks: TaskTracker::new() }
    }

    /// Accepts connections until dropped; connections live on in `tasks` until they end or the broker stops.
    pub(super) async fn accept(&self, listener: TcpListener, tls: Option<TlsAcceptor>) {
        loop {
            match listener.accept().await {
                Ok((client, peer)) => {
                    let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
                        metrics::refused("too_many_connections");
                        if self.may_warn() {
                            tracing::warn!(limit = self.places, "too many mqtt connections");
                        }
                        continue;
                    };
                    self.tasks.spawn(welcome(client, peer, tls.clone(), self.inner, Arc::clone(&self.shared), slot));
                }
                Err(error) => {
                    if self.may_warn() {
                        tracing::warn!(%error, "mqtt connections cannot be accepted");
                    }
                    // Usually no file descriptors are left; trying at once would burn a core.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn may_warn(&self) -> bool {
        let mut warned = self.warned.lock();
        let due = warned.is_none_or(|at| WARN_EVERY < at.elapsed());
        if due {
            *warned = Some(Instant::now());
        }
        due
    }
}

/// Serves one connection, after its TLS handshake where there is one; the slot is taken until then.
async fn welcome(
    client: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    inner: SocketAddr,
    shared: Arc<Shared>,
    slot: OwnedSemaphorePermit,
) {
    let served = async {
        client.set_nodelay(true)?;
        let Some(tls) = tls else { return serve(client, peer, inner, &shared).await };
        let handshake = tokio::select! {
            handshake = timeout(CONNECT_TIMEOUT, tls.accept(client)) => handshake,
            () = shared.stop.cancelled() => return Ok(()),
        };
        match handshake {
            Ok(Ok(client)) => serve(client, peer, inner, &shared).await,
            Ok(Err(error)) => {
                metrics::refused("tls_handshake");
                Err(error)
            }
            Err(_) => {
                metrics::refused("connect_timeout");
                Ok(())
            }
        }
    };
    // A TLS session's buffers are large; on the heap only while there is one.
    let served: Pin<Box<dyn Future<Output = io::Result<()>> + Send>> = Box::pin(served);
    if let Err(error) = served.await {
        tracing::debug!(%peer, %error, "mqtt connection failed");
    }
    drop(slot);
}

async fn serve<C: AsyncRead + AsyncWrite + Unpin>(
    mut client: C,
    peer: SocketAddr,
    inner: SocketAddr,
    shared: &Shared,
) -> io::Result<()> {
    let mut upstream = TcpStream::connect(inner).await?;
    upstream.set_nodelay(true)?;
    let connection = shared.connections.open(upstream.local_addr()?.port(), peer);
    shared.board.connection_opened(&shared.config.name);
    carry(&mut client, &mut upstream, &connection, shared).await;
    connection.detached().await;
    shared.connections.closed(&connection);
    // Only now may the port be used again: rmqtt's hooks find the connection by it.
    drop(upstream);
    Ok(())
}

/// Why the way from the client to rmqtt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The client closed, or its connection broke.
    ByClient,
    /// rmqtt takes no more, or no CONNECT came in time.
    ByServer,
    /// The client broke a limit.
    Violating(Violation),
}

async fn carry<C: AsyncRead + AsyncWrite + Unpin>(
    client: &mut C,
    upstream: &mut TcpStream,
    connection: &Connection,
    shared: &Shared,
) {
    let mut at_boundary = true;
    {
        let (mut from_client, mut to_client) = tokio::io::split(&mut *client);
        let (mut from_inner, mut to_inner) = upstream.split();
        let backward = carry_back(&mut from_inner, &mut to_client);
        tokio::pin!(backward);
        let ended = tokio::select! {
            ended = carry_on(&mut from_client, &mut to_inner, connection, shared) => Some(ended),
            () = connection.close_requested() => None,
            () = shared.stop.cancelled() => { connection.close(Closing::Stopping); None }
            () = &mut backward => Some(Ended::ByServer),
        };
        connection.ends();
        if let Some(Ended::Violating(violation)) = ended {
            violated(violation, connection, shared);
        }
        let grace = match ended {
            // It may still read the acknowledgements of what it sent before it closed its side.
            Some(Ended::ByClient) => Some(shared.config.commit_timeout + CLOSING_GRACE),
            Some(Ended::Violating(_)) | None => Some(CLOSING_GRACE),
            Some(Ended::ByServer) => None,
        };
        if let Some(grace) = grace {
            // rmqtt works off what it has read, acknowledges it and then sees the end.
            let _ = to_inner.shutdown().await;
            let finished = tokio::select! {
                finished = timeout(grace, &mut backward) => finished.is_ok(),
                () = shared.stop.cancelled(), if ended == Some(Ended::ByClient) => false,
            };
            at_boundary = finished;
        }
    }
    disconnect(client, connection, at_boundary).await;
}

fn violated(violation: Violation, connection: &Connection, shared: &Shared) {
    match violation {
        Violation::TooLarge { publish } => {
            connection.close(Closing::TooLarge);
            metrics::refused("too_large");
            if publish {
                let now = shared.clock.now();
                shared.traffic.arrived(1, now);
                shared.intake.denied(&shared.config.name, now);
            }
        }
        Violation::Malformed => {
            connection.close(Closing::Malformed);
            metrics::refused("malformed");
        }
    }
}

/// One piece that was read: the rest that could not be passed on at once, and the result of `look`.
struct Passed<T> {
    rest: Vec<u8>,
    looked: T,
}

/// Reads what is there, lets `look` say how much of it may pass, and passes on what the other side takes at once. The
/// buffer is on the stack of one poll, so that an idle connection holds none. `None` when reading or writing has ended;
/// the error says which.
async fn pass<const BYTES: usize, T>(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut look: impl FnMut(&[u8]) -> (usize, T),
) -> Result<Passed<T>, Ended> {
    poll_fn(|context: &mut Context<'_>| {
        let mut bytes = [MaybeUninit::uninit(); BYTES];
        let mut piece = ReadBuf::uninit(&mut bytes);
        if ready!(Pin::new(&mut *from).poll_read(context, &mut piece)).is_err() || piece.filled().is_empty() {
            return Poll::Ready(Err(Ended::ByClient));
        }
        let piece = piece.filled();
        let (allowed, looked) = look(piece);
        let passed = piece.get(..allowed).unwrap_or(piece);
        if passed.is_empty() {
            return Poll::Ready(Ok(Passed { rest: Vec::new(), looked }));
        }
        let written = match Pin::new(&mut *to).poll_write(context, passed) {
            Poll::Ready(Ok(written)) => written,
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Ended::ByServer)),
            Poll::Pending => 0,
        };
        let rest = passed.get(written..).unwrap_or_default().to_vec();
        Poll::Ready(Ok(Passed { rest, looked }))
    })
    .await
}

/// Carries the client's bytes to rmqtt.
async fn carry_on(
    from_client: &mut (impl AsyncRead + Unpin),
    to_inner: &mut (impl AsyncWrite + Unpin),
    connection: &Connection,
    shared: &Shared,
) -> Ended {
    let connect_by = Instant::now() + CONNECT_TIMEOUT;
    let mut scanner = Scanner::new(limits::packet_limits(&shared.config));
    loop {
        let connected = scanner.connected();
        let passing = pass::<PIECE_BYTES, _>(from_client, to_inner, |piece| {
            let scanned = scanner.feed(piece);
            (scanned.pass, scanned.violation)
        });
        let passed = if connected {
            passing.await
        } else {
            let Ok(passed) = timeout_at(connect_by, passing).await else {
                metrics::refused("connect_timeout");
                return Ended::ByServer;
            };
            passed
        };
        let Passed { rest, looked: violation } = match passed {
            Ok(passed) => passed,
            Err(ended) => return ended,
        };
        if connection.protocol.load(Ordering::Relaxed) == 0
            && let Some(level) = scanner.protocol_level()
        {
            connection.protocol.store(level, Ordering::Relaxed);
        }
        if !rest.is_empty() && to_inner.write_all(&rest).await.is_err() {
            return Ended::ByServer;
        }
        if let Some(violation) = violation {
            return Ended::Violating(violation);
        }
        // rmqtt leaves the socket open after a DISCONNECT, and some clients wait for the server to close it.
        if scanner.is_disconnected() {
            return Ended::ByClient;
        }
    }
}

/// Carries rmqtt's bytes to the client until rmqtt closes or the client takes no more.
async fn carry_back(from_inner: &mut (impl AsyncRead + Unpin), to_client: &mut (impl AsyncWrite + Unpin)) {
    loop {
        let passed = pass::<{ PIECE_BYTES / 4 }, _>(from_inner, to_client, |piece| (piece.len(), ())).await;
        let Ok(Passed { rest, .. }) = passed else { return };
        let sent = async {
            to_client.write_all(&rest).await?;
            // TLS may have taken the bytes without having sent them.
            to_client.flush().await
        };
        if !matches!(timeout(WRITE_TIMEOUT, sent).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// Sends MQTT 5 clients a DISCONNECT with the reason, and closes so that they can read it.
async fn disconnect<C: AsyncRead + AsyncWrite + Unpin>(client: &mut C, connection: &Connection, at_boundary: bool) {
    if let Some(closing) = connection.closing() {
        tracing::debug!(peer = %connection.peer, epoch = connection.epoch, ?closing, "mqtt connection ended by server");
        if connection.is_v5() && at_boundary {
            // DISCONNECT, two bytes: reason code, no properties.
            let _ = timeout(WRITE_TIMEOUT, client.write_all(&[0xe0, 2, closing.code(), 0])).await;
        }
    }
    if client.shutdown().await.is_err() {
        return;
    }
    let drain = async {
        let mut drained = 0;
        let mut piece = vec![0; PIECE_BYTES];
        while drained < DRAIN_BYTES {
            match client.read(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(read) => drained += read,
            }
        }
    };
    let stopping = connection.closing() == Some(Closing::Stopping);
    let _ = timeout(if stopping { STOPPING_DRAIN_TIME } else { DRAIN_TIME }, drain).await;
}
