//! The remaining length of MQTT packets.

/// Most bytes a remaining length may take (MQTT 5.0, section 1.5.5).
const MAX_BYTES: u32 = 4;

/// A remaining length of more than four bytes: what follows is not MQTT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a length of more than four bytes")]
pub struct LengthTooLong;

/// The remaining length behind the first byte of an MQTT packet, byte by byte as it arrives.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemainingLength {
    value: usize,
    bytes: u32,
}

impl RemainingLength {
    /// Takes the next byte; the length once it is the last one.
    ///
    /// # Errors
    /// When it is the fourth and says that a fifth follows.
    pub const fn push(&mut self, byte: u8) -> Result<Option<usize>, LengthTooLong> {
        if self.bytes == MAX_BYTES {
            return Err(LengthTooLong);
        }
        self.value |= ((byte & 0x7f) as usize) << (7 * self.bytes);
        self.bytes += 1;
        match byte & 0x80 {
            0 => Ok(Some(self.value)),
            _ if self.bytes == MAX_BYTES => Err(LengthTooLong),
            _ => Ok(None),
        }
    }

    /// The length of the fixed header and of the body of the packet that `bytes` begin with; `None` while not enough of the
    /// header is there.
    ///
    /// # Errors
    /// When the length is one of more than four bytes.
    pub fn of(bytes: &[u8]) -> Result<Option<(usize, usize)>, LengthTooLong> {
        let mut length = Self::default();
        for (place, byte) in bytes.iter().enumerate().skip(1) {
            if let Some(body) = length.push(*byte)? {
                return Ok(Some((place + 1, body)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_to_their_last_byte_and_no_further_than_four() {
        assert_eq!(RemainingLength::of(&[0x30]), Ok(None));
        assert_eq!(RemainingLength::of(&[0x30, 0x7f, 0xff]), Ok(Some((2, 127))));
        assert_eq!(RemainingLength::of(&[0x30, 0x80]), Ok(None));
        assert_eq!(RemainingLength::of(&[0x30, 0x80, 0x01]), Ok(Some((3, 128))));
        assert_eq!(RemainingLength::of(&[0x30, 0xff, 0xff, 0xff, 0x7f]), Ok(Some((5, 268_435_455))));
        assert_eq!(RemainingLength::of(&[0x30, 0xff, 0xff, 0xff, 0x80]), Err(LengthTooLong));
    }
}
