//! skeleton
use std::sync::Arc;

use bakau_spool::SpoolReader;
use bakau_store::Store;
use tokio_util::sync::CancellationToken;

/// Carries batches from the spool to the store.
pub async fn run_writer(store: Arc<dyn Store>, spool: SpoolReader, stop: CancellationToken) {
    let _ = (store, spool, stop);
    todo!()
}
