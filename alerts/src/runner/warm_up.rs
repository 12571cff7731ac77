//! Quality control goes on where rules had got to, not where the store is.

use std::{sync::Arc, time::Duration};

use bakau_model::{DatastreamId, UtcMillis};
use bakau_quality::Stream;
use tokio::{sync::mpsc, time::Instant};

use super::Runner;
use crate::runner::warm::{self, Open};

/// Rules wait this long for the memory of quality control after a start, and no longer.
const LONGEST_WARM_UP: Duration = Duration::from_secs(2);

impl Runner {
    /// Gives quality control its memory back; what a slow store has not told by then comes while evaluation goes on.
    pub(super) async fn warm_up(&mut self) -> mpsc::Receiver<(DatastreamId, Stream)> {
        let measured = self.snapshot.datastreams.values().filter(|one| self.engine.measures(one.number));
        let measured = measured.cloned().collect();
        let open = Open { unread_since: self.unread_since().await, waiting: self.ahead.keys().collect() };
        let mut states = warm::states(Arc::clone(&self.given.store), measured, self.given.clock.now(), open);
        let deadline = Instant::now() + LONGEST_WARM_UP;
        while let Ok(Some((datastream, stream))) = tokio::time::timeout_at(deadline, states.recv()).await {
            self.take_state(datastream, stream);
        }
        states
    }

    /// When the first of what is still to be evaluated arrived. Sources may overtake each other by a moment, so it is looked
    /// for in more than the next batch.
    async fn unread_since(&self) -> Option<UtcMillis> {
        let unread = match self.read_far_behind().await {
            Ok(unread) => unread,
            Err(error) => {
                tracing::warn!(%error, "quality control goes on from what is stored, because the spool cannot be read");
                return None;
            }
        };
        let arrivals = unread.iter().flat_map(|batch| &batch.observations);
        arrivals.map(|sourced| sourced.observation.received_at).min()
    }

    pub(super) fn take_state(&mut self, datastream: DatastreamId, stream: Stream) {
        if !self.flagger.knows(datastream) {
            self.flagger.resume(datastream, stream);
        }
    }
}
