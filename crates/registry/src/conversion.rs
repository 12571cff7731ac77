//! From the unit a device uses to the one that is stored.

use bakau_model::{Conversion, GasReference, Unit, UnitError};

/// Why values of a unit cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// No such conversion is known, or not with these numbers.
    #[error(transparent)]
    Unknown(#[from] UnitError),
    /// The share of a gas is to become a mass, and nobody says in which air.
    #[error(
        "'{from}' becomes {to} only for air of a named temperature and pressure: add gas to the value in the route"
    )]
    AirUnknown {
        /// The unit the device uses.
        from: Unit,
        /// The unit that is stored.
        to: Unit,
    },
    /// A state of the air is named where none is needed.
    #[error("the conversion from '{from}' to {to} needs no gas: remove it from the value in the route")]
    NoGas {
        /// The unit the device uses.
        from: Unit,
        /// The unit that is stored.
        to: Unit,
    },
}

/// The conversion from the unit a device uses to the one that is stored.
///
/// A share of a gas becomes a mass only with the gas's molar mass in g/mol and for a named state of the air: without
/// them the result would be wrong by a tenth where nobody sees it (Batu lies at 910 hPa).
///
/// # Errors
/// When there is no such conversion, or the state of the air is missing or of no use.
pub fn conversion(
    from: &Unit,
    to: &Unit,
    molar_mass: Option<f64>,
    gas: Option<GasReference>,
) -> Result<Conversion, ConversionError> {
    match (molar_mass.filter(|_| from.is_share_for(to)), gas) {
        (Some(mass), Some(air)) => Ok(from.gas_conversion_to(to, mass, air)?),
        (Some(_), None) => Err(ConversionError::AirUnknown { from: from.clone(), to: to.clone() }),
        (None, Some(_)) if from.conversion_to(to).is_ok() => {
            Err(ConversionError::NoGas { from: from.clone(), to: to.clone() })
        }
        (None, _) => Ok(from.conversion_to(to)?),
    }
}
