//! Observations, their flags and the source of their time.

use serde::{Deserialize, Serialize};

use crate::{DatastreamId, DeploymentId, UtcMillis};

crate::words! {
    /// The clock that stamped `observed_at`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum TimeSource {
        /// The device's own clock.
        Device = 0 => "device",
        /// A gateway or network server on the way.
        Network = 1 => "network",
        /// Bakau, at arrival.
        Server = 2 => "server",
    }
}

crate::words! {
    /// QARTOD quality flag of an observation (IOOS QARTOD flag scheme, codes 1, 2, 3, 4, 9).
    ///
    /// ```
    /// use bakau_model::Flag;
    ///
    /// assert_eq!((Flag::Suspect.code(), Flag::Suspect.key()), (3, "suspect"));
    /// assert_eq!(Flag::from_code(9), Some(Flag::Missing));
    /// assert!(Flag::Suspect.is_usable() && !Flag::Fail.is_usable());
    /// ```
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum Flag {
        /// 1: passed the tests.
        Good = 1 => "good",
        /// 2: no test has run; treated as usable until quality control says otherwise (see ADR 0006).
        NotEvaluated = 2 => "not_evaluated",
        /// 3: implausible here; still alarms, marked for verification.
        Suspect = 3 => "suspect",
        /// 4: physically impossible or a known instrument fault; does not alarm.
        Fail = 4 => "fail",
        /// 9: the device reported that it has no value.
        Missing = 9 => "missing",
    }
}

impl Flag {
    /// Whether charts, means and rules may use the value.
    #[must_use]
    pub const fn is_usable(self) -> bool {
        match self {
            Self::Good | Self::NotEvaluated | Self::Suspect => true,
            Self::Fail | Self::Missing => false,
        }
    }
}

/// Observation v1: a reading after identification and unit conversion.
///
/// Its key is (`datastream`, `observed_at`). The value is the instrument's, in the parameter's canonical unit and
/// before any calibration, so that a later recalibration loses nothing.
///
/// ```
/// use bakau_model::{DatastreamId, DeploymentId, Flag, Observation, TimeSource, UtcMillis};
///
/// let first = Observation {
///     datastream: DatastreamId::new(17),
///     observed_at: UtcMillis::parse("2026-03-10T02:13:00Z")?,
///     value: Some(0.42),
///     deployment: DeploymentId::new(0),
///     time_source: TimeSource::Device,
///     received_at: UtcMillis::parse("2026-03-10T02:13:01Z")?,
///     flag: Flag::NotEvaluated,
/// };
/// let correction = Observation { value: Some(4.2), received_at: first.received_at.saturating_add(60_000), ..first };
/// let key = |of: &Observation| (of.datastream.get(), of.observed_at);
/// assert_eq!(key(&correction), (17, first.observed_at));
/// # Ok::<(), bakau_model::InvalidTime>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// The datastream.
    pub datastream: DatastreamId,
    /// Instant of the measurement.
    pub observed_at: UtcMillis,
    /// Instrument value in the parameter's canonical unit; `None` exactly when `flag` is [`Flag::Missing`].
    pub value: Option<f64>,
    /// The deployment that was in force at `observed_at`.
    pub deployment: DeploymentId,
    /// The clock that stamped `observed_at`.
    pub time_source: TimeSource,
    /// When Bakau received it.
    pub received_at: UtcMillis,
    /// Quality of the value.
    pub flag: Flag,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back_as_the_same_flag() {
        for flag in Flag::ALL {
            assert_eq!(Flag::from_code(flag.code()), Some(flag));
        }
        for source in TimeSource::ALL {
            assert_eq!(TimeSource::from_code(source.code()), Some(source));
        }
        assert_eq!(Flag::from_code(5), None);
    }
}
