//! The public port: accepts connections and carries their bytes to rmqtt and back.
//!
//! rmqtt 0.24 waits for ever for the first byte of a connection, takes any number of connections, and shuts the socket
//! down before it writes an MQTT 5 DISCONNECT, so no client ever learns a reason. The edge bounds the first two and
//! writes the reason itself. It follows packet boundaries only; everything else is rmqtt's.

use std::{
    io::ErrorKind,
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};
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

/// Accepts connections until dropped; connections live on in `tasks` until they end or the broker stops.
pub(super) async fn accept(listener: TcpListener, inner: SocketAddr, shared: &Arc<Shared>, tasks: &TaskTracker) {
    let places = limits::connections(&shared.config);
    let slots = Arc::new(Semaphore::new(places));
    let mut warned: Option<Instant> = None;
    let mut may_warn = move || {
        let due = warned.is_none_or(|at| WARN_EVERY < at.elapsed());
        if due {
            warned = Some(Instant::now());
        }
        due
    };
    loop {
        match listener.accept().await {
            Ok((client, peer)) => {
                let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                    metrics::refused("too_many_connections");
                    if may_warn() {
                        tracing::warn!(limit = places, "too many mqtt connections");
                    }
                    continue;
                };
                let shared = Arc::clone(shared);
                tasks.spawn(async move {
                    if let Err(error) = serve(client, peer, inner, &shared).await {
                        tracing::debug!(%peer, %error, "mqtt connection failed");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                if may_warn() {
                    tracing::warn!(%error, "mqtt connections cannot be accepted");
                }
                // Usually no file descriptors are left; trying at once would burn a core.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(mut client: TcpStream, peer: SocketAddr, inner: SocketAddr, shared: &Shared) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(inner).await?;
    client.set_nodelay(true)?;
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

/// What ended the way from the client to rmqtt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The client closed, or its connection broke.
    ByClient,
    /// rmqtt takes no more, or no CONNECT came in time.
    ByServer,
    /// The client broke a limit.
    Violating(Violation),
}

async fn carry(client: &mut TcpStream, upstream: &mut TcpStream, connection: &Connection, shared: &Shared) {
    let (from_client, mut to_client) = client.split();
    let (from_inner, mut to_inner) = upstream.split();
    let mut at_boundary = true;
    {
        let backward = carry_back(&from_inner, &mut to_client);
        tokio::pin!(backward);
        let ended = tokio::select! {
            ended = carry_on(&from_client, &mut to_inner, connection, shared) => Some(ended),
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
    say_goodbye(client, connection, at_boundary).await;
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

/// Carries the client's bytes to rmqtt.
async fn carry_on(
    from_client: &ReadHalf<'_>,
    to_inner: &mut WriteHalf<'_>,
    connection: &Connection,
    shared: &Shared,
) -> Ended {
    let connect_by = Instant::now() + CONNECT_TIMEOUT;
    let mut scanner = Scanner::new(limits::packet_limits(&shared.config));
    loop {
        let readable = if scanner.connected() {
            from_client.readable().await
        } else {
            let Ok(readable) = timeout_at(connect_by, from_client.readable()).await else {
                metrics::refused("connect_timeout");
                return Ended::ByServer;
            };
            readable
        };
        if readable.is_err() {
            return Ended::ByClient;
        }
        let (rest, violation) = {
            let mut piece = [0; PIECE_BYTES];
            let piece = match from_client.try_read(&mut piece) {
                Ok(0) => return Ended::ByClient,
                Ok(read) => &piece[..read],
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(_) => return Ended::ByClient,
            };
            let scanned = scanner.feed(piece);
            let passed = &piece[..scanned.pass];
            match to_inner.try_write(passed) {
                Ok(written) => (passed[written..].to_vec(), scanned.violation),
                Err(error) if error.kind() == ErrorKind::WouldBlock => (passed.to_vec(), scanned.violation),
                Err(_) => return Ended::ByServer,
            }
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
        if scanner.said_goodbye() {
            return Ended::ByClient;
        }
    }
}

/// Carries rmqtt's bytes to the client until rmqtt closes or the client takes no more.
async fn carry_back(from_inner: &ReadHalf<'_>, to_client: &mut WriteHalf<'_>) {
    while from_inner.readable().await.is_ok() {
        let rest = {
            let mut piece = [0; PIECE_BYTES / 4];
            let piece = match from_inner.try_read(&mut piece) {
                Ok(0) => return,
                Ok(read) => &piece[..read],
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(_) => return,
            };
            match to_client.try_write(piece) {
                Ok(written) => piece[written..].to_vec(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => piece.to_vec(),
                Err(_) => return,
            }
        };
        if !rest.is_empty() {
            let written = timeout(WRITE_TIMEOUT, to_client.write_all(&rest)).await;
            if !matches!(written, Ok(Ok(()))) {
                return;
            }
        }
    }
}

/// Tells an MQTT 5 client why, and closes so that it can read it.
async fn say_goodbye(client: &mut TcpStream, connection: &Connection, at_boundary: bool) {
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
