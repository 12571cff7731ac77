//! Bytes as hexadecimal digits.

/// Two lowercase digits for each byte.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The bytes of exactly so many digits, of either case; `None` of anything else.
#[must_use]
pub fn decode<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * BYTES {
        return None;
    }
    let mut bytes = [0; BYTES];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_read_back_and_nothing_else() {
        let all: [u8; 256] = std::array::from_fn(|byte| byte as u8);
        assert_eq!(decode(&encode(&all)), Some(all));
        assert_eq!(encode(&[0, 10, 171]), "000aab");
        assert_eq!(decode("000AaB"), Some([0, 10, 171]));
        for bad in ["", "00", "0000000", "zz0000", "+00000", "é0000"] {
            assert_eq!(decode::<3>(bad), None, "{bad}");
        }
    }
}
