//! Availability messages and last wills: a text that says whether a device is there.

use bakau_model::{Missing, trim};
use bakau_registry::StatusMapping;

use super::{
    DecodeError, Decoded,
    document::DocumentDecoder,
    scan::{quote, text_of},
};

/// The compiled mapping of a route.
#[derive(Debug, Clone)]
pub struct StatusDecoder {
    mapping: StatusMapping,
    document: Option<DocumentDecoder>,
}

impl StatusDecoder {
    /// Compiles a mapping.
    #[must_use]
    pub fn compile(mapping: &StatusMapping) -> Self {
        let document = mapping.path.as_deref().map(DocumentDecoder::text_at);
        Self { mapping: mapping.clone(), document }
    }

    /// Reads a payload; `out` must be empty.
    ///
    /// # Errors
    /// When the text is missing or means nothing.
    pub fn decode(&mut self, payload: &[u8], out: &mut Decoded) -> Result<(), DecodeError> {
        let text: Box<str> = match &mut self.document {
            None => trim(&text_of(payload)?).into(),
            Some(document) => {
                document.decode(payload, &Missing::default(), out)?;
                let found = out.sets.first().and_then(|set| set.devices.first()).cloned();
                out.clear();
                let path = self.mapping.path.as_deref().unwrap_or_default();
                found.ok_or_else(|| DecodeError::undecodable(format!("there is no text at {path}")))?
            }
        };
        let is_text = |known: &String| **known == *text;
        if self.mapping.online.iter().any(is_text) {
            out.online = Some(true);
        } else if self.mapping.offline.iter().any(is_text) {
            out.online = Some(false);
        } else {
            let detail = format!("\"{}\" is neither an online nor an offline text of this route", quote(&text));
            return Err(DecodeError::undecodable(detail));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: Option<&str>, payload: &str) -> Result<Option<bool>, String> {
        let mapping = StatusMapping {
            path: path.map(str::to_owned),
            online: vec!["online".to_owned(), "Online".to_owned(), "true".to_owned(), "1".to_owned()],
            offline: vec!["offline".to_owned(), "Offline".to_owned(), "false".to_owned(), "0".to_owned()],
        };
        let mut out = Decoded::default();
        let result = StatusDecoder::compile(&mapping).decode(payload.as_bytes(), &mut out);
        assert!(out.readings.is_empty() && out.sets.is_empty(), "a status has no readings");
        result.map(|()| out.online).map_err(|error| error.detail)
    }

    #[test]
    fn the_texts_of_the_route_say_who_is_there() {
        assert_eq!(read(None, "Online"), Ok(Some(true)));
        assert_eq!(read(None, " offline\n"), Ok(Some(false)));
        assert_eq!(read(Some("/state"), r#"{"state":"offline"}"#), Ok(Some(false)));
        assert_eq!(read(Some("/up"), r#"{"up":true}"#), Ok(Some(true)));
        assert_eq!(read(Some("/up"), r#"{"up":0}"#), Ok(Some(false)));
    }

    #[test]
    fn a_text_that_means_nothing_is_named() {
        let neither = |text: &str| Err(format!("\"{text}\" is neither an online nor an offline text of this route"));
        assert_eq!(read(None, "gone"), neither("gone"));
        assert_eq!(read(None, ""), neither(""));
        assert_eq!(read(Some("/state"), r#"{"online":1}"#), Err("there is no text at /state".to_owned()));
        assert_eq!(read(Some("/state"), "online").unwrap_err(), "the payload is no object");
    }
}
