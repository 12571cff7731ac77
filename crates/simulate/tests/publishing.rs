//! The publisher against a broker that misbehaves by script, on a real socket.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bakau_simulate::{
    load::{self, LoadContent, LoadPlan, Progress},
    mqtt::{Answer, Login, Message, PublishError, Target, publish_once},
    replay::{ReplayError, ReplayMap, ReplayOptions, replay},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

/// What the broker does on one connection.
#[derive(Clone, Copy)]
enum Script {
    /// Refuses with this CONNACK code.
    Refuse(u8),
    /// Acknowledges so many messages, takes so many more without a word, then closes.
    Drop { acked: usize, unanswered: usize },
    /// Acknowledges everything.
    Serve,
    /// Acknowledges everything, each pair in the wrong order.
    Swap,
}

/// A received PUBLISH.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Received {
    dup: bool,
    topic: String,
    payload: Vec<u8>,
    /// Whether a PUBACK was sent.
    acked: bool,
}

async fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let first = stream.read_u8().await.ok()?;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let byte = stream.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((first, body))
}

async fn converse(mut stream: TcpStream, script: Script, seen: &mpsc::UnboundedSender<Received>) {
    let (first, _) = packet(&mut stream).await.unwrap();
    assert_eq!(first, 0x10, "a conversation starts with CONNECT");
    if let Script::Refuse(code) = script {
        stream.write_all(&[0x20, 2, 0, code]).await.unwrap();
        return;
    }
    stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
    let (mut count, mut held) = (0, None);
    while let Some((first, body)) = packet(&mut stream).await {
        if first & 0xF0 != 0x30 {
            continue;
        }
        assert_eq!(first & 0x07, 0x02, "QoS 1 and not retained");
        let length = usize::from(body[0]) << 8 | usize::from(body[1]);
        let topic = String::from_utf8(body[2..2 + length].to_vec()).unwrap();
        let (id, payload) = ([body[2 + length], body[3 + length]], body[4 + length..].to_vec());
        let acked = !matches!(script, Script::Drop { acked, .. } if acked <= count);
        seen.send(Received { dup: first & 0x08 != 0, topic, payload, acked }).unwrap();
        count += 1;
        let ack = [0x40, 2, id[0], id[1]];
        match script {
            Script::Drop { acked, unanswered } if count == acked + unanswered => {
                // Closing with unread bytes would reset the connection and take acknowledgements with it.
                stream.shutdown().await.unwrap();
                while packet(&mut stream).await.is_some() {}
                return;
            }
            Script::Swap => match held.take() {
                None => held = Some(ack),
                Some(earlier) => {
                    stream.write_all(&ack).await.unwrap();
                    stream.write_all(&earlier).await.unwrap();
                }
            },
            _ if acked => stream.write_all(&ack).await.unwrap(),
            _ => {}
        }
    }
}

/// A broker that follows one script per connection, and the last one for all later connections.
async fn broker(scripts: &[Script]) -> (SocketAddr, mpsc::UnboundedReceiver<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, received) = mpsc::unbounded_channel();
    let scripts = scripts.to_vec();
    tokio::spawn(async move {
        for n in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let (script, seen) = (scripts[n.min(scripts.len() - 1)], seen.clone());
            tokio::spawn(async move { converse(stream, script, &seen).await });
        }
    });
    (address, received)
}

fn plan(broker: SocketAddr, messages: u64, window: usize) -> LoadPlan {
    let content = LoadContent { messages, stations: 4, ..LoadContent::default() };
    LoadPlan { broker, window, content, ..LoadPlan::default() }
}

async fn run(plan: &LoadPlan) -> load::LoadReport {
    load::run(plan, &Arc::new(Progress::default()), &CancellationToken::new()).await
}

#[tokio::test]
async fn whoever_ends_waits_until_the_broker_knows_it_or_its_last_will_would_call_the_station_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (stop, known) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
    let plan = LoadPlan { connections: 1, ..plan(listener.local_addr().unwrap(), 1_000_000, 1) };
    let publishing = tokio::spawn({
        let (stop, known) = (stop.clone(), Arc::clone(&known));
        async move {
            load::run(&plan, &Arc::new(Progress::default()), &stop).await;
            known.load(Ordering::Relaxed)
        }
    });
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(packet(&mut stream).await.unwrap().0, 0x10);
    stream.write_all(&[0x20, 2, 0, 0]).await.unwrap();
    assert_eq!(packet(&mut stream).await.unwrap().0 & 0xF0, 0x30);
    stop.cancel();
    while packet(&mut stream).await.expect("a DISCONNECT before the end").0 != 0xE0 {}
    known.store(true, Ordering::Relaxed);
    drop(stream);
    assert!(publishing.await.unwrap(), "it ended before the broker had read its DISCONNECT");
}

fn drain(mut received: mpsc::UnboundedReceiver<Received>) -> Vec<Received> {
    std::iter::from_fn(|| received.try_recv().ok()).collect()
}

#[tokio::test]
async fn every_message_is_acknowledged_once_although_connections_break() {
    let scripts = [Script::Drop { acked: 30, unanswered: 7 }, Script::Drop { acked: 0, unanswered: 1 }, Script::Serve];
    let (address, received) = broker(&scripts).await;
    let report = run(&plan(address, 500, 10)).await;
    assert_eq!((report.acknowledged.len(), report.errors.len()), (500, 0));
    assert_eq!(report.acknowledged.iter().collect::<Vec<_>>(), (0..500).collect::<Vec<_>>());
    let received = drain(received);
    let acked: Vec<_> = received.iter().filter(|message| message.acked).map(|message| &message.payload).collect();
    let distinct: HashSet<_> = received.iter().map(|message| (&message.topic, &message.payload)).collect();
    assert_eq!((acked.len(), distinct.len()), (500, 500), "an acknowledged message is not sent again");
    let repeated: Vec<_> = received.iter().filter(|message| message.dup).collect();
    assert!((8..=17).contains(&repeated.len()), "only unacknowledged messages are marked dup: {}", repeated.len());
}

#[tokio::test]
async fn acknowledgements_in_another_order_are_understood() {
    let (address, _received) = broker(&[Script::Swap]).await;
    assert_eq!(run(&plan(address, 400, 20)).await.acknowledged.len(), 400);
}

#[tokio::test]
async fn a_message_that_was_taken_but_not_acknowledged_is_not_in_the_log() {
    let (address, mut received) = broker(&[Script::Drop { acked: 5, unanswered: 1_000 }]).await;
    let stop = CancellationToken::new();
    let progress = Arc::new(Progress::default());
    let plan = plan(address, 100, 20);
    let running = tokio::spawn({
        let (progress, stop) = (Arc::clone(&progress), stop.clone());
        async move { load::run(&plan, &progress, &stop).await }
    });
    for _ in 0..25 {
        received.recv().await.unwrap();
    }
    while progress.acknowledged() < 5 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    let report = running.await.unwrap();
    assert_eq!(report.acknowledged.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(progress.handed_out(), 25, "five acknowledged and a full window");
}

#[tokio::test]
async fn wrong_credentials_end_at_once_with_a_sentence() {
    let (address, _received) = broker(&[Script::Refuse(4)]).await;
    let report = run(&plan(address, 10, 10)).await;
    assert_eq!(report.acknowledged.len(), 0);
    assert!(report.errors[0].to_string().ends_with("wrong user name or password"), "{}", report.errors[0]);
}

#[tokio::test]
async fn a_broker_that_is_not_there_ends_with_the_patience() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let plan = LoadPlan { patience: Some(Duration::from_millis(10)), ..plan(address, 10, 10) };
    let report = run(&plan).await;
    assert!(matches!(report.errors[..], [PublishError::NoProgress { .. }]), "{:?}", report.errors);
}

#[tokio::test]
async fn one_message_tells_what_the_broker_did_with_it() {
    let message = Message { topic: "t".to_owned(), payload: vec![0xFF; 300_000].into() };
    let login = Some(Login { username: "u".to_owned(), password: bakau_model::Secret::new("p") });
    let ask = async |script: Script, wait: Duration| {
        let (broker, received) = broker(&[script]).await;
        let target = Target { broker, client_id: "c".to_owned(), login: login.clone(), will: None };
        (publish_once(&target, &message, wait).await, received)
    };
    let long = Duration::from_secs(20);
    let (answer, received) = ask(Script::Serve, long).await;
    assert_eq!((answer.unwrap(), drain(received)[0].payload.len()), (Answer::Acknowledged, 300_000));
    assert_eq!(ask(Script::Drop { acked: 0, unanswered: 1 }, long).await.0.unwrap(), Answer::Closed);
    assert_eq!(
        ask(Script::Drop { acked: 0, unanswered: 9 }, Duration::from_millis(300)).await.0.unwrap(),
        Answer::Silent
    );
    assert!(matches!(ask(Script::Refuse(5), long).await.0, Err(PublishError::Refused { .. })));
}

#[tokio::test]
async fn a_file_is_replayed_over_a_broken_connection_in_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("series.csv");
    let line = |n: u32| format!("2012-01-01T{:02}:{:02}:00Z,{}.50\n", n / 60, n % 60, n);
    std::fs::write(&file, format!("time,t\n{}", (0..600).map(line).collect::<String>())).unwrap();
    let map = "station = 's'\ntopic = 'r/{station}'\ntime = 'time'\n[[column]]\nname = 't'\nkey = 'x'\nunit = 'Cel'\n";
    let map = ReplayMap::parse(map).unwrap();
    let (broker, received) = broker(&[Script::Drop { acked: 100, unanswered: 3 }, Script::Serve]).await;
    let options =
        ReplayOptions { broker, username: None, password: None, speed: None, from: None, to: None, shuffle: None };
    let report = replay(&file, &map, &options).await.unwrap();
    assert_eq!((report.rows, report.messages, report.values, report.empty), (600, 600, 600, 0));
    let acked: Vec<_> = drain(received).into_iter().filter(|message| message.acked).collect();
    assert!(acked.iter().map(|message| &message.payload).is_sorted(), "rows arrive in the order of the file");
    assert_eq!(String::from_utf8_lossy(&acked[1].payload), r#"{"time":"2012-01-01T00:01:00Z","x":1.50}"#);

    std::fs::write(&file, "time,t\n2012-01-01T00:00:00Z,1\nyesterday,2\n").unwrap();
    let error = replay(&file, &map, &options).await.unwrap_err();
    assert!(matches!(&error, ReplayError::Cell { line: 3, .. }), "{error}");
}
