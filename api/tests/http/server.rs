//! Over a real connection.

use axum::http::StatusCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::rig::{Rig, within};

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
