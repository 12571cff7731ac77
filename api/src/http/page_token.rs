//! Paging tokens: opaque to clients, versioned, and tied to the query they continue.
//!
//! A token is base64url of `v1|<datastream number>|<last observed_at in ms>|<query hash>`. It is no secret and grants
//! nothing; the hash only tells a client that it mixed up two queries instead of giving it a hole in its data.

use bakau_model::{DatastreamId, UtcMillis};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::http::query::Span;

/// Longest token that can have come from here.
const MAX_TOKEN_BYTES: usize = 128;

/// Where the next page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageToken {
    /// The datastream.
    pub(crate) datastream: DatastreamId,
    /// The last instant already answered.
    pub(crate) after: UtcMillis,
    /// The query it continues.
    pub(crate) span: Span,
}

impl PageToken {
    /// The token as text.
    pub(crate) fn encode(&self) -> String {
        let hash = query_hash(self.datastream, self.span);
        BASE64_URL_SAFE_NO_PAD.encode(format!("v1|{}|{}|{hash}", self.datastream, self.after.get()))
    }

    /// The token of a text, if it continues the query over `datastream` and `span`.
    pub(crate) fn decode(text: &str, datastream: DatastreamId, span: Span) -> Option<Self> {
        if MAX_TOKEN_BYTES < text.len() {
            return None;
        }
        let plain = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = plain.split('|');
        let fields = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
        let ["v1", number, after, hash] = fields else { return None };
        let same_query = number == datastream.to_string() && hash == query_hash(datastream, span);
        let after = UtcMillis::new(after.parse().ok()?);
        let inside = span.from <= after && after < span.to;
        (parts.next().is_none() && same_query && inside).then_some(Self { datastream, after, span })
    }
}

fn query_hash(datastream: DatastreamId, span: Span) -> String {
    let digest = Sha256::digest(format!("{datastream}|{}|{}", span.from.get(), span.to.get()));
    BASE64_URL_SAFE_NO_PAD.encode(&digest[..9])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SPAN: Span = Span { from: UtcMillis::new(0), to: UtcMillis::new(1000) };

    #[test]
    fn a_token_of_another_query_is_refused() {
        let token = PageToken { datastream: DatastreamId::new(3), after: UtcMillis::new(5), span: SPAN }.encode();
        assert!(PageToken::decode(&token, DatastreamId::new(3), SPAN).is_some());
        assert!(PageToken::decode(&token, DatastreamId::new(4), SPAN).is_none());
        let longer = Span { to: UtcMillis::new(1001), ..SPAN };
        assert!(PageToken::decode(&token, DatastreamId::new(3), longer).is_none());
    }

    proptest! {
        #[test]
        fn a_token_comes_back_as_it_was(number: u32, after in 0i64..1000) {
            let token = PageToken { datastream: DatastreamId::new(number), after: UtcMillis::new(after), span: SPAN };
            prop_assert_eq!(PageToken::decode(&token.encode(), token.datastream, SPAN), Some(token));
        }

        #[test]
        fn any_text_is_refused_without_a_panic(text in "\\PC{0,200}") {
            prop_assert_eq!(PageToken::decode(&text, DatastreamId::new(1), SPAN), None);
        }
    }
}
