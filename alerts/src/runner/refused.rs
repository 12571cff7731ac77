//! Values the spool has no room for: they are evaluated all the same, because a full disk must not blind the engine.
//!
//! Nothing of them is durable and no cursor moves. They come again at each try, and once more when they are spooled; the
//! engine ignores what is not newer than what it has evaluated.

use std::sync::Arc;

use bakau_model::Batch;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::Runner;

/// The next refused batch. What was missed meanwhile is refused again soon.
pub(super) async fn next(refused: &mut Receiver<Arc<Batch>>) -> Arc<Batch> {
    loop {
        match refused.recv().await {
            Ok(batch) => return batch,
            Err(RecvError::Lagged(missed)) => tracing::debug!(missed, "refused batches were not evaluated"),
            // Without a writer nothing is refused any more.
            Err(RecvError::Closed) => std::future::pending::<()>().await,
        }
    }
}

impl Runner {
    pub(super) fn take_refused(&mut self, batch: &Batch) {
        self.weigh(self.given.clock.now(), batch);
    }
}
