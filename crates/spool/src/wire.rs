//! Bytes of the blob payloads: LEB128 varints, zigzag deltas, length-prefixed bytes, and a table of repeated texts.
//!
//! Reading checks every length against what is left, so that no input makes it panic or allocate more than it holds.

/// Payload bytes that no version of Bakau wrote; the checksum was right, so this is a defect, not a damaged disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its content is malformed: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while 0x80 <= value {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes `value - previous`, wrapping, with the sign in the lowest bit so that small steps are one byte.
pub(crate) fn put_delta(out: &mut Vec<u8>, previous: i64, value: i64) {
    let delta = value.wrapping_sub(previous);
    put_varint(out, ((delta << 1) ^ (delta >> 63)).cast_unsigned());
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the `put_` functions wrote.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How far reading has come.
    pub(crate) const fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = *self.bytes.get(self.at).ok_or(Malformed("cut off"))?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && 1 < part {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a number of more than 64 bits"))
    }

    pub(crate) fn varint_u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.varint()?).map_err(|_| Malformed("a number of more than 32 bits"))
    }

    pub(crate) fn delta(&mut self, previous: i64) -> Result<i64, Malformed> {
        let zigzag = self.varint()?;
        let delta = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
        Ok(previous.wrapping_add(delta))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = usize::try_from(self.varint()?).map_err(|_| Malformed("a length beyond memory"))?;
        let end = self.at.checked_add(length).ok_or(Malformed("a length beyond memory"))?;
        let bytes = self.bytes.get(self.at..end).ok_or(Malformed("cut off"))?;
        self.at = end;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a text that is not UTF-8"))
    }

    pub(crate) fn f64(&mut self) -> Result<f64, Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let chunk = rest.first_chunk::<8>().ok_or(Malformed("cut off"))?;
        self.at += 8;
        Ok(f64::from_le_bytes(*chunk))
    }

    /// A count of items that take at least `least_bytes` each, refused when they cannot all be there.
    pub(crate) fn count(&mut self, least_bytes: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.varint()?).map_err(|_| Malformed("a count beyond memory"))?;
        let left = self.bytes.len() - self.at;
        if left / least_bytes.max(1) < count {
            return Err(Malformed("more items than bytes"));
        }
        Ok(count)
    }

    /// Refuses bytes after the end.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(Malformed("bytes after the end")) }
    }
}

/// Slots of the writer's memory of texts: groups hold hundreds of messages from some hundred stations, and a text that
/// lost its slot to another is only written once more.
const SLOTS: usize = 512;

/// Writes repeated texts (topics, names) once: 0 is none, 1 a new text, 2 + n the n-th text written before.
#[derive(Debug)]
pub(crate) struct TextWriter<'a> {
    slots: Vec<Option<(&'a str, u32)>>,
    written: u32,
}

impl<'a> TextWriter<'a> {
    pub(crate) fn new() -> Self {
        Self { slots: vec![None; SLOTS], written: 0 }
    }

    pub(crate) fn put(&mut self, out: &mut Vec<u8>, text: Option<&'a str>) {
        let Some(text) = text else {
            out.push(0);
            return;
        };
        let slot = &mut self.slots[slot_of(text.as_bytes())];
        match slot {
            Some((known, index)) if *known == text => put_varint(out, u64::from(*index) + 2),
            Some(_) | None => {
                *slot = Some((text, self.written));
                self.written += 1;
                out.push(1);
                put_bytes(out, text.as_bytes());
            }
        }
    }
}

/// A cheap spread over the slots (FNV-1a over 8-byte words); quality only affects size, never meaning.
fn slot_of(bytes: &[u8]) -> usize {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash = bytes.len() as u64 ^ 0xcbf2_9ce4_8422_2325;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME).rotate_left(23);
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
    }
    (hash ^ (hash >> 32)) as usize % SLOTS
}

/// Reads what [`TextWriter`] wrote; `T` is what texts are shared as.
#[derive(Debug)]
pub(crate) struct TextReader<T> {
    known: Vec<T>,
}

impl<T: Clone> TextReader<T> {
    pub(crate) const fn new() -> Self {
        Self { known: Vec::new() }
    }

    pub(crate) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        make: impl FnOnce(&str) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match reader.varint()? {
            0 => Ok(None),
            1 => {
                let text = make(reader.text()?)?;
                self.known.push(text.clone());
                Ok(Some(text))
            }
            reference => {
                let index = usize::try_from(reference - 2).ok();
                let known = index.and_then(|index| self.known.get(index));
                known.cloned().map(Some).ok_or(Malformed("a reference to a text that was not written"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_of_more_than_64_bits_is_refused() {
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]);
        assert!(reader.varint().is_err());
    }

    proptest! {
        #[test]
        fn numbers_and_deltas_come_back(value in any::<u64>(), previous in any::<i64>(), next in any::<i64>()) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            put_delta(&mut out, previous, next);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.varint().unwrap(), value);
            prop_assert_eq!(reader.delta(previous).unwrap(), next);
            prop_assert!(reader.finish().is_ok());
        }

        #[test]
        fn texts_come_back_in_order(texts in proptest::collection::vec(proptest::option::of("[a-c]{0,3}"), 0..50)) {
            let mut out = Vec::new();
            let mut writer = TextWriter::new();
            for text in &texts {
                writer.put(&mut out, text.as_deref());
            }
            let mut reader = Reader::new(&out);
            let mut known = TextReader::new();
            for text in &texts {
                prop_assert_eq!(&known.read(&mut reader, |text| Ok(text.to_owned())).unwrap(), text);
            }
        }
    }
}
