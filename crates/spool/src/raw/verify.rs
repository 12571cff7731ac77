//! Reads the whole raw record, follows the chain across segments, and names what is damaged.

use std::{fs::File, io, path::Path};

use bakau_model::hex;

use super::{
    RawDamage, RawReport, Recent, Segment, content, file_name,
    format::{self, Chain, Header, HeaderError},
    gap_damage, header_damage, record_damage,
    scan::{Found, Record, Scanner},
    segments,
};
use crate::SpoolError;

/// Most damaged places named.
const DAMAGED_NAMED: usize = 1000;

/// Chain values tried for one record, so that a segment that is nothing but damage costs no more than its length.
const MOST_LINKS: usize = 4;

/// Checks every record beside the `spool.db` in `folder`: checksum, content, chain. Slow on purpose.
///
/// Not beside a running Bakau, whose newest record may be half written.
///
/// # Errors
/// `Unavailable` when the folder cannot be read; damage found is in the report.
pub fn verify(folder: &Path) -> Result<RawReport, SpoolError> {
    let mut check = Check::default();
    for segment in segments(folder)? {
        check.report.segments += 1;
        check.report.bytes += segment.bytes;
        check.name = file_name(&segment.path);
        if let Err(error) = check.segment(&segment) {
            check.damaged(0, format!("it cannot be read: {error}"));
            check.links.anything = true;
        }
    }
    check.report.seal = check.links.accepted.first().map(|chain| hex::encode(chain));
    Ok(check.report)
}

/// The chain values the next record or header may continue: after damage there is more than one.
#[derive(Debug, Default)]
struct Links {
    accepted: Vec<Chain>,
    /// Set when the value to continue is not known, which is named by then.
    anything: bool,
}

impl Links {
    /// Whether the record continues the chain; goes on with its own value.
    fn follow(&mut self, sealed: &[u8], chain: Chain) -> bool {
        let links: Vec<_> = self.accepted.iter().map(|previous| format::link(previous, sealed)).collect();
        let fits = self.anything || links.contains(&chain);
        if fits {
            self.accepted.clear();
        } else {
            // Either the value stored here is damaged, or what came before it is not what was written, or the next segment goes
            // on from the record before.
            self.accepted.extend(links.first().copied());
            self.accepted.truncate(MOST_LINKS - 1);
        }
        self.accepted.insert(0, chain);
        self.anything = false;
        fits
    }
}

#[derive(Debug, Default)]
struct Check {
    report: RawReport,
    links: Links,
    /// Number of the segment before.
    number: Option<u64>,
    name: String,
}

impl Check {
    fn segment(&mut self, segment: &Segment) -> io::Result<()> {
        let mut scanner = Scanner::new(File::open(&segment.path)?)?;
        match scanner.header()? {
            Ok(header) => self.header(header),
            Err(HeaderError::Damaged) => {
                self.name_damage(header_damage(&self.name));
                self.links.anything = true;
                self.number = self.number.map(|number| number + 1);
            }
            Err(error @ HeaderError::Newer(_)) => {
                self.damaged(0, error.to_string());
                self.links.anything = true;
                return Ok(());
            }
        }
        let mut recent = Recent::default();
        while let Some(found) = scanner.next()? {
            match found {
                Found::Record(record) => self.record(&record, &mut recent),
                Found::Gap(gap) => {
                    self.name_damage(gap_damage(&self.name, &gap));
                    self.links.accepted.truncate(MOST_LINKS - 1);
                    self.links.accepted.extend(gap.chain);
                }
            }
        }
        Ok(())
    }

    fn header(&mut self, header: Header) {
        match self.number {
            Some(before) if before.checked_add(1) != Some(header.number) => {
                self.damaged(
                    0,
                    format!("it is segment {} and follows segment {before}: some are missing", header.number),
                );
            }
            Some(_) if !self.links.anything && !self.links.accepted.contains(&header.previous) => {
                self.damaged(0, "it does not continue the chain of the segment before".to_owned());
            }
            // Segments before the first one were removed by an operator, or there were none.
            Some(_) | None => {}
        }
        self.number = Some(header.number);
        self.links = Links { accepted: vec![header.chain()], anything: false };
    }

    fn record(&mut self, record: &Record, recent: &mut Recent) {
        if let Some((sealed, _, chain)) = format::check(&record.bytes)
            && !self.links.follow(sealed, chain)
        {
            let problem = "it does not continue the chain: it, or what was before it, was changed".to_owned();
            self.name_damage(record_damage(&self.name, record, problem));
        }
        if recent.holds(&record.head) {
            self.report.repeats += 1;
            return;
        }
        match content(record) {
            Ok(envelopes) => {
                self.report.batches += 1;
                self.report.messages += envelopes.len() as u64;
                recent.insert(record.head);
            }
            Err(problem) => self.name_damage(record_damage(&self.name, record, problem)),
        }
    }

    fn damaged(&mut self, offset: u64, problem: String) {
        self.name_damage(RawDamage { segment: self.name.clone(), offset, seq: None, problem });
    }

    fn name_damage(&mut self, damage: RawDamage) {
        if self.report.damaged.len() < DAMAGED_NAMED {
            self.report.damaged.push(damage);
        }
    }
}
