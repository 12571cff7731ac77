//! What follows from the server's answer to a write: one pure decision.

/// What to do with the body that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Everything is stored.
    Done,
    /// The same body again, later.
    Again,
    /// The body is too long: its halves.
    Halve,
    /// The same body, rarely, until somebody changes settings; the reason is for people.
    Hold(Hold),
    /// Some points are not wanted; the answer may name them by line. Nothing was stored.
    BadLines,
    /// Some points were not stored and the answer says too little about which.
    Partly,
}

/// Why a server takes nothing although it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// 401: the token is unknown or was revoked.
    Token,
    /// 403: the token may not write into the bucket.
    Right,
    /// 404: organization or bucket do not exist.
    Bucket,
    /// 3xx: the address leads to another server.
    Redirect,
    /// 2xx other than 204: this is not the write interface of InfluxDB 2.
    NotInflux,
    /// Any other answer nobody expects.
    Unexpected,
}

impl Hold {
    /// The stable key used in message files.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Right => "right",
            Self::Bucket => "bucket",
            Self::Redirect => "redirect",
            Self::NotInflux => "not_influx",
            Self::Unexpected => "unexpected",
        }
    }

    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::Token => "InfluxDB does not accept the token: it is wrong or was revoked",
            Self::Right => "the token may not write into the bucket",
            Self::Bucket => "InfluxDB knows no such organization or bucket: make it, or correct the names",
            Self::Redirect => "the address of InfluxDB leads to another server",
            Self::NotInflux => "what answers at the address of InfluxDB is something else",
            Self::Unexpected => "InfluxDB gives an unexpected answer",
        }
    }
}

/// Decides by the status of an answer.
#[must_use]
pub const fn decide(status: u16) -> Next {
    match status {
        204 => Next::Done,
        408 | 429 | 499 | 500..=599 => Next::Again,
        413 => Next::Halve,
        400 => Next::BadLines,
        422 => Next::Partly,
        401 => Next::Hold(Hold::Token),
        403 => Next::Hold(Hold::Right),
        404 => Next::Hold(Hold::Bucket),
        300..=399 => Next::Hold(Hold::Redirect),
        200..=299 => Next::Hold(Hold::NotInflux),
        _ => Next::Hold(Hold::Unexpected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_consequence() {
        for (status, next) in [
            (204, Next::Done),
            (200, Next::Hold(Hold::NotInflux)),
            (302, Next::Hold(Hold::Redirect)),
            (400, Next::BadLines),
            (401, Next::Hold(Hold::Token)),
            (403, Next::Hold(Hold::Right)),
            (404, Next::Hold(Hold::Bucket)),
            (408, Next::Again),
            (413, Next::Halve),
            (418, Next::Hold(Hold::Unexpected)),
            (422, Next::Partly),
            (429, Next::Again),
            (499, Next::Again),
            (500, Next::Again),
            (503, Next::Again),
        ] {
            assert_eq!(decide(status), next, "{status}");
        }
    }

    #[test]
    fn only_204_is_done() {
        let done: Vec<u16> = (0..=999).filter(|status| decide(*status) == Next::Done).collect();
        assert_eq!(done, [204]);
    }
}
