//! What every answer to a write leads to, and answers to questions that end early.

use std::{path::Path, time::Duration};

use bakau_model::{Observation, Seq};
use bakau_store::{
    Store, StoreErrorKind,
    conformance::{batch, everything, observation},
    influx::{InfluxConfig, InfluxStore, Timeouts},
};

use super::{
    Files, names,
    scripted::{Say, Scripted},
};

fn rows(count: i64) -> Vec<Observation> {
    (0..count).map(|n| observation(1, n * 60_000, Some(n as f64))).collect()
}

fn open(folder: &Path, server: &Scripted) -> InfluxStore {
    InfluxStore::open(&folder.join("journal.db"), server.config(), names()).unwrap()
}

/// Writes once with the first answer and once with 204; returns kind, text and wanted pause of the failure.
async fn fails_and_goes_on(first: Say) -> (StoreErrorKind, String, Option<Duration>) {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Some(first);
    let server = Scripted::start(move |_| first.take().unwrap_or_else(|| Say::Answer(204, "", Vec::new()))).await;
    let store = open(folder.path(), &server);
    let group = [batch(1, "a", &rows(50))];
    let error = store.write(&group, Vec::new()).await.unwrap_err();
    assert_eq!(store.cursor().await.unwrap(), Seq::START, "the cursor moves on 204 alone");
    assert!(store.health().await.is_err(), "a failed write is no health");
    let receipt = store.write(&group, Vec::new()).await.unwrap();
    assert_eq!((receipt.counts.stored, receipt.cursor), (50, Seq::new(1)), "nothing is dropped or counted twice");
    store.health().await.unwrap();
    let bodies = server.seen();
    assert_eq!((bodies.len(), bodies[0].lines().count()), (2, 50));
    assert_eq!(bodies[0], bodies[1], "the same body is sent again");
    assert_eq!(store.refused(9).await.unwrap(), [], "nothing is in quarantine");
    (error.kind(), error.to_string(), error.wanted_pause())
}

#[tokio::test]
async fn answers_that_may_pass_are_followed_by_the_same_body() {
    for status in [408, 429, 499, 500, 502, 503, 504] {
        let (kind, text, wanted) = fails_and_goes_on(Say::status(status)).await;
        assert_eq!((kind, wanted), (StoreErrorKind::Unavailable, None), "{status}");
        assert!(text.contains(&status.to_string()), "{text}");
    }
}

#[tokio::test]
async fn connections_that_are_cut_before_or_in_the_answer_are_followed_by_the_same_body() {
    let cut: [&[u8]; 3] = [b"", b"HTTP/1.1 204", b"HTTP/1.1 500 Scripted\r\ncontent-length: 900\r\n\r\n{\"code\":"];
    for bytes in cut {
        let (kind, ..) = fails_and_goes_on(Say::Bytes(bytes.to_vec())).await;
        assert_eq!(kind, StoreErrorKind::Unavailable, "{}", String::from_utf8_lossy(bytes));
    }
}

#[tokio::test]
async fn a_server_that_takes_everything_and_says_nothing_is_given_up_after_the_time_of_the_settings() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, short) = (format!("http://{}", listener.local_addr().unwrap()), Duration::from_millis(300));
    let timeouts = Timeouts { total: short, ..Timeouts::default() };
    let config = InfluxConfig { url, timeouts, ..Scripted::start(|_| Say::status(204)).await.config() };
    let store = InfluxStore::open(&folder.path().join("journal.db"), config, names()).unwrap();
    let started = std::time::Instant::now();
    let written = store.write(&[batch(1, "a", &rows(3))], Vec::new()).await.unwrap_err();
    let asked = store.observations(&everything(1)).await.unwrap_err();
    assert_eq!((written.kind(), asked.kind()), (StoreErrorKind::Unavailable, StoreErrorKind::Unavailable));
    let took = started.elapsed();
    assert!(2 * short <= took && took < Timeouts::default().total, "{took:?}");
}

#[tokio::test]
async fn the_pause_that_the_server_wants_is_handed_on() {
    let (.., wanted) = fails_and_goes_on(Say::Answer(429, "retry-after: 7\r\n", Vec::new())).await;
    assert_eq!(wanted, Some(Duration::from_secs(7)));
    let date = "date: Wed, 21 Oct 2026 07:28:00 GMT\r\nretry-after: Wed, 21 Oct 2026 07:29:00 GMT\r\n";
    let (.., wanted) = fails_and_goes_on(Say::Answer(503, date, Vec::new())).await;
    assert_eq!(wanted, Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn a_full_disk_of_the_server_is_called_that() {
    let text = br#"{"code":"internal error","message":"write /var/lib/x: no space left on device"}"#;
    let (kind, text, _) = fails_and_goes_on(Say::Answer(500, "", text.to_vec())).await;
    assert_eq!(kind, StoreErrorKind::Full);
    assert!(!text.contains("/var/lib"), "answers are not repeated: {text}");
}

#[tokio::test]
async fn refusals_hold_everything_and_say_why() {
    let answers = [
        (401, "does not accept the token"),
        (403, "may not write"),
        (404, "no such organization or bucket"),
        (301, "leads to another server"),
        (307, "leads to another server"),
        (200, "something else"),
        (418, "unexpected"),
    ];
    for (status, words) in answers {
        let (kind, text, _) = fails_and_goes_on(Say::status(status)).await;
        assert_eq!(kind, StoreErrorKind::Refused, "{status}");
        assert!(text.contains(words), "{status}: {text}");
    }
}

#[tokio::test]
async fn what_is_too_long_for_the_server_comes_in_shorter_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(|body| Say::status(if 300 < body.lines().count() { 413 } else { 204 })).await;
    let store = open(folder.path(), &server);
    let written = rows(2_000);
    assert_eq!(store.write(&[batch(1, "a", &written)], Vec::new()).await.unwrap().counts.stored, 2_000);
    let taken: Vec<String> = server.seen().into_iter().filter(|body| body.lines().count() <= 300).collect();
    let stamps: Vec<i64> =
        taken.concat().lines().map(|line| line.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
    assert_eq!(stamps, written.iter().map(|row| row.observed_at.get()).collect::<Vec<_>>(), "each once, in order");
}

#[tokio::test]
async fn a_single_line_that_is_too_long_goes_to_quarantine() {
    let folder = tempfile::tempdir().unwrap();
    let server = Scripted::start(|body| Say::status(if body.contains(" 60000\n") { 413 } else { 204 })).await;
    let store = open(folder.path(), &server);
    store.write(&[batch(1, "a", &rows(5))], Vec::new()).await.unwrap();
    let refused = store.refused(9).await.unwrap();
    assert_eq!((refused.len(), refused[0].observed_at.get()), (1, 60_000));
}

#[tokio::test]
async fn an_answer_to_a_question_that_is_cut_anywhere_is_an_error() {
    let files = Files::new().await;
    let store = files.store().await;
    let written = rows(12_000);
    store.write(&[batch(1, "a", &written)], Vec::new()).await.unwrap();
    let whole = files.influxd.question(&files.config().bucket, "s1").await;
    let places = [0, 1, 90, whole.len() / 3, whole.len() * 5 / 6 + 1, whole.len() - 1, whole.len()];
    for (chunked, place) in [false, true].into_iter().flat_map(|chunked| places.map(|place| (chunked, place))) {
        let part = whole[..place].to_vec();
        // With no length the end of the connection is the end of the body; in a piece of its own a cut one is none.
        let framing =
            if chunked { format!("transfer-encoding: chunked\r\n\r\n{place:x}\r\n") } else { "\r\n".to_owned() };
        let end: &[u8] = if chunked && place == whole.len() { b"\r\n0\r\n\r\n" } else { b"" };
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{framing}");
        let server = Scripted::start(move |_| Say::Bytes([head.as_bytes(), &part, end].concat())).await;
        let store = InfluxStore::open(&files.journal(), server.config(), names()).unwrap();
        match store.observations(&everything(1)).await {
            Ok(found) => assert_eq!((place, found.len()), (whole.len(), 12_000)),
            Err(error) => {
                assert!(place < whole.len(), "{error}");
                assert_eq!(error.kind(), StoreErrorKind::Unavailable);
            }
        }
    }
}
