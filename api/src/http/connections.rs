//! Bounds on connections: how many there are, and how long one may stand still.
//!
//! A connection is closed when its client has begun a request and not finished it in time, when it takes nothing of an
//! answer for that long, or when nothing happens at all. Handlers answer within their own, shorter time, so an honest
//! client never meets this bound; event streams send something every few seconds.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};

/// Open connections; more wait in the queue of the operating system.
const MAX_CONNECTIONS: usize = 2_000;
/// How long a connection may stand still; twice the time a handler has.
const STANDSTILL: Duration = Duration::from_secs(60);

/// A listener whose connections are bounded.
#[derive(Debug)]
pub(crate) struct Bounded {
    listener: TcpListener,
    free: Arc<Semaphore>,
}

impl Bounded {
    /// Bounds the connections of `listener`.
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self { listener, free: Arc::new(Semaphore::new(MAX_CONNECTIONS)) }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let permit = Arc::clone(&self.free).acquire_owned().await.ok();
        // axum's own listener waits and tries again where the system refuses, for example for want of descriptors.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Events are small and wanted now; without it they may wait 40 ms for an acknowledgement.
        let _ = stream.set_nodelay(true);
        (Connection::new(stream, permit), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when it stands still.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    deadline: Pin<Box<Sleep>>,
    /// Bytes of a request have come since the last byte of an answer went out.
    request_begun: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Connection {
    fn new(stream: TcpStream, permit: Option<OwnedSemaphorePermit>) -> Self {
        let deadline = Box::pin(tokio::time::sleep(STANDSTILL));
        Self { stream, deadline, request_begun: false, _permit: permit }
    }

    fn restart(&mut self) {
        self.deadline.as_mut().reset(Instant::now() + STANDSTILL);
    }

    /// `pending`, unless the connection has stood still for too long.
    fn pending<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    fn wrote(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_pending() {
            return self.pending(context);
        }
        self.request_begun = false;
        self.restart();
        written
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_pending() {
            return self.pending(context);
        }
        // Only the first bytes of a request buy time: a client that sends one byte a minute buys none.
        if !std::mem::replace(&mut self.request_begun, true) {
            self.restart();
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn pair() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut bounded = Bounded::new(listener);
        let (client, accepted) = tokio::join!(TcpStream::connect(address), bounded.accept());
        (client.unwrap(), accepted.0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_is_cut_off_however_slowly_it_trickles() {
        let (mut client, mut server) = pair().await;
        let started = Instant::now();
        let trickle = async {
            loop {
                tokio::time::sleep(Duration::from_secs(25)).await;
                if client.write_all(b"x").await.is_err() {
                    return;
                }
            }
        };
        let serve = async {
            let mut buffer = [0; 64];
            loop {
                if let Err(error) = server.read(&mut buffer).await {
                    return error.kind();
                }
            }
        };
        let kind = tokio::select! { () = trickle => panic!("the client gave up first"), kind = serve => kind };
        assert_eq!(kind, io::ErrorKind::TimedOut);
        assert!(started.elapsed() <= 2 * STANDSTILL);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_cut_off() {
        let (_client, mut server) = pair().await;
        let chunk = vec![0; 1 << 20];
        let error = loop {
            if let Err(error) = server.write_all(&chunk).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
