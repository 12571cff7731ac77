//! Accepting connections until told to stop.

use std::{io, time::Duration};

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http::connections::Bounded;

/// How long answers in progress may go on after the stop signal: a download that takes longer is broken off.
const DRAIN: Duration = Duration::from_secs(10);

/// Serves `router` on `listener` until `stop` is cancelled, then lets answers in progress finish for 10 seconds.
///
/// Event streams end by themselves when the token of [`crate::AppParts::stop`] is cancelled.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> io::Result<()> {
    let graceful = axum::serve(Bounded::new(listener), router).with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = graceful => served,
        () = drained => {
            tracing::warn!("answers still in progress were broken off");
            Ok(())
        }
    }
}
