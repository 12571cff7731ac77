//! Agencies, stations, datastreams, deployments, routes, rules, channels and devices: catalogue files in, snapshots out.

mod snapshot;

pub use snapshot::{
    Agency, Channel, City, Datastream, DatastreamEntry, Deployment, DeploymentEntry, Device, Direction, Format,
    Instrument, JsonMapping, JsonValue, Route, Rule, Snapshot, Station, Threshold, TimeFormat,
};
