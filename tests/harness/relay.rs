//! The way from a browser to Bakau: it keeps its address while Bakau moves, and can be cut and mended like a bad line.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// A running relay; it stops with the runtime.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    target: Arc<watch::Sender<Option<SocketAddr>>>,
}

impl Relay {
    /// Listens on a free port and passes connections on to `target`.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let target = Arc::new(watch::Sender::new(Some(target)));
        let targets = Arc::clone(&target);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // While the line is cut, the connection is dropped as if nobody listened.
                let Some(target) = *targets.borrow() else { continue };
                tokio::spawn(pass(near, target, targets.subscribe()));
            }
        });
        Ok(Self { address, target })
    }

    /// A URL by way of the relay.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Breaks every connection and takes none until it is mended.
    pub fn cut(&self) {
        self.target.send_replace(None);
    }

    /// Passes connections on to `target` from now on.
    pub fn mend(&self, target: SocketAddr) {
        self.target.send_replace(Some(target));
    }
}

async fn pass(mut near: TcpStream, target: SocketAddr, mut targets: watch::Receiver<Option<SocketAddr>>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        // Either side may end it.
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = targets.wait_for(|now| *now != Some(target)) => {}
    }
}
