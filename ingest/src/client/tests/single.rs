//! One bad thing behind a broker costs only itself. The broker is played, because mosquitto refuses no filter by its files
//! and lets no such topic in.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

/// Reads until a packet has come in which these bytes follow each other; `false` at the end of the connection.
async fn hear(connection: &mut TcpStream, heard: &mut Vec<u8>, bytes: &[u8]) -> bool {
    while !heard.windows(bytes.len()).any(|found| found == bytes) {
        if connection.read_buf(heard).await.unwrap_or(0) == 0 {
            return false;
        }
    }
    true
}

/// Grants the first of two filters, sends a message whose topic is no UTF-8 and one behind it, and says what it heard once
/// both are acknowledged.
async fn play(listener: TcpListener) -> Vec<u8> {
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut heard = Vec::new();
    connection.write_all(b"\x20\x03\x00\x00\x00").await.unwrap();
    assert!(hear(&mut connection, &mut heard, b"other/#").await);
    connection.write_all(b"\x90\x05\x00\x01\x00\x01\x87").await.unwrap();
    let strange = b"\x32\x09\x00\x02\xff\xfe\x00\x07\x00{}";
    let good = b"\x32\x15\x00\x0dbakau/s1/data\x00\x08\x00{}x";
    connection.write_all(strange).await.unwrap();
    connection.write_all(good).await.unwrap();
    assert!(
        hear(&mut connection, &mut heard, b"\x40\x02\x00\x07").await
            && hear(&mut connection, &mut heard, b"\x40\x02\x00\x08").await
    );
    while connection.read_buf(&mut heard).await.unwrap_or(0) != 0 {}
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_filter_and_a_strange_topic_hold_up_nothing_else() {
    let directory = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let broker = tokio::spawn(play(listener));
    let topics = vec!["bakau/#".to_owned(), "other/#".to_owned()];
    let line = Line::start(&directory, ClientConfig { topics, broker_counters: false, ..config(port) });
    wait_for(|| line.spooled().len() == 2).await;
    line.in_state(SourceState::Blocked(BlockedReason::Refused)).await;
    wait_for(|| line.board.sources()[0].problem.is_some()).await;
    let source = line.board.sources()[0].clone();
    let problem = source.problem.unwrap_or_default();
    assert!(problem.contains("'other/#': this user may not"), "{problem}");
    assert_eq!(source.connections, 1);
    line.end().await;
    broker.await.unwrap();
}
