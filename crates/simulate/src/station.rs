//! A simulated station: what it says at an instant, as a pure function of seed, faults and time.

use std::time::Duration;

use bakau_model::UtcMillis;

use crate::{
    channel::Channel,
    fault::{Fault, FaultKind},
    mqtt::Message,
    physics,
    report::Report,
    site::Site,
};

/// A simulated station.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    /// Where it is and what it measures.
    pub site: Site,
    /// Seed of its randomness.
    pub seed: u64,
    /// When it started publishing: faults count from here.
    pub start: UtcMillis,
    /// What goes wrong; where several apply, in this order.
    pub faults: Vec<Fault>,
}

impl Station {
    /// What it says at an instant; `None` while it sends nothing. Rain is what fell in the `window` before.
    #[must_use]
    pub fn report(&self, at: UtcMillis, window: Duration) -> Option<Report> {
        let active: Vec<_> = self.faults.iter().filter_map(|fault| fault.at(self.start, at)).collect();
        let mut time = at;
        for fault in &active {
            match fault.kind {
                FaultKind::NoData => return None,
                FaultKind::ClockJump { ahead_s } => time = time.saturating_add(ahead_s.saturating_mul(1_000)),
                FaultKind::Spike { .. }
                | FaultKind::Stuck { .. }
                | FaultKind::Drift { .. }
                | FaultKind::OutOfWater
                | FaultKind::Crossing { .. } => {}
            }
        }
        let honest = self.honest(at, window);
        let mut values: Vec<_> = honest.into_iter().map(|(channel, value)| (channel, Some(value))).collect();
        for fault in &active {
            for (channel, value) in &mut values {
                let honest = |instant: UtcMillis| self.honest_value(*channel, instant, window);
                *value = value.and_then(|held| fault.apply(channel.code(), held, at, &honest));
            }
        }
        Some(Report { time, values })
    }

    /// The message of an instant as its device sends it; `None` while it sends nothing.
    #[must_use]
    pub fn message(&self, at: UtcMillis, window: Duration) -> Option<Message> {
        let report = self.report(at, window)?;
        Some(self.site.wire.message(&self.site.id, &report))
    }

    fn honest(&self, at: UtcMillis, window: Duration) -> Vec<(Channel, f64)> {
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        physics::values(&self.site, self.seed, at.get(), window_ms)
    }

    fn honest_value(&self, channel: Channel, at: UtcMillis, window: Duration) -> f64 {
        let found = self.honest(at, window).into_iter().find(|(found, _)| *found == channel);
        found.map_or(0.0, |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::demo::sites;

    const START: UtcMillis = UtcMillis::new(1_770_000_000_000);
    const WINDOW: Duration = Duration::from_secs(300);

    fn station(id: &str, faults: Vec<Fault>) -> Station {
        let site = sites().into_iter().find(|site| site.id == id).unwrap();
        Station { site, seed: 42, start: START, faults }
    }

    fn value(report: &Report, code: &str) -> Option<f64> {
        report.values.iter().find(|(found, _)| found.code() == code).unwrap().1
    }

    fn at(station: &Station, code: &str, seconds: i64) -> Option<f64> {
        value(&station.report(START.saturating_add(seconds * 1_000), WINDOW).unwrap(), code)
    }

    fn fault(kind: FaultKind, from: u64, lasts: u64) -> Fault {
        Fault { kind, from: Duration::from_secs(from), lasts: Duration::from_secs(lasts) }
    }

    #[test]
    fn a_crossing_drives_oxygen_below_two_within_forty_seconds_and_keeps_it_there() {
        let kind = FaultKind::Crossing { parameter: "do".to_owned(), to: 0.3, ramp: Duration::from_secs(25) };
        let station = station("prb-bjbr-01", vec![Fault::lasting(kind, Duration::from_secs(5))]);
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
            fault(FaultKind::NoData, 100, 10),
            fault(FaultKind::ClockJump { ahead_s: -3_600 }, 200, 10),
            fault(FaultKind::OutOfWater, 300, 10),
        ];
        let (broken, sound) = (station("btu-brantas-01", all), station("btu-brantas-01", vec![]));
        assert_eq!(at(&broken, "ph", 11), at(&broken, "ph", 59));
        assert_ne!(at(&sound, "ph", 11), at(&sound, "ph", 59));
        assert!((at(&broken, "do", 40).unwrap() - at(&sound, "do", 40).unwrap() - 30.0).abs() < 1e-9);
        let spikes = (10..60).filter(|&s| 400.0 < at(&broken, "turbidity", s).unwrap()).count();
        assert!((4..=25).contains(&spikes), "{spikes} spikes in 50 messages");
        assert_eq!(broken.report(START.saturating_add(105_000), WINDOW), None);
        assert_eq!(
            broken.report(START.saturating_add(205_000), WINDOW).unwrap().time,
            START.saturating_add(205_000 - 3_600_000)
        );
        assert_eq!(at(&broken, "conductivity", 305), Some(0.0));
        for seconds in [9, 61, 99, 110, 199, 210, 299, 310] {
            let instant = START.saturating_add(seconds * 1_000);
            assert_eq!(
                broken.report(instant, WINDOW),
                sound.report(instant, WINDOW),
                "after {seconds} s nothing is wrong"
            );
        }
    }

    #[test]
    fn a_payload_is_json_with_the_time_and_every_value() {
        let station = station("prb-bjbr-01", vec![fault(FaultKind::OutOfWater, 0, 10)]);
        let message = station.message(START, WINDOW).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(message.topic, "bakau/prb-bjbr-01/data");
        assert_eq!(json["time"], "2026-02-02T02:40:00Z");
        assert_eq!(json["water_level"], serde_json::Value::Null);
        assert_eq!(json["do"], 8.2);
    }

    proptest! {
        #[test]
        fn values_depend_on_seed_and_time_only_and_stay_plausible(seed: u64, at in 0_i64..4_000_000_000_000) {
            for site in sites() {
                let (id, counts_on) = (site.id.clone(), site.counts_on());
                let station = Station { site, seed, start: START, faults: vec![] };
                let report = station.report(UtcMillis::new(at), WINDOW).unwrap();
                prop_assert_eq!(&report, &station.report(UtcMillis::new(at), WINDOW).unwrap());
                for (channel, value) in report.values {
                    // Such a gauge says what has fallen since midnight.
                    let (low, high) =
                        if counts_on && channel == Channel::Rain { (0.0, 250.0) } else { plausible(channel) };
                    let value = value.unwrap();
                    prop_assert!((low..=high).contains(&value), "{id}: {channel:?} = {value}");
                }
            }
        }
    }

    /// Narrower than the suspect ranges of the parameter list wherever those are given.
    fn plausible(channel: Channel) -> (f64, f64) {
        match channel {
            Channel::Pm25 => (1.0, 220.0),
            Channel::Pm10 => (2.0, 330.0),
            Channel::No2 | Channel::O3 | Channel::So2 => (0.0, 260.0),
            Channel::Co => (60.0, 15_000.0),
            Channel::Co2 => (400.0, 900.0),
            Channel::AirTemperature => (12.0, 37.0),
            Channel::Humidity => (25.0, 100.0),
            Channel::Pressure => (895.0, 1_018.0),
            Channel::WindSpeed => (0.0, 16.0),
            Channel::WindDirection => (0.0, 360.0),
            Channel::Rain => (0.0, 15.0),
            Channel::Par => (0.0, 2_300.0),
            Channel::WaterTemperature => (16.5, 36.0),
            Channel::Ph => (6.4, 8.7),
            Channel::Do => (0.0, 14.0),
            Channel::Conductivity => (50.0, 57_000.0),
            Channel::Salinity => (0.0, 40.0),
            Channel::Tds => (20.0, 400.0),
            Channel::Turbidity => (0.1, 2_000.0),
            Channel::WaterLevel => (-1.8, 8.0),
            Channel::Flow => (0.0, 1_500.0),
            Channel::Nitrate => (0.5, 40.0),
            Channel::Ammonia => (0.0, 2.0),
            Channel::SoilMoisture => (0.3, 0.8),
            Channel::SoilTemperature => (25.0, 32.0),
            Channel::SoilConductivity => (20_000.0, 48_000.0),
            Channel::Battery => (11.8, 14.5),
        }
    }
}
