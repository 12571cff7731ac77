//! Over a real connection.

use axum::http::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::rig::{Rig, time, within};

#[tokio::test]
async fn the_server_answers_and_stops_while_an_event_stream_is_open() {
    let rig = Rig::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(bakau_api::serve(listener, rig.router.clone(), rig.stop.clone()));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    within("an answer", client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with(&format!("HTTP/1.1 {}", StatusCode::OK)), "{answer}");
    let mut events = TcpStream::connect(address).await.unwrap();
    events.write_all(b"GET /api/v1/events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut stream = String::new();
    while !stream.contains("event: status") {
        let mut some = [0; 1024];
        let count = within("the stream", events.read(&mut some)).await.unwrap();
        assert_ne!(count, 0, "the stream ended early: {stream}");
        stream.push_str(std::str::from_utf8(&some[..count]).unwrap());
    }
    rig.stop.cancel();
    within("the end of the server", server).await.unwrap().unwrap();
    within("the end of the stream", events.read_to_string(&mut stream)).await.unwrap();
    assert!(stream.ends_with("0\r\n\r\n"), "the stream ends, it does not break: {stream}");
}

/// Reads an event stream until some text has come.
async fn read_until(events: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    while !text.contains(wanted) {
        let mut some = [0; 1024];
        let count = within(wanted, events.read(&mut some)).await.unwrap();
        assert_ne!(count, 0, "the stream ended early: {text}");
        text.push_str(std::str::from_utf8(&some[..count]).unwrap());
    }
    text
}

#[tokio::test]
async fn a_connection_that_is_lost_costs_a_client_no_change() {
    let mut rig = Rig::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(bakau_api::serve(listener, rig.router.clone(), rig.stop.clone()));
    rig.feed_and_announce(&[("mlg-kota-01/pm25", time("2026-03-10T08:58:00Z"), Some(50.0))]).await;

    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET /api/v1/events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let text = read_until(&mut first, "id: ").await;
    let text = if text.ends_with('\n') { text } else { text + &read_until(&mut first, "\n").await };
    let id = text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().unwrap().to_owned();
    // Reset instead of closed, as when a mobile network goes away.
    first.set_zero_linger().unwrap();
    drop(first);

    rig.feed(&[("prb-bjbr-01/do", time("2026-03-10T08:59:00Z"), Some(5.25))]).await;
    let mut second = TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/v1/events HTTP/1.1\r\nhost: x\r\nlast-event-id: {id}\r\n\r\n");
    second.write_all(request.as_bytes()).await.unwrap();
    let text = read_until(&mut second, "5.25").await;
    assert!(!text.contains("mlg-kota-01"), "what had not changed is left out: {text}");
    rig.stop.cancel();
    within("the end of the server", server).await.unwrap().unwrap();
}
