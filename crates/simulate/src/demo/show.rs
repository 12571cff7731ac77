//! The faults of the demo, so that there is something to see within the first minute.

use std::time::Duration;

use crate::fault::{Fault, FaultKind};

/// The creek whose oxygen crosses every level.
const CROSSES: &str = "prb-bjbr-01";
/// The low-cost air sensor that goes wild.
const SPIKES: &str = "mlg-arjosari-01";
/// The weather station whose connection breaks.
const LOSES_CONTACT: &str = "btu-bumiaji-01";

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The faults of a station, counted from the start of the demo. All of them end: after ten minutes nothing is wrong.
#[must_use]
pub fn faults(station: &str) -> Vec<Fault> {
    match station {
        // Sinks to 0.3 mg/L in half a minute, slowly enough that messages fall between 4, 2 (hypoxia) and 0.5 mg/L
        // (anoxia); recovers after four minutes.
        CROSSES => {
            let kind = FaultKind::Crossing { parameter: "do".to_owned(), to: 0.3, ramp: seconds(28) };
            vec![Fault { kind, from: seconds(2), lasts: seconds(240) }]
        }
        // Bursts of values that cannot be: suspect, and alarmed as such.
        SPIKES => {
            let kind = FaultKind::Spike { parameter: "pm25".to_owned(), height: 330.0, one_in: 1 };
            let burst = |from: u64| Fault { kind: kind.clone(), from: seconds(from), lasts: seconds(24) };
            vec![burst(14), burst(200), burst(430)]
        }
        LOSES_CONTACT => vec![Fault { kind: FaultKind::NoData, from: seconds(25), lasts: seconds(300) }],
        _ => Vec::new(),
    }
}
