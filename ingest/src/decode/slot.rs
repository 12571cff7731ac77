//! The mapped values of a route, and the meaning of a number, a text or a word at one of them.
//!
//! The one place where every format turns what stands in a payload into a value, so that a code for "no value" or a
//! decimal comma means the same in all of them. Plain numbers come through without allocating anything.

use bakau_model::{GasReference, Missing, Parameter, Unit, decimal, decimal_end, is_unit_text, trim};
use bakau_registry::{JsonValue, Route};

use super::{RawValue, scan::quote};

/// One mapped value of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Place in the payload, as written in the catalogue.
    pub path: String,
    /// The parameter.
    pub parameter: Parameter,
    /// Qualifier, where a station has several datastreams of the parameter.
    pub qualifier: Option<String>,
    /// Unit the device uses.
    pub unit: Unit,
    /// The state of the air for which the share of a gas becomes a mass.
    pub gas: Option<GasReference>,
    /// Codes and words that mean "no value" here, beside those of the source.
    pub missing: Missing,
    /// Whether a comma in a text is the decimal sign; not decided where absent, which is the same as no.
    pub decimal_comma: Option<bool>,
    /// Texts behind the number that name its unit.
    pub unit_texts: Vec<Box<str>>,
}

impl Slot {
    pub(super) fn of(value: &JsonValue) -> Self {
        Self {
            path: value.path.clone(),
            parameter: value.parameter.clone(),
            qualifier: value.qualifier.clone(),
            unit: value.unit.clone(),
            gas: value.gas,
            missing: Missing::of(value.missing.iter()),
            decimal_comma: value.decimal_comma,
            unit_texts: value.unit_texts.iter().map(|text| text.as_str().into()).collect(),
        }
    }

    /// Adds what holds for every value of the route.
    pub(super) fn inherit(&mut self, route: &Route) {
        self.missing.extend(route.missing.iter());
        self.decimal_comma.get_or_insert(route.decimal_comma);
    }
}

/// Meaning of a bare word.
enum Word {
    /// There is no value.
    NoValue,
    /// Infinity.
    Infinite,
}

/// Words where a value should be and no quotes around them: what C, Python, JavaScript and Microsoft's printers write.
fn bare_word(written: &str) -> Option<Word> {
    let unsigned = written.strip_prefix(['-', '+']).unwrap_or(written);
    let is = |words: &[&str]| words.iter().any(|word| unsigned.eq_ignore_ascii_case(word));
    let starts = |word: &str| unsigned.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if is(&["nan", "null", "none", "nil", "undefined"]) || starts("nan(") || starts("1.#qnan") || starts("1.#ind") {
        Some(Word::NoValue)
    } else if is(&["inf", "infinity"]) || starts("1.#inf") {
        Some(Word::Infinite)
    } else {
        None
    }
}

/// Whether a text with nothing around it says that there is nothing.
pub(super) fn says_nothing(text: &str) -> bool {
    text.is_empty() || matches!(bare_word(text), Some(Word::NoValue))
}

/// Reads values as the slots of a route say, in messages of one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'d> {
    pub(super) slots: &'d [Slot],
    /// Codes and words that mean "no value" in everything that comes from the source.
    pub(super) of_source: &'d Missing,
}

impl Values<'_> {
    /// A number as it is written.
    pub(super) fn number(self, slot: &Slot, written: &str) -> RawValue {
        match decimal(written) {
            Some(number) => self.finite(slot, number, written),
            None => no_number(slot, written),
        }
    }

    /// A text, which may be a number.
    pub(super) fn text(self, slot: &Slot, text: &str) -> RawValue {
        let text = trim(text);
        if slot.missing.has_word(text) || self.of_source.has_word(text) {
            return RawValue::Null;
        }
        let body = slot.unit_texts.iter().find_map(|unit| text.strip_suffix(&**unit)).map_or(text, str::trim_end);
        if slot.decimal_comma == Some(true) {
            return match comma_decimal(body) {
                Some(number) => self.finite(slot, number, text),
                None => no_number(slot, text),
            };
        }
        match decimal(body) {
            Some(number) => self.finite(slot, number, text),
            None => no_number(slot, text),
        }
    }

    /// Something without quotes that is no JSON.
    pub(super) fn bare(self, slot: &Slot, written: &str) -> RawValue {
        match bare_word(written) {
            Some(Word::NoValue) => RawValue::Null,
            Some(Word::Infinite) | None => self.text(slot, written),
        }
    }

    /// `true`, `false`, or what else stands there.
    pub(super) fn other(self, slot: &Slot, what: &str) -> RawValue {
        if slot.missing.has_word(what) || self.of_source.has_word(what) {
            return RawValue::Null;
        }
        RawValue::NotANumber(format!("{what} is no number"))
    }

    fn finite(self, slot: &Slot, number: f64, written: &str) -> RawValue {
        if slot.missing.has_number(number) || self.of_source.has_number(number) {
            RawValue::Null
        } else if number.is_finite() {
            RawValue::Number(number)
        } else {
            RawValue::NotANumber(format!("{} is too large", quote(written)))
        }
    }
}

/// Longest text with a decimal comma that is read; no double needs more digits.
const MAX_COMMA_BYTES: usize = 64;

/// A number whose decimal sign is a comma, or a point where it cannot be taken for one that groups thousands.
fn comma_decimal(text: &str) -> Option<f64> {
    if !text.contains(',') {
        return if may_be_grouped(text) { None } else { decimal(text) };
    }
    let mut buffer = [0_u8; MAX_COMMA_BYTES];
    let copy = buffer.get_mut(..text.len())?;
    if text.contains('.') {
        return None;
    }
    copy.copy_from_slice(text.as_bytes());
    // A second comma stays and makes it no number.
    let comma = copy.iter_mut().find(|byte| **byte == b',')?;
    *comma = b'.';
    decimal(std::str::from_utf8(copy).ok()?)
}

/// Whether a number with a point may be one of thousands: `1.234` is 1.234 to some and 1234 to others.
fn may_be_grouped(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some((whole, group)) = unsigned.split_once('.') else { return false };
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(whole.len(), 1..=3)
        && !whole.starts_with('0')
        && group.len() == 3
        && are_digits(whole)
        && are_digits(group)
}

/// Why a text is no number, and which key of the catalogue makes it one.
fn no_number(slot: &Slot, text: &str) -> RawValue {
    let shown = quote(text);
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    let body = slot.unit_texts.iter().find_map(|unit| text.strip_suffix(&**unit)).map_or(text, str::trim_end);
    let only = |set: &str| body.chars().all(|c| c.is_ascii_digit() || set.contains(c));
    let number = decimal_end(text);
    let behind = trim(text.get(number..).unwrap_or_default());
    RawValue::NotANumber(if matches!(bare_word(text), Some(Word::Infinite)) {
        format!("\"{shown}\" is no finite number")
    } else if has_digits && only("+-,") && text.matches(',').count() == 1 && slot.decimal_comma != Some(true) {
        format!("\"{shown}\" has a comma: write decimal_comma = true at its value or route if it is the decimal sign")
    } else if has_digits && only("+-., '\u{a0}\u{202f}") {
        format!("\"{shown}\" may have its thousands grouped: send digits with one decimal sign and nothing else")
    } else if 0 < number && is_unit_text(behind) {
        let unit = quote(behind);
        format!("\"{shown}\" has \"{unit}\" behind its number: add that to unit_texts of this value if it is its unit")
    } else {
        format!(
            "\"{shown}\" is no number: add it to missing of this value, its route or source if it means \"no value\""
        )
    })
}

#[cfg(test)]
#[path = "slot_tests.rs"]
mod tests;
