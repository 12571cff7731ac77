//! A simulated station: what it says at an instant, as a pure function of seed, faults and time.

use std::fmt::Write as _;

use bakau_model::{StationKind, UtcMillis};
use bytes::Bytes;

use crate::{
    fault::{Fault, FaultKind},
    mqtt::Message,
    noise,
    physics::{self, Noise},
};

/// A simulated station.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    /// Text id: topic level, and part of its randomness.
    pub id: String,
    /// What it measures.
    pub kind: StationKind,
    /// Seed of its randomness.
    pub seed: u64,
    /// When it started publishing: faults count from here.
    pub start: UtcMillis,
    /// What goes wrong; where several apply, in this order.
    pub faults: Vec<Fault>,
}

/// What a station says at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The time the device claims.
    pub time: UtcMillis,
    /// Parameter codes and values in canonical units; `None` where the device has no value.
    pub values: Vec<(&'static str, Option<f64>)>,
}

impl Station {
    /// What it says at an instant; `None` while it is silent.
    #[must_use]
    pub fn report(&self, at: UtcMillis) -> Option<Report> {
        let active: Vec<_> = self.faults.iter().filter_map(|fault| fault.at(self.start, at)).collect();
        let mut time = at;
        for fault in &active {
            match fault.kind {
                FaultKind::Silence => return None,
                FaultKind::ClockJump { ahead_s } => time = time.saturating_add(ahead_s.saturating_mul(1_000)),
                FaultKind::Spike { .. }
                | FaultKind::Stuck { .. }
                | FaultKind::Drift { .. }
                | FaultKind::OutOfWater
                | FaultKind::Crossing { .. } => {}
            }
        }
        let mut values: Vec<_> = self.honest(at).into_iter().map(|(code, value)| (code, Some(value))).collect();
        for fault in &active {
            for (code, value) in &mut values {
                let honest = |instant: UtcMillis| self.honest_value(code, instant).unwrap_or(0.0);
                *value = value.and_then(|held| fault.apply(code, held, at, &honest));
            }
        }
        Some(Report { time, values })
    }

    /// The message of an instant on `bakau/{station}/data`; `None` while it is silent.
    #[must_use]
    pub fn message(&self, at: UtcMillis) -> Option<Message> {
        let report = self.report(at)?;
        Some(Message { topic: format!("bakau/{}/data", self.id), payload: report.payload() })
    }

    fn honest(&self, at: UtcMillis) -> Vec<(&'static str, f64)> {
        let noise = Noise { seed: self.seed, station: noise::stream(&self.id) };
        match self.kind {
            StationKind::Air => physics::air::values(noise, at.get()),
            StationKind::Water => physics::water::values(noise, at.get()),
            StationKind::Mangrove => physics::mangrove::values(noise, at.get()),
        }
    }

    fn honest_value(&self, code: &str, at: UtcMillis) -> Option<f64> {
        self.honest(at).into_iter().find(|(found, _)| *found == code).map(|(_, value)| value)
    }
}

impl Report {
    /// `{"time":"2026-03-10T00:00:00Z","do":5.13}`, values with the digits such an instrument sends.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        let mut text = format!("{{\"time\":\"{}\"", self.time);
        for (code, value) in &self.values {
            // Writing into a String cannot fail.
            let _infallible = match value {
                Some(value) => write!(text, ",\"{code}\":{:.*}", digits(code), value),
                None => write!(text, ",\"{code}\":null"),
            };
        }
        text.push('}');
        Bytes::from(text)
    }
}

fn digits(code: &str) -> usize {
    match code {
        "water_level" => 3,
        "do" | "ph" | "water_temperature" | "salinity" => 2,
        "conductivity" => 0,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const START: UtcMillis = UtcMillis::new(1_770_000_000_000);
    const HOUR: i64 = 3_600_000;

    fn station(kind: StationKind, faults: Vec<Fault>) -> Station {
        Station { id: "test-01".to_owned(), kind, seed: 42, start: START, faults }
    }

    fn value(report: &Report, code: &str) -> Option<f64> {
        report.values.iter().find(|(found, _)| *found == code).unwrap().1
    }

    fn at(station: &Station, code: &str, seconds: i64) -> Option<f64> {
        value(&station.report(START.saturating_add(seconds * 1_000)).unwrap(), code)
    }

    fn fault(kind: FaultKind, from: u64, lasts: u64) -> Fault {
        Fault { kind, from: Duration::from_secs(from), lasts: Duration::from_secs(lasts) }
    }

    /// Mean of a parameter at an hour of the day (East Java) over 30 days.
    fn mean_at(station: &Station, code: &str, hour: i64) -> f64 {
        let midnight = START.get().div_euclid(24 * HOUR) * 24 * HOUR - 7 * HOUR;
        let instants = (0..30).map(|day| UtcMillis::new(midnight + (day * 24 + hour) * HOUR));
        instants.map(|instant| value(&station.report(instant).unwrap(), code).unwrap()).sum::<f64>() / 30.0
    }

    #[test]
    fn oxygen_is_higher_in_the_afternoon_than_before_sunrise() {
        for kind in [StationKind::Water, StationKind::Mangrove] {
            let station = station(kind, vec![]);
            let (day, night) = (mean_at(&station, "do", 15), mean_at(&station, "do", 4));
            assert!(night + 0.5 < day, "{kind:?}: night {night}, day {day}");
        }
    }

    #[test]
    fn traffic_makes_fine_dust_in_the_morning() {
        let station = station(StationKind::Air, vec![]);
        let (rush, noon) = (mean_at(&station, "pm25", 7), mean_at(&station, "pm25", 12));
        assert!(noon * 1.3 < rush, "noon {noon}, rush hour {rush}");
    }

    #[test]
    fn salinity_follows_the_tide() {
        let station = station(StationKind::Mangrove, vec![]);
        let rows: Vec<_> =
            (0..24 * 29).map(|hour| station.report(START.saturating_add(hour * HOUR)).unwrap()).collect();
        let mean = |high: bool| {
            let picked: Vec<_> = rows.iter().filter(|row| (0.4 < value(row, "water_level").unwrap()) == high).collect();
            picked.iter().map(|row| value(row, "salinity").unwrap()).sum::<f64>() / picked.len() as f64
        };
        assert!(mean(false) + 1.0 < mean(true));
    }

    #[test]
    fn a_crossing_drives_oxygen_below_two_within_forty_seconds_and_keeps_it_there() {
        let kind = FaultKind::Crossing { parameter: "do".to_owned(), to: 0.3, ramp: Duration::from_secs(25) };
        let station = station(StationKind::Mangrove, vec![Fault::lasting(kind, Duration::from_secs(5))]);
        assert!(2.5 < at(&station, "do", 4).unwrap());
        for seconds in 31..300 {
            let oxygen = at(&station, "do", seconds).unwrap();
            assert!((0.2..0.4).contains(&oxygen), "{oxygen} after {seconds} s");
        }
        assert!(6.0 < at(&station, "ph", 60).unwrap(), "other parameters are left alone");
    }

    #[test]
    fn faults_do_what_they_say_and_end() {
        let named = |parameter: &str| parameter.to_owned();
        let all = vec![
            fault(FaultKind::Stuck { parameter: named("ph") }, 10, 50),
            fault(FaultKind::Drift { parameter: named("do"), per_hour: 3_600.0 }, 10, 50),
            fault(FaultKind::Spike { parameter: named("turbidity"), height: 900.0, one_in: 4 }, 10, 50),
            fault(FaultKind::Silence, 100, 10),
            fault(FaultKind::ClockJump { ahead_s: -3_600 }, 200, 10),
            fault(FaultKind::OutOfWater, 300, 10),
        ];
        let (broken, sound) = (station(StationKind::Water, all), station(StationKind::Water, vec![]));
        assert_eq!(at(&broken, "ph", 11), at(&broken, "ph", 59));
        assert_ne!(at(&sound, "ph", 11), at(&sound, "ph", 59));
        assert!((at(&broken, "do", 40).unwrap() - at(&sound, "do", 40).unwrap() - 30.0).abs() < 1e-9);
        let spikes = (10..60).filter(|&s| 800.0 < at(&broken, "turbidity", s).unwrap()).count();
        assert!((4..=25).contains(&spikes), "{spikes} spikes in 50 messages");
        assert_eq!(broken.report(START.saturating_add(105_000)), None);
        assert_eq!(
            broken.report(START.saturating_add(205_000)).unwrap().time,
            START.saturating_add(205_000 - 3_600_000)
        );
        assert_eq!(at(&broken, "conductivity", 305), Some(0.0));
        for seconds in [9, 61, 99, 110, 199, 210, 299, 310] {
            let instant = START.saturating_add(seconds * 1_000);
            assert_eq!(broken.report(instant), sound.report(instant), "after {seconds} s nothing is wrong");
        }
    }

    #[test]
    fn a_payload_is_json_with_the_time_and_every_value() {
        let station = station(StationKind::Mangrove, vec![fault(FaultKind::OutOfWater, 0, 10)]);
        let message = station.message(START).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(message.topic, "bakau/test-01/data");
        assert_eq!(json["time"], "2026-02-02T02:40:00Z");
        assert_eq!(json["water_level"], serde_json::Value::Null);
        assert_eq!(json["do"], 8.2);
    }

    proptest! {
        #[test]
        fn values_depend_on_seed_and_time_only_and_stay_plausible(seed: u64, at in 0_i64..4_000_000_000_000) {
            for kind in StationKind::ALL {
                let station = Station { seed, ..station(kind, vec![]) };
                let report = station.report(UtcMillis::new(at)).unwrap();
                prop_assert_eq!(&report, &station.clone().report(UtcMillis::new(at)).unwrap());
                for (code, value) in report.values {
                    let (low, high) = plausible(code);
                    let value = value.unwrap();
                    prop_assert!((low..=high).contains(&value), "{code} = {value}");
                }
            }
        }
    }

    fn plausible(code: &str) -> (f64, f64) {
        match code {
            "pm25" => (1.0, 120.0),
            "pm10" => (2.0, 220.0),
            "air_temperature" => (18.0, 38.0),
            "humidity" => (30.0, 100.0),
            "no2" | "o3" => (0.0, 200.0),
            "do" => (2.0, 10.0),
            "ph" => (6.5, 8.5),
            "water_temperature" => (22.0, 33.0),
            "conductivity" => (150.0, 55_000.0),
            "turbidity" => (0.5, 250.0),
            "water_level" => (-1.6, 1.6),
            "salinity" => (15.0, 36.0),
            other => panic!("no range for {other}"),
        }
    }
}
