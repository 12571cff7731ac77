//! The faults of the demo, so that there is something to see within the first minute.

use std::time::Duration;

use crate::fault::{Fault, FaultKind};

/// The creek whose oxygen crosses every level.
const CROSSES: &str = "prb-bjbr-01";
/// The low-cost air sensor that goes wild.
const SPIKES: &str = "mlg-arjosari-01";
/// The weather station whose connection breaks.
const LOSES_CONTACT: &str = "btu-bumiaji-01";

/// Until when the values that went wrong are well.
const WELL_UNTIL: Duration = seconds(1_800);

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The faults of a station, counted from the start of the demo. All of them end, and the values that went wrong are well
/// for half an hour then, whatever the hour of the day: what is alarmed after ten minutes is no fault.
#[must_use]
pub fn faults(station: &str) -> Vec<Fault> {
    match station {
        // Sinks to 0.3 mg/L in half a minute, slowly enough that messages fall between 4, 2 (hypoxia) and 0.5 mg/L
        // (anoxia). After four minutes the tide brings fresh water: at night the creek alone would stay below its limits.
        CROSSES => {
            let kind = FaultKind::Crossing { parameter: "do".to_owned(), to: 0.3, ramp: seconds(28) };
            let fresh = FaultKind::Crossing { parameter: "do".to_owned(), to: 5.8, ramp: seconds(60) };
            let tide = Fault { kind: fresh, from: seconds(242), lasts: WELL_UNTIL - seconds(242) };
            vec![Fault { kind, from: seconds(2), lasts: seconds(240) }, tide]
        }
        // Bursts of values beyond what is plausible (350 ug/m3): suspect, and alarmed as such.
        SPIKES => {
            let kind = FaultKind::Spike { parameter: "pm25".to_owned(), height: 900.0, one_in: 1 };
            let burst = |from: u64| Fault { kind: kind.clone(), from: seconds(from), lasts: seconds(24) };
            // Put right then, and away from the rush hour: the air alone would cross a limit every morning.
            let calm = FaultKind::Crossing { parameter: "pm25".to_owned(), to: 34.0, ramp: seconds(20) };
            let repaired = Fault { kind: calm, from: seconds(454), lasts: WELL_UNTIL - seconds(454) };
            vec![burst(14), burst(200), burst(430), repaired]
        }
        LOSES_CONTACT => vec![Fault { kind: FaultKind::NoData, from: seconds(25), lasts: seconds(300) }],
        _ => Vec::new(),
    }
}
