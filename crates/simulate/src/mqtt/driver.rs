//! Sends messages until each is acknowledged, over as many connections as it takes.

use std::{
    collections::VecDeque,
    io,
    time::{Duration, Instant},
};

use bakau_model::Backoff;
use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{ConnectReturnCode, Packet};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Effort, Message, PublishError, Target, packet};

/// Time for a TCP connection and its CONNACK.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Waits between two connection attempts.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));

/// Keep alive told to the broker; a ping goes out after half of it.
const KEEP_ALIVE_S: u16 = 60;

/// A connection on which nothing came back for so long although something waits is given up. Longer than the 20 s in
/// which the embedded broker commits or disconnects.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an ordered end may take.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes gathered before they are handed to the socket: many small messages in one system call.
const WRITE_CHUNK: usize = 64 * 1024;

/// Answer of a source of messages to the question for the next one.
#[derive(Debug)]
pub(crate) enum Next {
    /// The next message.
    Message(Message),
    /// None before this much time has passed since the start.
    NotBefore(Duration),
    /// The device dies: the connection breaks without a DISCONNECT, and nothing comes before this much time has passed.
    Gone(Duration),
    /// No more messages.
    End,
}

/// Where messages come from and where acknowledgements go.
pub(crate) trait Source: Send {
    /// The next message; `elapsed` is the time since the start. A message gets the number of messages before it.
    ///
    /// # Errors
    /// Ends the publishing.
    fn next(&mut self, elapsed: Duration) -> Result<Next, PublishError>;

    /// The PUBACK of a message was seen; called once per message, in the broker's order.
    fn acknowledged(&mut self, number: u64);
}

/// Publishes everything of a source and returns when all of it is acknowledged, or when `stop` is cancelled (then without
/// waiting for outstanding acknowledgements).
///
/// # Errors
/// When the broker refuses the client, nothing is acknowledged for longer than the patience, or the source fails.
pub(crate) async fn publish_all(
    target: &Target,
    effort: &Effort,
    source: &mut dyn Source,
    stop: &CancellationToken,
) -> Result<(), PublishError> {
    let mut sender = Sender {
        window: effort.window.clamp(1, 60_000),
        source,
        started: Instant::now(),
        flight: Flight::default(),
        ended: false,
        progress: Instant::now(),
        wake: Duration::ZERO,
        gone: None,
    };
    let mut failures = 0;
    loop {
        let connected = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            connected = timeout(CONNECT_TIMEOUT, connect(target)) => connected,
        };
        let trouble = match connected {
            Ok(Ok((reader, writer, input))) => {
                failures = 0;
                match sender.run(reader, writer, input, stop).await? {
                    Ended::Done => return Ok(()),
                    Ended::Lost(trouble) => trouble,
                    Ended::Gone(until) => {
                        tokio::select! {
                            () = stop.cancelled() => return Ok(()),
                            () = sleep(until.saturating_sub(sender.started.elapsed())) => continue,
                        }
                    }
                }
            }
            Ok(Err(Failed::Refused(reason))) => {
                return Err(PublishError::Refused { broker: target.broker, reason });
            }
            Ok(Err(Failed::Connection(error))) => error.to_string(),
            Err(_) => "no answer to the connection attempt".to_owned(),
        };
        tracing::debug!(broker = %target.broker, trouble, "publisher reconnects");
        if let Some(patience) = effort.patience
            && patience <= sender.progress.elapsed()
        {
            let (broker, seconds) = (target.broker, patience.as_secs());
            return Err(PublishError::NoProgress { broker, seconds, last: trouble });
        }
        failures += 1;
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = sleep(BACKOFF.doubled(failures)) => {}
        }
    }
}

pub(super) enum Failed {
    Refused(&'static str),
    Connection(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

fn protocol_error(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Opens a connection and waits for its CONNACK; the buffer holds bytes that came behind it.
pub(super) async fn connect(target: &Target) -> Result<(OwnedReadHalf, OwnedWriteHalf, BytesMut), Failed> {
    let stream = TcpStream::connect(target.broker).await?;
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.into_split();
    let mut out = BytesMut::new();
    packet::connect(&mut out, target, KEEP_ALIVE_S)
        .map_err(|_| protocol_error("client id, login or last will do not fit into MQTT"))?;
    writer.write_all(&out).await?;
    let mut input = BytesMut::with_capacity(4_096);
    loop {
        match packet::take(&mut input).map_err(|_| protocol_error("the answer is not MQTT"))? {
            Some(Packet::ConnAck(answer)) => match refusal(answer.code) {
                None => return Ok((reader, writer, input)),
                Some(refused) => return Err(refused),
            },
            Some(_) => return Err(protocol_error("the first answer is no CONNACK").into()),
            None => {}
        }
        if reader.read_buf(&mut input).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

/// Ends the connection in order: sends DISCONNECT and waits until the broker closes. A broker that ends before it
/// has read the DISCONNECT would take the connection for a broken one and publish the last will.
async fn disconnect(reader: &mut OwnedReadHalf, writer: &mut OwnedWriteHalf) -> io::Result<()> {
    writer.write_all(&packet::DISCONNECT).await?;
    let mut rest = [0; 256];
    while reader.read(&mut rest).await? != 0 {}
    Ok(())
}

/// What a CONNACK return code means (MQTT 3.1.1, section 3.2.2.3), where it is a refusal.
fn refusal(code: ConnectReturnCode) -> Option<Failed> {
    Some(match code {
        ConnectReturnCode::Success => return None,
        ConnectReturnCode::RefusedProtocolVersion => Failed::Refused("it does not speak MQTT 3.1.1"),
        ConnectReturnCode::BadClientId => Failed::Refused("it does not accept the client id"),
        ConnectReturnCode::ServiceUnavailable => {
            Failed::Connection(io::Error::other("the broker says it is unavailable"))
        }
        ConnectReturnCode::BadUserNamePassword => Failed::Refused("wrong user name or password"),
        ConnectReturnCode::NotAuthorized => Failed::Refused("not authorized"),
    })
}

/// Messages sent and not yet acknowledged, oldest first.
#[derive(Default)]
struct Flight {
    waiting: VecDeque<(u16, u64, Message)>,
    in_use: Vec<bool>,
    last_id: u16,
    sent: u64,
}

impl Flight {
    /// Registers a message under a packet id that is not in use; the window leaves some free.
    fn add(&mut self, message: Message) -> (u16, &Message) {
        self.in_use.resize(usize::from(u16::MAX) + 1, false);
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.in_use[usize::from(self.last_id)] {
                break;
            }
        }
        self.in_use[usize::from(self.last_id)] = true;
        self.waiting.push_back((self.last_id, self.sent, message));
        self.sent += 1;
        (self.last_id, &self.waiting[self.waiting.len() - 1].2)
    }

    /// The number of the message a PUBACK belongs to; `None` for an id nobody waits for.
    fn remove(&mut self, id: u16) -> Option<u64> {
        // Brokers answer in order, so the first one is nearly always it.
        let position = self.waiting.iter().position(|(waiting, ..)| *waiting == id)?;
        let (_, number, _) = self.waiting.remove(position)?;
        self.in_use[usize::from(id)] = false;
        Some(number)
    }
}

enum Ended {
    Done,
    Lost(String),
    /// The source is gone until so much time after the start.
    Gone(Duration),
}

struct Sender<'a> {
    window: usize,
    source: &'a mut dyn Source,
    started: Instant,
    flight: Flight,
    ended: bool,
    /// When something was last acknowledged, or nothing waited.
    progress: Instant,
    /// Time since the start before which the source has nothing.
    wake: Duration,
    /// Until when the source is gone, once it says so.
    gone: Option<Duration>,
}

impl Sender<'_> {
    /// Uses one connection until all is acknowledged or it is lost.
    async fn run(
        &mut self,
        mut reader: OwnedReadHalf,
        mut writer: OwnedWriteHalf,
        mut input: BytesMut,
        stop: &CancellationToken,
    ) -> Result<Ended, PublishError> {
        let mut out = BytesMut::with_capacity(WRITE_CHUNK);
        for (id, _, message) in &self.flight.waiting {
            packet::publish(&mut out, message, *id, true)?;
        }
        let (mut heard, mut spoke) = (Instant::now(), Instant::now());
        loop {
            self.fill(&mut out)?;
            if let Some(until) = self.gone.take() {
                return Ok(Ended::Gone(until));
            }
            if self.ended && self.flight.waiting.is_empty() {
                // The broker has everything; whether it reads the DISCONNECT does not matter.
                let _ignored = writer.write_all(&packet::DISCONNECT).await;
                return Ok(Ended::Done);
            }
            if out.is_empty() && Duration::from_secs(u64::from(KEEP_ALIVE_S) / 2) < spoke.elapsed() {
                out.extend_from_slice(&packet::PINGREQ);
            }
            if !self.flight.waiting.is_empty() && ANSWER_TIMEOUT < heard.elapsed() {
                return Ok(Ended::Lost("no answer for too long".to_owned()));
            }
            let outcome = tokio::select! {
                () = stop.cancelled() => {
                    let _ignored = timeout(DISCONNECT_TIMEOUT, disconnect(&mut reader, &mut writer)).await;
                    return Ok(Ended::Done);
                }
                read = reader.read_buf(&mut input) => match read {
                    Ok(0) => return Ok(Ended::Lost("the broker closed the connection".to_owned())),
                    Ok(_) => { heard = Instant::now(); self.take_answers(&mut input) }
                    Err(error) => Err(error.to_string()),
                },
                written = writer.write_buf(&mut out), if !out.is_empty() => {
                    spoke = Instant::now();
                    written.map(drop).map_err(|error| error.to_string())
                }
                () = sleep(self.pause()) => Ok(()),
            };
            if self.flight.waiting.is_empty() {
                (heard, self.progress) = (Instant::now(), Instant::now());
            }
            if let Err(trouble) = outcome {
                return Ok(Ended::Lost(trouble));
            }
        }
    }

    /// Asks the source for messages while the window and the chunk have room.
    fn fill(&mut self, out: &mut BytesMut) -> Result<(), PublishError> {
        let elapsed = self.started.elapsed();
        while !self.ended && self.wake <= elapsed && self.flight.waiting.len() < self.window && out.len() < WRITE_CHUNK
        {
            match self.source.next(elapsed)? {
                Next::Message(message) => {
                    let (id, message) = self.flight.add(message);
                    packet::publish(out, message, id, false)?;
                }
                Next::NotBefore(instant) => {
                    self.wake = instant;
                    // A source that names a time that is already here is asked again in the next round.
                    if instant <= elapsed {
                        return Ok(());
                    }
                }
                Next::Gone(until) => {
                    self.gone = Some(until);
                    return Ok(());
                }
                Next::End => self.ended = true,
            }
        }
        Ok(())
    }

    /// How long nothing needs to be done unless the socket moves.
    fn pause(&self) -> Duration {
        let full = self.window <= self.flight.waiting.len();
        let until_next = self.wake.saturating_sub(self.started.elapsed());
        if self.ended || full { Duration::from_secs(1) } else { until_next.min(Duration::from_secs(1)) }
    }

    fn take_answers(&mut self, input: &mut BytesMut) -> Result<(), String> {
        loop {
            match packet::take(input) {
                Ok(Some(Packet::PubAck(answer))) => {
                    if let Some(number) = self.flight.remove(answer.pkid) {
                        self.progress = Instant::now();
                        self.source.acknowledged(number);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(_) => return Err("the broker sent bytes that are not MQTT".to_owned()),
            }
        }
    }
}
