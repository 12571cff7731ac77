//! Sends the lines of a write until every one is stored or named as refused.

use bytes::Bytes;

use super::super::http::{
    Server,
    answer::{Answered, Next, bounded, decide},
};
use crate::{StoreError, StoreErrorKind, StoreProblem};

/// Bytes of one request: 8,000 to 10,000 lines, and 5,000 to 20,000 measured fastest.
const PIECE_BYTES: usize = 1 << 20;

/// A line that the server does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) line: String,
    pub(crate) reason: String,
}

/// Sends a body, whose lines all end with a line feed, and returns the refused lines; everything else is stored then.
///
/// After an error it is not known how much is stored: send the same body again, points overwrite themselves.
pub(crate) async fn send(server: &Server, body: Bytes) -> Result<Vec<Refused>, StoreError> {
    let mut refused = Vec::new();
    // Pieces still to be sent, the next one last; a piece is halved from the left.
    let mut pieces = cut(body, PIECE_BYTES);
    pieces.reverse();
    while let Some(piece) = pieces.pop() {
        let answered = server.write(piece.clone()).await?;
        match decide(answered.status) {
            Next::Done => {}
            Next::Again => return Err(later(&answered)),
            Next::Hold(hold) => return Err(hold.into()),
            Next::BadLines => match without_named(&piece, &answered, &mut refused) {
                Some(good) => pieces.extend(Some(good).filter(|good| !good.is_empty())),
                None => halve(&piece, &answered, &mut pieces, &mut refused),
            },
            Next::Halve | Next::Partly => halve(&piece, &answered, &mut pieces, &mut refused),
        }
    }
    Ok(refused)
}

fn later(answered: &Answered) -> StoreError {
    // `/health` goes on saying "pass" while every write fails like this.
    let full = 500 <= answered.status && answered.text.contains("no space left on device");
    let error = if full {
        let message = "the disk of InfluxDB is full; free space there, then restart InfluxDB";
        StoreError::new(StoreProblem::InfluxFull, message)
    } else {
        StoreError::new(StoreErrorKind::Unavailable, format!("InfluxDB answered with status {}", answered.status))
    };
    error.retry_after(answered.wait())
}

/// The body in pieces of about this length, never in the middle of a line.
fn cut(mut body: Bytes, length: usize) -> Vec<Bytes> {
    let mut pieces = Vec::with_capacity(body.len() / length.max(1) + 1);
    while let Some(end) = body.get(length..).and_then(|rest| rest.iter().position(|&byte| byte == b'\n')) {
        pieces.push(body.split_to(length + end + 1));
    }
    if !body.is_empty() {
        pieces.push(body);
    }
    pieces
}

/// Puts the halves of a piece back, the left one first in turn; a single line is refused.
fn halve(piece: &Bytes, answered: &Answered, pieces: &mut Vec<Bytes>, refused: &mut Vec<Refused>) {
    let feeds = |part: &[u8]| part.iter().position(|&byte| byte == b'\n').map(|at| at + 1);
    let middle = piece.len() / 2;
    // The end of the line in the middle, or that of the first where the middle is in the last.
    let after = piece.get(middle..).and_then(feeds).map(|at| middle + at);
    let end = after.filter(|&end| end < piece.len()).or_else(|| feeds(piece));
    match end.filter(|&end| end < piece.len()) {
        Some(end) => pieces.extend([piece.slice(end..), piece.slice(..end)]),
        None => {
            let reason = bounded(&answered.reason());
            let line = String::from_utf8_lossy(piece);
            refused.push(Refused { line: bounded(line.trim_end_matches('\n')), reason });
        }
    }
}

/// The piece without the lines that the answer names; `None` when nothing follows from it.
fn without_named(piece: &Bytes, answered: &Answered, refused: &mut Vec<Refused>) -> Option<Bytes> {
    let text = std::str::from_utf8(piece).ok()?;
    let named = answered.named(text)?;
    let mut good = String::with_capacity(piece.len());
    for (n, line) in text.lines().enumerate() {
        match named.get(&n) {
            Some(reason) => refused.push(Refused { line: bounded(line), reason: reason.clone() }),
            None => {
                good.push_str(line);
                good.push('\n');
            }
        }
    }
    Some(good.into())
}

#[cfg(test)]
mod tests;
