//! Where MQTT packets begin and end in a byte stream, without understanding them; pure.

use bakau_model::RemainingLength;

/// MQTT packet type of CONNECT (MQTT 5.0, table 2-1).
const CONNECT: u8 = 1;

/// MQTT packet type of PUBLISH.
const PUBLISH: u8 = 3;

/// MQTT packet type of DISCONNECT.
const DISCONNECT: u8 = 14;

/// Bytes of a CONNECT body up to the protocol level: two of length, six of `MQIsdp` at most, the level.
const CONNECT_HEAD_BYTES: usize = 9;

/// Why a stream is not followed any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Violation {
    /// A packet above the limit; `publish` tells whether a message is in it.
    TooLarge {
        /// Whether the packet is a PUBLISH.
        publish: bool,
    },
    /// Not MQTT: no CONNECT at the start, or a length of more than four bytes.
    Malformed,
}

/// Largest packet bodies that pass, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// First packet (CONNECT).
    pub(super) connect: usize,
    /// Every other packet.
    pub(super) packet: usize,
}

/// How far a piece of the stream may be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Bytes from the start of the piece that may be passed on.
    pub(super) pass: usize,
    /// Why the rest may not be passed on.
    pub(super) violation: Option<Violation>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Before the first byte of a packet.
    Start,
    /// Inside the remaining length.
    Length { first: u8, length: RemainingLength },
    /// Inside the body.
    Body { left: usize },
}

/// Tracks packet boundaries in the stream of one client.
#[derive(Debug)]
pub(super) struct Scanner {
    limits: Limits,
    state: State,
    packets: u64,
    disconnecting: bool,
    connect_head: ([u8; CONNECT_HEAD_BYTES], usize),
}

impl Scanner {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Start,
            packets: 0,
            disconnecting: false,
            connect_head: ([0; CONNECT_HEAD_BYTES], 0),
        }
    }

    /// Takes the next piece of the stream.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Scanned {
        let mut at = 0;
        while at < piece.len() {
            let start = at;
            let step = match self.state {
                State::Body { left } => {
                    let taken = left.min(piece.len() - at);
                    self.note_connect_head(&piece[at..at + taken]);
                    at += taken;
                    self.enter_body(left - taken);
                    Ok(())
                }
                State::Start => {
                    at += 1;
                    self.begin(piece[start])
                }
                State::Length { first, length } => {
                    at += 1;
                    self.lengthen(first, length, piece[start])
                }
            };
            if let Err(violation) = step {
                return Scanned { pass: start, violation: Some(violation) };
            }
        }
        Scanned { pass: piece.len(), violation: None }
    }

    /// Whether the first packet is complete.
    pub(super) const fn connected(&self) -> bool {
        0 < self.packets
    }

    /// Whether the client has sent a complete DISCONNECT: nothing may follow it.
    pub(super) fn is_disconnected(&self) -> bool {
        self.disconnecting && matches!(self.state, State::Start)
    }

    /// The protocol level of the CONNECT, as soon as it was seen: 5 for MQTT 5, 4 for 3.1.1, 3 for 3.1.
    pub(super) fn protocol_level(&self) -> Option<u8> {
        let (head, seen) = self.connect_head;
        let name_bytes = usize::from(u16::from_be_bytes([head[0], head[1]]));
        let level_at = name_bytes.checked_add(2)?;
        (level_at < seen).then(|| head.get(level_at).copied()).flatten()
    }

    fn begin(&mut self, first: u8) -> Result<(), Violation> {
        if !self.connected() && first >> 4 != CONNECT {
            return Err(Violation::Malformed);
        }
        self.state = State::Length { first, length: RemainingLength::default() };
        Ok(())
    }

    fn lengthen(&mut self, first: u8, mut length: RemainingLength, byte: u8) -> Result<(), Violation> {
        let Some(body) = length.push(byte).map_err(|_| Violation::Malformed)? else {
            self.state = State::Length { first, length };
            return Ok(());
        };
        let limit = if self.connected() { self.limits.packet } else { self.limits.connect };
        if limit < body {
            return Err(Violation::TooLarge { publish: first >> 4 == PUBLISH });
        }
        self.disconnecting |= first >> 4 == DISCONNECT;
        self.enter_body(body);
        Ok(())
    }

    fn enter_body(&mut self, left: usize) {
        if left == 0 {
            self.packets += 1;
            self.state = State::Start;
        } else {
            self.state = State::Body { left };
        }
    }

    fn note_connect_head(&mut self, body: &[u8]) {
        if self.connected() {
            return;
        }
        let (head, seen) = &mut self.connect_head;
        for (place, byte) in head[*seen..].iter_mut().zip(body) {
            *place = *byte;
            *seen += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { connect: 100, packet: 300 };

    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind << 4];
        let mut length = body.len();
        loop {
            let low = u8::try_from(length % 128).unwrap();
            length /= 128;
            bytes.push(if 0 < length { low | 0x80 } else { low });
            if length == 0 {
                break;
            }
        }
        bytes.extend_from_slice(body);
        bytes
    }

    fn connect(level: u8) -> Vec<u8> {
        packet(CONNECT, &[0, 4, b'M', b'Q', b'T', b'T', level, 2, 0, 60, 0, 0])
    }

    #[test]
    fn a_disconnect_is_noticed_once_it_is_complete() {
        let mut scanner = Scanner::new(LIMITS);
        scanner.feed(&connect(5));
        scanner.feed(&packet(PUBLISH, &[1; 5]));
        assert!(!scanner.is_disconnected());
        let disconnect = packet(DISCONNECT, &[0, 0]);
        scanner.feed(&disconnect[..3]);
        assert!(!scanner.is_disconnected());
        scanner.feed(&disconnect[3..]);
        assert!(scanner.is_disconnected());
    }

    #[test]
    fn a_packet_at_the_limit_passes_and_one_byte_more_does_not() {
        for (bytes, passes) in [(300, true), (301, false)] {
            let mut scanner = Scanner::new(LIMITS);
            scanner.feed(&connect(4));
            let publish = packet(PUBLISH, &vec![0; bytes]);
            let scanned = scanner.feed(&publish);
            assert_eq!(scanned.violation, (!passes).then_some(Violation::TooLarge { publish: true }));
        }
    }

    #[test]
    fn what_precedes_a_violation_is_passed_on() {
        let mut scanner = Scanner::new(LIMITS);
        scanner.feed(&connect(5));
        let mut stream = packet(PUBLISH, b"small");
        let good = stream.len();
        stream.extend(packet(8, &[0; 301]));
        let scanned = scanner.feed(&stream);
        assert_eq!(scanned.violation, Some(Violation::TooLarge { publish: false }));
        // The first header bytes of the refused packet may go along; its body does not.
        assert!(good <= scanned.pass && scanned.pass < good + 3, "{scanned:?}");
    }

    #[test]
    fn a_stream_that_does_not_start_with_connect_is_refused_at_its_first_byte() {
        let mut scanner = Scanner::new(LIMITS);
        let scanned = scanner.feed(b"GET / HTTP/1.1\r\n");
        assert_eq!(scanned, Scanned { pass: 0, violation: Some(Violation::Malformed) });
    }

    #[test]
    fn a_length_of_five_bytes_is_malformed() {
        let mut scanner = Scanner::new(LIMITS);
        assert_eq!(scanner.feed(&[0x10, 0xff, 0xff, 0xff, 0xff]).violation, Some(Violation::Malformed));
    }

    #[test]
    fn a_connect_is_bounded_more_tightly() {
        let mut scanner = Scanner::new(LIMITS);
        assert!(scanner.feed(&packet(CONNECT, &[0; 101])).violation.is_some());
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_a_stream_arrives_do_not_matter(
            bodies in proptest::collection::vec(0_usize..300, 0..8),
            cut in proptest::collection::vec(1_usize..50, 1..60),
            level in 3_u8..=5,
        ) {
            let mut stream = connect(level);
            for body in &bodies {
                stream.extend(packet(PUBLISH, &vec![7; *body]));
            }
            let mut scanner = Scanner::new(LIMITS);
            let mut rest = stream.as_slice();
            let mut cuts = cut.iter().cycle();
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                prop_assert_eq!(scanner.feed(piece), Scanned { pass: piece.len(), violation: None });
                rest = tail;
            }
            prop_assert_eq!(scanner.packets, 1 + bodies.len() as u64);
            prop_assert_eq!(scanner.protocol_level(), Some(level));
        }

        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let scanned = Scanner::new(LIMITS).feed(&bytes);
            prop_assert!(scanned.pass <= bytes.len());
        }
    }
}
