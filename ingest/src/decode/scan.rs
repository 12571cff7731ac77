//! A JSON reader that stops at nothing it does not need: no tree, no copies, bounded depth, exact numbers.
//!
//! It accepts what RFC 8259 accepts, except that depth is limited to [`MAX_DEPTH`] and that the unpaired halves of
//! surrogate escapes become U+FFFD.

use std::borrow::Cow;

use super::DecodeError;

/// Objects and arrays inside each other; no device needs more, and recursion stays shallow.
pub(crate) const MAX_DEPTH: usize = 64;

/// Longest piece of a payload quoted in an explanation, in characters.
pub(crate) const QUOTE_CHARS: usize = 60;

/// A value of which only the outside matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    /// A number as it is written.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// `true`, `false` or `null`.
    Word(&'static str),
    /// An object or an array, stepped over; the text says which.
    Nested(&'static str),
}

/// A position in a payload.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(payload: &'a [u8]) -> Result<Self, DecodeError> {
        match std::str::from_utf8(payload) {
            Ok(text) => Ok(Self { text, at: 0 }),
            Err(error) => Err(DecodeError::undecodable(format!("byte {} is no UTF-8 text", error.valid_up_to()))),
        }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space, not consumed.
    pub(crate) fn peek_token(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
        self.peek()
    }

    /// Consumes `wanted`, white space before it allowed.
    pub(crate) fn expect(&mut self, wanted: u8, what: &str) -> Result<(), DecodeError> {
        if self.peek_token() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(self.expected(what))
    }

    /// Checks that nothing but white space follows.
    pub(crate) fn end(&mut self) -> Result<(), DecodeError> {
        match self.peek_token() {
            None => Ok(()),
            Some(_) => Err(self.expected("the end of the payload")),
        }
    }

    pub(crate) fn expected(&self, what: &str) -> DecodeError {
        let rest = self.rest();
        if rest.is_empty() {
            let detail = format!("the payload ends at byte {} where {what} should be", self.at);
            return DecodeError::undecodable(detail);
        }
        for word in ["NaN", "nan", "Infinity", "-Infinity", "inf", "-inf"] {
            if rest.starts_with(word) {
                let detail = format!("{word} at byte {} is no JSON: send null for a missing value", self.at);
                return DecodeError::undecodable(detail);
            }
        }
        let found: String = rest.chars().take(12).collect();
        DecodeError::undecodable(format!("no JSON at byte {}: expected {what}, found {found:?}", self.at))
    }

    /// A string, with its opening quote next.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..=0x1f) => return Err(self.expected("an escaped control character")),
                Some(_) => self.at += 1,
                None => return Err(self.expected("the end of a string")),
            }
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
    }

    fn escape(&mut self) -> Result<(), DecodeError> {
        let rest = self.rest().as_bytes();
        let length = match rest.get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if rest.get(2..6).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) => 6,
            Some(_) | None => return Err(self.expected("an escape such as \\n or \\u00b5")),
        };
        self.at += length;
        Ok(())
    }

    /// A number as it is written.
    pub(crate) fn number(&mut self) -> Result<&'a str, DecodeError> {
        let rest = self.rest();
        match number_length(rest.as_bytes()) {
            Some(length) => {
                self.at += length;
                Ok(rest.get(..length).unwrap_or_default())
            }
            None => Err(self.expected("a number")),
        }
    }

    /// `true`, `false` or `null`, whichever is next.
    pub(crate) fn word(&mut self) -> Result<&'static str, DecodeError> {
        for word in ["null", "true", "false"] {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(word);
            }
        }
        Err(self.expected("a value"))
    }

    /// Passes over one value of any kind.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<(), DecodeError> {
        match self.peek_token() {
            Some(b'{') => self.members(depth, |scanner, _, depth| scanner.skip(depth)),
            Some(b'[') => self.elements(depth, |scanner, _, depth| scanner.skip(depth)),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number().map(drop),
            Some(_) | None => self.word().map(drop),
        }
    }

    /// Calls `each` at the value of every member of the object that is next; it must consume the value.
    pub(crate) fn members(
        &mut self,
        depth: usize,
        mut each: impl FnMut(&mut Self, Cow<'a, str>, usize) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.descend(depth)?;
        if self.peek_token() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.expect(b':', "':'")?;
            each(self, key, depth + 1)?;
            match self.peek_token() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                Some(_) | None => return Err(self.expected("',' or '}'")),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Calls `each` at every element of the array that is next; it must consume the element.
    pub(crate) fn elements(
        &mut self,
        depth: usize,
        mut each: impl FnMut(&mut Self, usize, usize) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.descend(depth)?;
        if self.peek_token() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        let mut index = 0;
        loop {
            each(self, index, depth + 1)?;
            index += 1;
            match self.peek_token() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                Some(_) | None => return Err(self.expected("',' or ']'")),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// The value that is next.
    pub(crate) fn scalar(&mut self, depth: usize) -> Result<Scalar<'a>, DecodeError> {
        match self.peek_token() {
            Some(b'"') => self.string().map(Scalar::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(Scalar::Number),
            Some(b'{') => self.skip(depth).map(|()| Scalar::Nested("an object")),
            Some(b'[') => self.skip(depth).map(|()| Scalar::Nested("an array")),
            Some(_) | None => self.word().map(Scalar::Word),
        }
    }

    /// Steps over the opening bracket.
    fn descend(&mut self, depth: usize) -> Result<(), DecodeError> {
        if MAX_DEPTH <= depth {
            let detail = format!("more than {MAX_DEPTH} objects and arrays inside each other at byte {}", self.at);
            return Err(DecodeError::undecodable(detail));
        }
        self.at += 1;
        Ok(())
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// Length of the JSON number at the start of `bytes`.
fn number_length(bytes: &[u8]) -> Option<usize> {
    let digits =
        |from: usize| bytes.get(from..).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count());
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    at += match digits(at) {
        0 => return None,
        count if bytes.get(at) == Some(&b'0') && 1 < count => return None,
        count => count,
    };
    if bytes.get(at) == Some(&b'.') {
        match digits(at + 1) {
            0 => return None,
            count => at += 1 + count,
        }
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        match digits(at + 1 + sign) {
            0 => return None,
            count => at += 1 + sign + count,
        }
    }
    Some(at)
}

/// The number a text holds, if it holds one JSON number and nothing else; infinite when it is too large for a double.
pub(crate) fn plain_number(text: &str) -> Option<f64> {
    if number_length(text.as_bytes()) != Some(text.len()) {
        return None;
    }
    text.parse().ok()
}

/// At most [`QUOTE_CHARS`] characters of a text.
pub(crate) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTE_CHARS).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

/// Replaces escapes that [`Scanner::escape`] has already checked.
fn unescape(raw: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        let escaped = if c == '\\' { rest.next() } else { None };
        let plain = match escaped {
            None => c,
            Some('u') => {
                let hex = rest.as_str().get(..4).unwrap_or_default();
                units.push(u16::from_str_radix(hex, 16).unwrap_or(0xfffd));
                rest = rest.as_str().get(4..).unwrap_or_default().chars();
                continue;
            }
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(same) => same,
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16_lossy(&units)
}
