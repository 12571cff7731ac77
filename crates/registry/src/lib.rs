//! Agencies, stations, datastreams, deployments, routes, rules, people, channels and devices: catalogue files in, snapshots out.

mod catalogue;
mod conversion;
mod database;
mod demo;
mod error;
mod missing_codes;
mod parameters;
mod plan;
mod registry;
mod rows;
mod snapshot;
pub mod token;

pub use catalogue::{
    Catalogue, CatalogueError, CatalogueFile, MAX_FILE_BYTES, MAX_FILES, MAX_ITEMS_PER_KIND, is_loopback_host,
};
pub use conversion::{ConversionError, conversion};
pub use database::AuditRow;
pub use demo::demo_catalogue;
pub use error::RegistryError;
pub use parameters::parameters;
pub use plan::Plan;
pub use registry::Registry;
pub use snapshot::{
    About, Agency, AirType, Band, Channel, City, Condition, Datastream, DatastreamEntry, DatastreamTarget, Deployment,
    DeploymentEntry, Device, DeviceMapping, Direction, Figures, Format, Instrument, JsonMapping, JsonValue,
    MailSecurity, NoDataTarget, NotificationRoute, Person, Route, Rule, RuleTarget, Snapshot, Station, StationTarget,
    StatusMapping, Threshold, TimeFormat, ValueMapping, WaterClass,
};
