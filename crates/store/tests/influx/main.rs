//! The InfluxDB backend against a real influxd: conformance, refused points, crashes.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod copy;
mod erased;
mod examples;
mod fuzzed;
mod harm;
mod mapping;
mod measured;
#[path = "../old/mod.rs"]
mod old;
mod points;
mod quarantine;
mod ranges;
mod scripted;
mod server;
mod stranger;

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use bakau_model::{DatastreamId, DatastreamName, UtcMillis};
use bakau_store::{
    conformance,
    copy::Transfer,
    influx::{INSTANTS, InfluxConfig, InfluxStore, Names},
};
use parking_lot::Mutex;

use self::server::Influxd;

/// Every datastream has a station of its own.
fn names() -> Names {
    Arc::new(|datastream: DatastreamId| DatastreamName::new(&format!("s{datastream}"), "do", Some("150cm")).ok())
}

struct Files {
    influxd: Influxd,
    folder: tempfile::TempDir,
    made: Mutex<u32>,
}

impl Files {
    async fn new() -> Self {
        Self::with(Influxd::start().await)
    }

    fn with(influxd: Influxd) -> Self {
        Self { influxd, folder: tempfile::tempdir().unwrap(), made: Mutex::new(0) }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join(format!("series-influx-{}.db", *self.made.lock()))
    }

    fn config(&self) -> InfluxConfig {
        self.influxd.config(&format!("b{}", *self.made.lock()))
    }

    /// A new bucket and the store on it.
    async fn store(&self) -> InfluxStore {
        *self.made.lock() += 1;
        self.influxd.make_bucket(&self.config().bucket).await;
        self.open()
    }

    fn open(&self) -> InfluxStore {
        InfluxStore::open(&self.journal(), self.config(), names()).unwrap()
    }
}

#[async_trait]
impl conformance::Fixture for Files {
    async fn empty(&self) -> Arc<dyn Transfer> {
        Arc::new(self.store().await)
    }

    async fn reopened(&self) -> Arc<dyn Transfer> {
        Arc::new(self.open())
    }

    async fn reopened_target(&self) -> Arc<dyn Transfer> {
        Arc::new(InfluxStore::open_target(&self.journal(), self.config(), names()).unwrap())
    }

    fn instants(&self) -> (UtcMillis, UtcMillis) {
        INSTANTS
    }
}

#[tokio::test]
async fn it_passes_the_conformance_suite() {
    let files = Files::new().await;
    conformance::run(&files).await;
    stranger::finds_what_the_stores_have(&files).await;
}
