//! Waiting for a condition with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Asks `condition` again and again until it gives a value; the pause only bounds the polling rate.
///
/// # Errors
/// When `deadline` passes first; the message names what was waited for and the last answer.
pub async fn until<T>(
    what: &str,
    deadline: Duration,
    mut condition: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let last = condition().await;
        if let Ok(Some(value)) = last {
            return Ok(value);
        }
        if deadline < start.elapsed() {
            match last {
                Err(error) => bail!("waited {deadline:?} for {what}; last error: {error:#}"),
                Ok(_) => bail!("waited {deadline:?} for {what}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
