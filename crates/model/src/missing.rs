//! Well-known codes that devices send where they have no value, as one datastream would store them.

use std::fmt;

/// A code as it would be stored, and in which units a device has to send it for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingCode {
    /// The bits of the stored value.
    pub bits: u64,
    /// One bit per unit of the list it is in: the lowest for the unit that is stored, the others for those that have a
    /// conversion to it.
    pub units: u32,
}

/// The codes that matter for a datastream: a list shared by all datastreams of one unit, and which units devices send.
#[derive(Clone, Copy, Default)]
pub struct MissingCodes {
    sorted: &'static [MissingCode],
    sent: u32,
}

impl MissingCodes {
    /// No codes.
    pub const NONE: Self = Self { sorted: &[], sent: 0 };

    /// Codes in order of their bits, each once, and the units that devices send, one bit each as in
    /// [`MissingCode::units`].
    #[must_use]
    pub const fn new(sorted: &'static [MissingCode], sent: u32) -> Self {
        Self { sorted, sent }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.sorted.is_empty()
    }

    /// Whether a stored value is a code in whatever unit it was sent.
    #[must_use]
    pub fn has(self, value: f64) -> bool {
        self.find(value).is_some()
    }

    /// Whether a stored value is a code in a unit that a device of this datastream is known to send.
    #[must_use]
    pub fn has_sent(self, value: f64) -> bool {
        self.find(value).is_some_and(|code| code.units & self.sent != 0)
    }

    fn find(self, value: f64) -> Option<&'static MissingCode> {
        let place = self.sorted.binary_search_by_key(&value.to_bits(), |code| code.bits).ok()?;
        self.sorted.get(place)
    }
}

/// The lists are made once each, so the same place is the same list.
impl PartialEq for MissingCodes {
    fn eq(&self, other: &Self) -> bool {
        let both_empty = self.is_empty() && other.is_empty();
        both_empty || std::ptr::eq(self.sorted, other.sorted) && self.sent == other.sent
    }
}

impl Eq for MissingCodes {}

impl fmt::Debug for MissingCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MissingCodes({} codes, units {:b})", self.sorted.len(), self.sent)
    }
}
