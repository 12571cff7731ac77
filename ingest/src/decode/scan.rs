//! A JSON reader that tolerates errors in parts nobody reads: no tree, no copies, no recursion, exact numbers.
//!
//! It accepts what RFC 8259 accepts, at any depth. Beyond that it reads on wherever the borders between values are
//! beyond doubt, so that a bad value costs no other: a byte order mark in front, NUL behind, bytes that are no UTF-8 (as
//! U+FFFD), control characters and unknown escapes inside texts, commas too many, and bare words or half numbers (`nan`,
//! `.5`, `12.1 NTU`) where a value should be. What such a value means is not decided here.

use std::borrow::Cow;

use bakau_model::decimal;

use super::DecodeError;

/// Longest piece of a payload quoted in an explanation, in characters.
pub(crate) const QUOTE_CHARS: usize = 60;

/// A value; objects and arrays are skipped, not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scalar<'a> {
    /// A number as it is written.
    Number(&'a str),
    Text(Cow<'a, str>),
    /// `true`, `false` or `null`.
    Word(&'static str),
    /// Something that is no JSON, as it is written.
    Bare(&'a str),
    /// An object or an array, stepped over; the text says which.
    Nested(&'static str),
}

/// A position in a payload.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Whether the value that is next is that of an object's member.
    in_object: bool,
}

/// The text of a payload without a byte order mark; bytes that are no UTF-8 become U+FFFD.
///
/// # Errors
/// When it is UTF-16, which would be nothing but such bytes.
pub(crate) fn text_of(payload: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
    if payload.starts_with(&[0xff, 0xfe]) || payload.starts_with(&[0xfe, 0xff]) {
        return Err(DecodeError::undecodable("the payload is UTF-16 text: send UTF-8"));
    }
    Ok(String::from_utf8_lossy(payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload)))
}

impl<'a> Scanner<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, in_object: false }
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

    /// Checks that nothing but white space follows, or a NUL: it ends the text in a buffer, whatever is behind it.
    pub(crate) fn end(&mut self) -> Result<(), DecodeError> {
        match self.peek_token() {
            None | Some(0) => Ok(()),
            Some(_) => Err(self.expected("the end of the payload")),
        }
    }

    pub(crate) fn expected(&self, what: &str) -> DecodeError {
        let rest = self.rest();
        if rest.is_empty() {
            let detail = format!("the payload ends at byte {} where {what} should be", self.at);
            return DecodeError::undecodable(detail);
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
                    self.at += 2;
                }
                Some(_) => self.at += 1,
                None => return Err(self.expected("the end of a string")),
            }
        }
        let raw = self.text.get(start..self.at).unwrap_or_default();
        self.at += 1;
        Ok(if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
    }

    /// A value that is neither text, object nor array.
    pub(crate) fn bare(&mut self) -> Result<Scalar<'a>, DecodeError> {
        let start = self.at;
        let rest = self.rest();
        if let Some(length) = number_length(rest.as_bytes()) {
            self.at += length;
            if self.ends_value() {
                return Ok(Scalar::Number(rest.get(..length).unwrap_or_default()));
            }
        }
        for word in ["null", "true", "false"] {
            if rest.starts_with(word) {
                self.at = start + word.len();
                if self.ends_value() {
                    return Ok(Scalar::Word(word));
                }
            }
        }
        self.at = start;
        self.other()
    }

    /// Whether what was read is the whole value; passes over white space behind it.
    fn ends_value(&mut self) -> bool {
        match self.peek_token() {
            Some(b',') => !self.is_decimal_comma(self.at),
            Some(b'}' | b']' | 0) | None => true,
            Some(_) => false,
        }
    }

    /// Whether a comma stands between two digits where a key would have to follow it: some printer wrote `5,12`.
    fn is_decimal_comma(&self, at: usize) -> bool {
        let is_digit = |at: usize| self.text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
        self.in_object && is_digit(at + 1) && at.checked_sub(1).is_some_and(is_digit)
    }

    /// Something that is no JSON, up to where the value must end; a text, object or array inside it is no value.
    fn other(&mut self) -> Result<Scalar<'a>, DecodeError> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b',' if self.is_decimal_comma(self.at) => {}
                b',' | b'}' | b']' | b'{' | b'[' | b'"' | 0..=0x1f => break,
                _ => {}
            }
            self.at += 1;
        }
        let written = self.text.get(start..self.at).unwrap_or_default().trim_end();
        match self.peek_token() {
            Some(b',' | b'}' | b']' | 0) | None => {}
            Some(_) => {
                self.at = start;
                return Err(self.expected("a value"));
            }
        }
        match decimal(written) {
            Some(_) => Ok(Scalar::Number(written)),
            None => Ok(Scalar::Bare(written)),
        }
    }

    /// Passes over one value of any kind, however deep: what no mapping reads must not cost what one reads.
    pub(crate) fn skip(&mut self) -> Result<(), DecodeError> {
        let mut open = Open::default();
        loop {
            let mut first = false;
            match self.peek_token() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.at += 1;
                    open.push(bracket == b'{');
                    first = true;
                }
                Some(b'"') => self.string().map(drop)?,
                Some(_) | None => self.bare().map(drop)?,
            }
            loop {
                let more = match open.in_object() {
                    None => return Ok(()),
                    Some(true) => self.next_member(first)?.is_some(),
                    Some(false) => self.next_element(first)?,
                };
                if more {
                    break;
                }
                open.pop();
                first = false;
            }
        }
    }

    /// Calls `each` at the value of every member of the object that is next; it must consume the value.
    pub(crate) fn members(
        &mut self,
        mut each: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.at += 1;
        let mut first = true;
        while let Some(key) = self.next_member(first)? {
            each(self, key)?;
            first = false;
        }
        Ok(())
    }

    /// Calls `each` at every element of the array that is next; it must consume the element.
    pub(crate) fn elements(
        &mut self,
        mut each: impl FnMut(&mut Self, usize) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        self.at += 1;
        let mut index = 0;
        while self.next_element(index == 0)? {
            each(self, index)?;
            index += 1;
        }
        Ok(())
    }

    /// Goes from the opening bracket of an object, or from a value in it, to its next value; past its end where there is
    /// none.
    fn next_member(&mut self, first: bool) -> Result<Option<Cow<'a, str>>, DecodeError> {
        if !first && !matches!(self.peek_token(), Some(b',' | b'}')) {
            return Err(self.expected("',' or '}'"));
        }
        while self.peek_token() == Some(b',') {
            self.at += 1;
        }
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(None);
        }
        let key = self.string()?;
        self.expect(b':', "':'")?;
        self.in_object = true;
        Ok(Some(key))
    }

    /// The same in an array.
    fn next_element(&mut self, first: bool) -> Result<bool, DecodeError> {
        match self.peek_token() {
            _ if first => {}
            Some(b',') => self.at += 1,
            Some(b']') => {}
            Some(_) | None => return Err(self.expected("',' or ']'")),
        }
        // Also behind a comma: one too many at the end is no element.
        if self.peek_token() == Some(b']') {
            self.at += 1;
            return Ok(false);
        }
        self.in_object = false;
        Ok(true)
    }

    /// The value that is next.
    pub(crate) fn scalar(&mut self) -> Result<Scalar<'a>, DecodeError> {
        match self.peek_token() {
            Some(b'"') => self.string().map(Scalar::Text),
            Some(b'{') => self.skip().map(|()| Scalar::Nested("an object")),
            Some(b'[') => self.skip().map(|()| Scalar::Nested("an array")),
            Some(_) | None => self.bare(),
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

/// The brackets that are open: one bit each, so that a mebibyte of them takes 128 KiB, and 64 take nothing.
#[derive(Debug, Default)]
struct Open {
    /// The innermost ones, the last in the lowest bit; set where it is an object.
    last: u64,
    /// Those around them, 64 in each.
    outer: Vec<u64>,
    depth: usize,
}

impl Open {
    fn push(&mut self, is_object: bool) {
        if self.depth != 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.last);
        }
        self.last = self.last << 1 | u64::from(is_object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.last >>= 1;
        if self.depth.is_multiple_of(64) {
            self.last = self.outer.pop().unwrap_or_default();
        }
    }

    /// Whether the innermost one is an object; nothing where none is open.
    const fn in_object(&self) -> Option<bool> {
        if self.depth == 0 { None } else { Some(self.last & 1 == 1) }
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

/// At most [`QUOTE_CHARS`] characters of a text.
pub(crate) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTE_CHARS).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

/// Replaces escapes; one that JSON does not know stays as it is, and the unpaired half of a surrogate becomes U+FFFD.
fn unescape(raw: &str) -> String {
    let mut units: Vec<u16> = Vec::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(c) = rest.next() {
        let escaped = if c == '\\' { rest.next() } else { None };
        let plain = match escaped {
            None => c,
            Some('u') => {
                let hex = rest.as_str().get(..4).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
                match hex.and_then(|hex| u16::from_str_radix(hex, 16).ok()) {
                    Some(unit) => {
                        units.push(unit);
                        rest = rest.as_str().get(4..).unwrap_or_default().chars();
                    }
                    None => units.extend("\\u".encode_utf16()),
                }
                continue;
            }
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(same @ ('"' | '\\' | '/')) => same,
            Some(unknown) => {
                units.push(u16::from(b'\\'));
                unknown
            }
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    String::from_utf16_lossy(&units)
}
