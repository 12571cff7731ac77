//! Readings to observations: which datastream, in which unit, measured when, by which deployment.
//!
//! Pure. What depends only on route and station is worked out once per topic ([`resolve`]); per reading remain a
//! multiplication, the deployment and the time checks.

use bakau_model::{
    Conversion, DAY_MS, DatastreamId, DatastreamName, DeploymentId, Flag, HOUR_MS, MINUTE_MS, Observation,
    QuarantineReason, SECOND_MS, TimeSource, UtcMillis,
};
use bakau_registry::{Snapshot, conversion};
use jiff::tz::TimeZone;

use crate::decode::{PayloadTime, RawValue, Slot};

/// Why one reading cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The reason for the quarantine list.
    pub(crate) reason: QuarantineReason,
    /// Details.
    pub(crate) detail: String,
}

impl Fault {
    fn new(reason: QuarantineReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// A deployment as far as identification needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Term {
    from: UtcMillis,
    to: Option<UtcMillis>,
    number: DeploymentId,
}

/// The datastream behind a slot.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    datastream: DatastreamId,
    conversion: Conversion,
    terms: Vec<Term>,
}

/// What a slot of a route means at one station.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Resolved {
    /// Name of the datastream as far as it is known, else the path; shown in the quarantine list.
    pub(crate) label: String,
    /// The datastream, or why there is none.
    pub(crate) target: Result<Target, Fault>,
}

/// Looks up what each slot means at a station.
#[must_use]
pub(crate) fn resolve(snapshot: &Snapshot, slots: &[Slot], station: Option<&str>) -> Vec<Resolved> {
    slots.iter().map(|slot| resolve_slot(snapshot, slot, station)).collect()
}

fn resolve_slot(snapshot: &Snapshot, slot: &Slot, station: Option<&str>) -> Resolved {
    let unknown = |label: String, detail: String| Resolved {
        label,
        target: Err(Fault::new(QuarantineReason::UnknownDatastream, detail)),
    };
    let Some(station) = station else {
        let detail = "neither the topic nor the route says which station it is";
        return unknown(slot.path.clone(), detail.to_owned());
    };
    let name = match DatastreamName::new(station, slot.parameter.as_str(), slot.qualifier.as_deref()) {
        Ok(name) => name,
        Err(error) => return unknown(slot.path.clone(), error.to_string()),
    };
    let Some(datastream) = snapshot.datastream(&name) else {
        let detail = format!("no datastream '{name}' is registered: add it to the catalogue or correct the mapping");
        return unknown(name.to_string(), detail);
    };
    let molar_mass = snapshot.parameters.get(&slot.parameter).and_then(|info| info.molar_mass);
    let conversion = match conversion(&slot.unit, &datastream.unit, molar_mass, slot.gas) {
        Ok(conversion) => conversion,
        Err(error) => {
            let target = Err(Fault::new(QuarantineReason::UnknownUnit, error.to_string()));
            return Resolved { label: name.to_string(), target };
        }
    };
    let deployments = snapshot.deployments.get(&datastream.number).map_or(&[][..], Vec::as_slice);
    let term = |deployment: &bakau_registry::Deployment| Term {
        from: deployment.from,
        to: deployment.to,
        number: deployment.number,
    };
    let terms = deployments.iter().map(term).collect();
    Resolved { label: name.to_string(), target: Ok(Target { datastream: datastream.number, conversion, terms }) }
}

/// How far measured times may lie from the arrival, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AcceptWindow {
    /// How long before the arrival.
    pub past_ms: i64,
    /// How long after the arrival: clocks of devices may be ahead by so much.
    pub future_ms: i64,
}

/// Time of a set of readings, and whose clock stamped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// When the environment had the values.
    pub(crate) observed_at: UtcMillis,
    /// Who stamped it.
    pub(crate) time_source: TimeSource,
}

/// Checks the payload's time against the arrival; without one the arrival is the time. `zone` is that of times without
/// an offset.
///
/// # Errors
/// When the time is no time, or outside the window.
pub(crate) fn stamp(
    time: &PayloadTime,
    received_at: UtcMillis,
    window: AcceptWindow,
    zone: Option<&TimeZone>,
) -> Result<Stamp, Fault> {
    let (observed_at, time_source) = match time {
        PayloadTime::Absent => return Ok(Stamp { observed_at: received_at, time_source: TimeSource::Server }),
        PayloadTime::Invalid(detail) => return Err(Fault::new(QuarantineReason::InvalidTime, detail.clone())),
        PayloadTime::Device(at) => (*at, TimeSource::Device),
        PayloadTime::Network(at) => (*at, TimeSource::Network),
        PayloadTime::Relative(millis) => (received_at.saturating_add(*millis), TimeSource::Server),
        PayloadTime::Local(civil) => {
            let zone = zone.ok_or_else(|| Fault::new(QuarantineReason::InvalidTime, "the time zone is not known"))?;
            let Ok(at) = zone.to_ambiguous_timestamp(*civil).unambiguous() else {
                let detail =
                    format!("{civil} is not one instant in the time zone of the route: its clocks were changed");
                return Err(Fault::new(QuarantineReason::InvalidTime, detail));
            };
            (at.into(), TimeSource::Device)
        }
    };
    let ahead_ms = observed_at.since(received_at);
    if window.future_ms < ahead_ms {
        let detail = format!("{observed_at} is {} after the message arrived: check the device's clock", span(ahead_ms));
        return Err(Fault::new(QuarantineReason::InFuture, detail));
    }
    let age_ms = received_at.since(observed_at);
    if window.past_ms < age_ms {
        let accepted = span(window.past_ms);
        let detail = format!("{observed_at} is {} before arrival; this source accepts {accepted}", span(age_ms));
        return Err(Fault::new(QuarantineReason::TooOld, detail));
    }
    Ok(Stamp { observed_at, time_source })
}

/// The time of a reading that was refused as one from the future, from the words that say why.
pub(crate) fn time_in_future(detail: &str) -> Option<UtcMillis> {
    let (observed_at, _) = detail.split_once(" is ")?;
    UtcMillis::parse(observed_at).ok()
}

/// A duration for people, in its largest whole unit.
fn span(millis: i64) -> String {
    let (unit_ms, unit) = [(DAY_MS, "days"), (HOUR_MS, "h"), (MINUTE_MS, "min")]
        .into_iter()
        .find(|(unit_ms, _)| 2 * unit_ms <= millis)
        .unwrap_or((SECOND_MS, "s"));
    format!("{} {unit}", millis / unit_ms)
}

/// Makes the observation of one reading.
///
/// # Errors
/// When the reading holds no finite number, also after conversion.
pub(crate) fn observe(
    target: &Target,
    value: &RawValue,
    stamp: Stamp,
    received_at: UtcMillis,
) -> Result<Observation, Fault> {
    let value = match value {
        RawValue::Null => None,
        RawValue::OtherUnit(detail) => return Err(Fault::new(QuarantineReason::UnknownUnit, detail.clone())),
        RawValue::NotANumber(detail) => return Err(Fault::new(QuarantineReason::NotANumber, detail.clone())),
        RawValue::Number(number) => {
            let converted = target.conversion.apply(*number);
            if !converted.is_finite() {
                let detail = format!("{number} is too large after unit conversion");
                return Err(Fault::new(QuarantineReason::NotANumber, detail));
            }
            Some(converted)
        }
    };
    let in_force = |term: &&Term| term.from <= stamp.observed_at && term.to.is_none_or(|to| stamp.observed_at < to);
    Ok(Observation {
        datastream: target.datastream,
        observed_at: stamp.observed_at,
        value,
        deployment: target.terms.iter().find(in_force).map_or(DeploymentId::new(0), |term| term.number),
        time_source: stamp.time_source,
        received_at,
        flag: if value.is_none() { Flag::Missing } else { Flag::NotEvaluated },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::testing::{slot, snapshot};

    const ARRIVAL: UtcMillis = UtcMillis::new(1_772_000_000_000);
    const WINDOW: AcceptWindow = AcceptWindow { past_ms: 86_400_000, future_ms: 300_000 };

    fn server_stamp() -> Stamp {
        stamp(&PayloadTime::Absent, ARRIVAL, WINDOW, None).unwrap()
    }

    fn reason(resolved: &Resolved) -> QuarantineReason {
        resolved.target.as_ref().unwrap_err().reason
    }

    #[test]
    fn without_device_time_the_arrival_is_the_time() {
        assert_eq!(server_stamp(), Stamp { observed_at: ARRIVAL, time_source: TimeSource::Server });
    }

    #[test]
    fn times_are_accepted_up_to_both_ends_of_the_window() {
        let at = |offset: i64| stamp(&PayloadTime::Device(ARRIVAL.saturating_add(offset)), ARRIVAL, WINDOW, None);
        assert!(at(300_000).is_ok());
        let refused = at(300_001).unwrap_err();
        assert_eq!(refused.reason, QuarantineReason::InFuture);
        assert_eq!(time_in_future(&refused.detail), Some(ARRIVAL.saturating_add(300_001)));
        assert!(at(-86_400_000).is_ok());
        assert_eq!(at(-86_400_001).unwrap_err().reason, QuarantineReason::TooOld);
        let error = stamp(&PayloadTime::Device(UtcMillis::new(0)), ARRIVAL, WINDOW, None).unwrap_err();
        assert_eq!(error.detail, "1970-01-01T00:00:00Z is 20509 days before arrival; this source accepts 24 h");
    }

    #[test]
    fn who_stamped_a_time_is_kept() {
        let source = |time: &PayloadTime| stamp(time, ARRIVAL, WINDOW, Some(&TimeZone::UTC)).unwrap().time_source;
        let civil = ARRIVAL.to_jiff().unwrap().to_zoned(TimeZone::UTC).datetime();
        assert_eq!(source(&PayloadTime::Device(ARRIVAL)), TimeSource::Device);
        assert_eq!(source(&PayloadTime::Local(civil)), TimeSource::Device);
        assert_eq!(source(&PayloadTime::Network(ARRIVAL)), TimeSource::Network);
        assert_eq!(source(&PayloadTime::Relative(-60_000)), TimeSource::Server);
    }

    #[test]
    fn a_local_time_is_an_instant_of_its_zone_unless_clocks_changed() {
        let at = |zone: &str, civil: &str, received_at: &str| {
            let time = PayloadTime::Local(civil.parse().unwrap());
            stamp(&time, UtcMillis::parse(received_at).unwrap(), WINDOW, TimeZone::get(zone).ok().as_ref())
        };
        let jakarta = at("Asia/Jakarta", "2026-03-10T07:00:00", "2026-03-10T00:00:02Z").unwrap();
        assert_eq!(jakarta.observed_at, UtcMillis::parse("2026-03-10T00:00:00Z").unwrap());
        let jayapura = at("Asia/Jayapura", "2026-03-10T09:00:00", "2026-03-10T00:00:02Z").unwrap();
        assert_eq!(jayapura.observed_at, jakarta.observed_at);
        let wrong_zone = at("Asia/Jakarta", "2026-03-10T09:00:00", "2026-03-10T00:00:02Z").unwrap_err();
        assert_eq!(wrong_zone.reason, QuarantineReason::InFuture);
        for changed in ["2026-03-29T02:30:00", "2026-10-25T02:30:00"] {
            let fault = at("Europe/Berlin", changed, "2026-10-25T02:00:00Z").unwrap_err();
            assert_eq!(fault.reason, QuarantineReason::InvalidTime, "{changed}");
        }
        assert_eq!(
            at("none", "2026-03-10T07:00:00", "2026-03-10T00:00:02Z").unwrap_err().detail,
            "the time zone is not known"
        );
    }

    #[test]
    fn the_unit_of_the_device_is_converted_and_the_deployment_in_force_is_kept() {
        let snapshot = snapshot();
        let resolved = resolve(&snapshot, &[slot("/c", "conductivity", None, "mS/cm")], Some("s1"));
        let target = resolved[0].target.clone().unwrap();
        let observation = observe(&target, &RawValue::Number(45.97), server_stamp(), ARRIVAL).unwrap();
        assert_eq!(observation.value, Some(45_970.0), "to the last bit");
        assert_eq!(observation.deployment, DeploymentId::new(7));
        assert_eq!(observation.flag, Flag::NotEvaluated);
        let before = Stamp { observed_at: UtcMillis::new(0), time_source: TimeSource::Device };
        assert_eq!(observe(&target, &RawValue::Null, before, ARRIVAL).unwrap().deployment, DeploymentId::new(0));
    }

    #[test]
    fn the_share_of_a_gas_becomes_a_mass_only_for_air_that_is_named() {
        let mut snapshot = (*snapshot()).clone();
        snapshot.parameters = bakau_registry::parameters().clone();
        let mut ozone = (**snapshot.datastreams.get(&DatastreamId::new(1)).unwrap()).clone();
        (ozone.name, ozone.unit) = ("s1/o3".parse().unwrap(), bakau_model::Unit::new("ug/m3"));
        snapshot.by_name.insert(ozone.name.clone(), ozone.into());
        let mut slot = slot("/o3", "o3", None, "[ppb]");
        let refused = resolve(&snapshot, std::slice::from_ref(&slot), Some("s1"))[0].target.clone().unwrap_err();
        assert_eq!(refused.reason, QuarantineReason::UnknownUnit);
        assert!(refused.detail.ends_with("add gas to the value in the route"), "{}", refused.detail);
        slot.gas = Some(bakau_model::GasReference { temperature_c: 25.0, pressure_hpa: 1013.25 });
        let target = resolve(&snapshot, &[slot], Some("s1"))[0].target.clone().unwrap();
        let observation = observe(&target, &RawValue::Number(50.0), server_stamp(), ARRIVAL).unwrap();
        assert!((observation.value.unwrap() - 98.0915757).abs() < 1e-6, "{observation:?}");
    }

    #[test]
    fn a_null_is_a_missing_value_and_zero_is_a_value() {
        let snapshot = snapshot();
        let target = resolve(&snapshot, &[slot("/do", "do", None, "mg/L")], Some("s1"))[0].target.clone().unwrap();
        let missing = observe(&target, &RawValue::Null, server_stamp(), ARRIVAL).unwrap();
        assert_eq!((missing.value, missing.flag), (None, Flag::Missing));
        let zero = observe(&target, &RawValue::Number(0.0), server_stamp(), ARRIVAL).unwrap();
        assert_eq!((zero.value, zero.flag), (Some(0.0), Flag::NotEvaluated));
    }

    #[test]
    fn a_value_that_conversion_makes_infinite_is_no_number() {
        let snapshot = snapshot();
        let slots = [slot("/c", "conductivity", None, "mS/cm")];
        let target = resolve(&snapshot, &slots, Some("s1"))[0].target.clone().unwrap();
        let error = observe(&target, &RawValue::Number(1e308), server_stamp(), ARRIVAL).unwrap_err();
        assert_eq!(error.reason, QuarantineReason::NotANumber);
    }

    #[test]
    fn what_is_not_registered_says_what_to_do() {
        let snapshot = snapshot();
        let resolve = |slot: Slot, station: Option<&str>| resolve(&snapshot, &[slot], station).remove(0);
        let other_depth = resolve(slot("/do", "do", Some("150cm"), "mg/L"), Some("s1"));
        assert_eq!(reason(&other_depth), QuarantineReason::UnknownDatastream);
        assert_eq!(other_depth.label, "s1/do@150cm");
        let bad_station = resolve(slot("/do", "do", None, "mg/L"), Some("Stasiun 1"));
        assert_eq!((reason(&bad_station), &*bad_station.label), (QuarantineReason::UnknownDatastream, "/do"));
        let nowhere = resolve(slot("/do", "do", None, "mg/L"), None);
        assert_eq!(reason(&nowhere), QuarantineReason::UnknownDatastream);
        let unit = resolve(slot("/do", "do", None, "[ppb]"), Some("s1"));
        assert_eq!(reason(&unit), QuarantineReason::UnknownUnit);
    }
}
