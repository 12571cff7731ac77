//! From one TOML table to one item.
//!
//! Each reader asks for every field and checks each of them before it gives up, so that all mistakes are found.

mod people;
mod route;
mod rule;

use bakau_model::{DatastreamName, QualityLimits, StationKind, Text, UtcMillis};

pub(crate) use self::{
    people::{channel, notification, person},
    route::route,
    rule::rule,
};
use super::{check, fields::Fields};
use crate::{
    parameters,
    snapshot::{
        Agency, AirType, City, DatastreamEntry, DeploymentEntry, Device, Instrument, Station, WaterClass,
        default_time_zone,
    },
};

pub(crate) fn city(fields: &mut Fields<'_, '_>) -> Option<City> {
    let (id, name, code) = (fields.required("id"), name(fields), fields.required::<String>("code"));
    check::area_code(fields, code.as_deref());
    Some(City { id: id?, name: name?, code: code? })
}

pub(crate) fn agency(fields: &mut Fields<'_, '_>) -> Option<Agency> {
    let (id, name, city) = (fields.required("id"), name(fields), fields.required("city"));
    Some(Agency { id: id?, name: name?, city: city? })
}

pub(crate) fn station(fields: &mut Fields<'_, '_>) -> Option<Station> {
    let (id, name, agency) = (fields.required("id"), name(fields), fields.required("agency"));
    let (kind, latitude) = (fields.required::<StationKind>("kind"), fields.required("latitude"));
    let (longitude, time_zone) = (fields.required("longitude"), fields.optional::<String>("time_zone"));
    let (elevation_m, description) = (fields.optional("elevation_m"), fields.optional::<Text>("description"));
    let water_class = fields.optional::<WaterClass>("water_class");
    let air_type = fields.optional::<AirType>("air_type");
    check::within(fields, "latitude", latitude, -90.0, 90.0);
    check::within(fields, "longitude", longitude, -180.0, 180.0);
    // From the Dead Sea to Mount Everest.
    check::within(fields, "elevation_m", elevation_m, -500.0, 9_000.0);
    check::time_zone(fields, time_zone.as_deref());
    check::both(fields, "description", description.as_ref());
    check::water_class(fields, water_class.as_ref());
    check::of_kind(fields, kind, "water_class", StationKind::Water);
    check::of_kind(fields, kind, "air_type", StationKind::Air);
    Some(Station {
        id: id?,
        name: name?,
        agency: agency?,
        kind: kind?,
        latitude: latitude?,
        longitude: longitude?,
        time_zone: time_zone.unwrap_or_else(default_time_zone),
        elevation_m,
        description,
        water_class,
        air_type,
    })
}

pub(crate) fn datastream(fields: &mut Fields<'_, '_>) -> Option<DatastreamEntry> {
    let (id, interval_s) = (fields.required::<DatastreamName>("id"), fields.required::<u32>("interval_s"));
    let vertical_datum = fields.optional::<String>("vertical_datum");
    let was = fields.optional::<Vec<DatastreamName>>("was").unwrap_or_default();
    check::within(fields, "interval_s", interval_s.map(f64::from), 1.0, f64::from(check::MAX_INTERVAL_S));
    check::text(fields, "vertical_datum", vertical_datum.as_deref());
    check::list(fields, "was", was.len());
    if let Some(id) = &id {
        check::datastream(fields, id, &was);
    }
    let quality = fields.table("quality").map(|table| quality(table, (id.as_ref(), interval_s), fields));
    let (counter, counter_max) = (fields.optional("counter").unwrap_or(false), fields.optional("counter_max"));
    check::counter(fields, id.as_ref(), counter.then_some(counter_max), quality.as_ref());
    Some(DatastreamEntry { id: id?, interval_s: interval_s?, vertical_datum, was, quality, counter, counter_max })
}

/// The datastream's own limits of quality control.
fn quality(
    mut table: Fields<'_, '_>,
    (id, interval_s): (Option<&DatastreamName>, Option<u32>),
    fields: &mut Fields<'_, '_>,
) -> QualityLimits {
    let own = QualityLimits {
        fail: table.optional("fail"),
        suspect: table.optional("suspect"),
        spike: table.optional("spike"),
        rate_per_min: table.optional("rate_per_min"),
        flat_line: table.optional("flat_line"),
        counter: None,
        codes: bakau_model::MissingCodes::NONE,
    };
    let parameter = id.and_then(|id| parameters().get(id.parameter()));
    check::quality(&mut table, parameter.map(|info| info.limits(interval_s.unwrap_or(1))), &own);
    table.finish(&mut fields.errors);
    own
}

pub(crate) fn instrument(fields: &mut Fields<'_, '_>) -> Option<Instrument> {
    let id = fields.required("id");
    let [make, model, serial] = ["make", "model", "serial"].map(|field| {
        let value = fields.required::<String>(field);
        check::text(fields, field, value.as_deref());
        value
    });
    Some(Instrument { id: id?, make: make?, model: model?, serial: serial? })
}

pub(crate) fn deployment(fields: &mut Fields<'_, '_>) -> Option<(DeploymentEntry, UtcMillis)> {
    let (datastream, instrument) = (fields.required("datastream"), fields.required("instrument"));
    let (from, to) = (fields.required_instant("from"), fields.instant("to"));
    check::deployment(fields, (from, to));
    let from = from?;
    let entry = DeploymentEntry {
        datastream: datastream?,
        instrument: instrument?,
        from: from.to_string(),
        to: to.map(|to| to.to_string()),
        gain: 1.0,
        offset: 0.0,
    };
    Some((entry, from))
}

pub(crate) fn device(fields: &mut Fields<'_, '_>) -> Option<Device> {
    let (username, token_sha256) = (fields.required::<String>("username"), fields.required::<String>("token_sha256"));
    let publish = fields.required::<Vec<String>>("publish");
    check::text(fields, "username", username.as_deref());
    check::device(fields, token_sha256.as_deref(), publish.as_deref());
    Some(Device { username: username?, token_sha256: token_sha256?, publish: publish? })
}

fn name(fields: &mut Fields<'_, '_>) -> Option<Text> {
    let name = fields.required("name");
    check::both(fields, "name", name.as_ref());
    name
}
