//! One network connection: bytes, TLS, and the opening exchange of MQTT.

use std::{io, sync::Arc, time::Duration};

use futures::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_util::codec::Framed;

use super::{
    ClientConfig, KEEP_ALIVE,
    reasons::{Kind, Reason},
    wire::{Accepted, Codec, Connect, Incoming, Outgoing, WireError},
};
use crate::tls;

/// Longest time from the first packet of TCP to the broker's answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest time a write may take before the connection counts as stuck.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is no connection any more, or none yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The broker sent a packet above our limit; it will send it again.
    #[error("the broker holds a message of {0} bytes, above this source's limit: raise max_packet_bytes")]
    Oversized(usize),
    /// The broker refused the connection or the subscription; the settings must change.
    #[error("{0}")]
    Refused(String),
    /// Another client connected with our client id; the broker says so.
    #[error("{0}")]
    TakenOver(String),
    /// The broker closed the connection without a word.
    #[error("the broker closed the connection")]
    Closed,
    /// A certificate was not accepted, by either side.
    #[error("{0}")]
    Tls(String),
    /// The connection failed or was closed.
    #[error("{0}")]
    Lost(String),
    /// No answer to a ping.
    #[error("the broker no longer answers")]
    Silent,
    /// Nothing could be written for ten seconds.
    #[error("the broker takes no more bytes")]
    Stuck,
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind;
        let closed = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::UnexpectedEof];
        match tls::in_words(&error) {
            Some(words) => Self::Tls(words),
            None if closed.contains(&error.kind()) => Self::Closed,
            None => Self::Lost(error.to_string()),
        }
    }
}

impl From<WireError> for LinkError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::Oversized(bytes) => Self::Oversized(bytes),
            WireError::Malformed(..) => Self::Lost(error.to_string()),
            WireError::Io(error) => error.into(),
        }
    }
}

impl From<Reason> for LinkError {
    fn from(reason: Reason) -> Self {
        match reason.kind {
            Kind::Passing => Self::Lost(reason.words),
            Kind::Lasting => Self::Refused(reason.words),
            Kind::TakenOver => Self::TakenOver(reason.words),
        }
    }
}

/// A TCP or TLS stream.
trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// An open connection to a broker that accepted us.
pub(crate) struct Link {
    framed: Framed<Box<dyn Bytes>, Codec>,
}

impl Link {
    /// Connects; also returns what the broker said.
    pub(crate) async fn connect(config: &ClientConfig) -> Result<(Self, Accepted), LinkError> {
        match timeout(CONNECT_TIMEOUT, Self::open(config)).await {
            Ok(connected) => connected,
            Err(_) => Err(LinkError::Lost("the broker did not answer within 15 s".to_owned())),
        }
    }

    async fn open(config: &ClientConfig) -> Result<(Self, Accepted), LinkError> {
        let (host, port) = (config.host.as_str(), config.port);
        let unreachable = |error: io::Error| LinkError::Lost(format!("cannot reach {host}:{port}: {error}"));
        let tcp = TcpStream::connect((host, port)).await.map_err(unreachable)?;
        tcp.set_nodelay(true).map_err(unreachable)?;
        let stream: Box<dyn Bytes> = match &config.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let name = tls.server_name.as_deref().unwrap_or(host).to_owned();
                let name = ServerName::try_from(name)
                    .map_err(|_| LinkError::Tls(format!("'{host}' is no name a certificate can be for")))?;
                Box::new(TlsConnector::from(Arc::clone(&tls.config)).connect(name, tcp).await?)
            }
        };
        let codec = Codec { protocol: config.protocol, max_packet_bytes: config.max_packet_bytes };
        let mut link = Self { framed: Framed::new(stream, codec) };
        link.write(std::iter::once(Outgoing::Connect(opening(config)))).await?;
        match link.read().await? {
            Incoming::Accepted(accepted) => Ok((link, accepted)),
            Incoming::Refused(reason) | Incoming::Disconnect(reason) => Err(reason.into()),
            Incoming::Publish(_)
            | Incoming::Release(_)
            | Incoming::SubAck { .. }
            | Incoming::UnsubAck
            | Incoming::Other => Err(LinkError::Lost("the broker answered out of turn".to_owned())),
        }
    }

    /// The next packet. May be dropped before it resolves: no byte is lost.
    pub(crate) async fn read(&mut self) -> Result<Incoming, LinkError> {
        match self.framed.next().await {
            Some(packet) => Ok(packet?),
            None => Err(LinkError::Closed),
        }
    }

    /// Writes packets and flushes them together.
    pub(crate) async fn write(&mut self, packets: impl Iterator<Item = Outgoing>) -> Result<(), LinkError> {
        let all = async {
            for packet in packets {
                self.framed.feed(packet).await?;
            }
            self.framed.flush().await
        };
        match timeout(WRITE_TIMEOUT, all).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(LinkError::Stuck),
        }
    }
}

fn opening(config: &ClientConfig) -> Connect {
    let password = || config.password.as_ref().map_or(String::new(), |secret| secret.expose().to_owned());
    let seconds = |duration: Duration, least: u64| duration.as_secs().max(least);
    Connect {
        client_id: config.client_id.clone(),
        keep_alive_s: u16::try_from(seconds(KEEP_ALIVE, 1)).unwrap_or(u16::MAX),
        login: config.username.as_ref().map(|username| (username.clone(), password())),
        receive_maximum: config.window.max(1),
        session_expiry_s: u32::try_from(seconds(config.session_expiry, 1)).unwrap_or(u32::MAX),
    }
}
