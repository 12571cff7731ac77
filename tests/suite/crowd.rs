//! Strangers who keep Bakau busy, and everybody else beside them. Real sockets from one address.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bakau_tests::{bakau::Bakau, catalogue, kill::Way};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// More than there are places for requests.
const STRANGERS: usize = 270;
/// What everybody else may wait, as the median of several askings: a busy machine may be slow once.
const SOON: Duration = Duration::from_millis(200);
/// A slow body is given up after 10 s; a busy machine may need longer to say so to 270 clients.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that announces a form and sends its first byte.
async fn stranger(server: SocketAddr, path: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(server).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 20\r\n\r\nn"
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}

/// Whether the server has said nothing yet.
fn is_waiting(stream: &TcpStream) -> bool {
    let nothing = stream.try_read(&mut [0; 1]);
    matches!(nothing, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// How long an answer took, the body of the page included; the median of several.
async fn time_of(bakau: &Bakau, path: &str, expected: u16) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..9 {
        let started = Instant::now();
        // A client of its own each time: a new connection, as for somebody who comes.
        let response = reqwest::Client::new().get(bakau.url(path)?).send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        ensure!(status == expected, "GET {path} answered {status}: {text}");
        times.push(started.elapsed());
    }
    times.sort_unstable();
    times.get(times.len() / 2).copied().context("some times")
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_bodies_of_one_stranger_keep_nobody_else_waiting() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut bakau =
        Bakau::prepare(folder.path(), &Way::Embedded.configuration(0), &[("uji.toml", catalogue::load(1))])?;
    bakau.start().await?;
    let server = bakau.http()?;
    let mut strangers = Vec::new();
    for number in 0..STRANGERS {
        let paths = ["/a/tidak-ada", "/alerts/0/acknowledge"];
        strangers.push(stranger(server, paths[number % paths.len()]).await?);
    }
    for (path, expected) in [("/readyz", 200), ("/healthz", 200), ("/", 200), ("/a/tidak-ada", 404)] {
        let time = time_of(&bakau, path, expected).await?;
        println!("{path} in {time:?} beside {STRANGERS} unfinished bodies");
        ensure!(time < SOON, "{path} took {time:?}");
    }
    // Everybody was answered while every one of the bodies was unfinished.
    ensure!(strangers.iter().all(is_waiting), "a stranger was answered before its body was whole");
    // And then a body that does not come is given up, in words, with its connection.
    for stream in &mut strangers {
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer))
            .await
            .context("a slow body is given up")??;
        ensure!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    bakau.stop()
}
