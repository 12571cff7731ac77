//! One decoded message on its way through identification.

use bakau_model::{Envelope, QuarantineReason, StationStatus};
use bakau_registry::Snapshot;
use bakau_spool::QuarantineDraft;
use jiff::tz::TimeZone;

use super::{Findings, Outcome, Processed};
use crate::{
    decode::{Decoded, ReadingSet, Slot},
    identify::{self, AcceptWindow, Fault, Resolved, Stamp},
    owner::{Devices, Owner},
};

/// What is known of a message before it is decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender<'a> {
    /// Index in the group.
    pub(super) index: u32,
    pub(super) envelope: &'a Envelope,
    pub(super) snapshot: &'a Snapshot,
}

/// How times of its source are judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock<'a> {
    pub(super) window: AcceptWindow,
    pub(super) zone: Option<&'a TimeZone>,
}

/// Whose readings they may be.
#[derive(Debug)]
pub(super) struct Owners<'a> {
    pub(super) owner: &'a Owner,
    pub(super) devices: &'a mut Devices,
    pub(super) slots: &'a [Slot],
}

impl Owners<'_> {
    fn resolve(&mut self, set: &ReadingSet, snapshot: &Snapshot) -> Result<&[Resolved], Fault> {
        match self.owner {
            Owner::Station { slots, .. } => Ok(slots),
            Owner::Unknown(fault) => Err(fault.clone()),
            Owner::Payload => self.devices.resolve(&set.devices, self.slots, snapshot),
        }
    }
}

impl Sender<'_> {
    fn quarantine(&self, reading: Option<String>, fault: Fault) -> QuarantineDraft {
        QuarantineDraft { envelope: self.index, reading, reason: fault.reason, detail: fault.detail }
    }

    /// Adds the status of an availability message or a last will.
    pub(super) fn status(&self, online: bool, owner: &Owner, findings: &mut Findings) -> Processed {
        let unknown = |detail| Fault { reason: QuarantineReason::UnknownDevice, detail };
        let station = match owner {
            Owner::Station { id, .. } => {
                let registered = self.snapshot.stations.get_key_value(&**id).map(|(station, _)| station.clone());
                registered.ok_or_else(|| unknown(format!("no station '{id}' is registered")))
            }
            Owner::Unknown(fault) => Err(fault.clone()),
            Owner::Payload => Err(unknown("neither the topic nor the route says which station it is".to_owned())),
        };
        match station {
            Ok(station) => {
                let Envelope { retained, received_at: at, .. } = *self.envelope;
                findings.statuses.push(StationStatus { station, online, retained, at });
                Processed::without_readings(Outcome::Decoded)
            }
            Err(fault) => {
                findings.quarantine.push(self.quarantine(None, fault));
                Processed::without_readings(Outcome::Quarantined)
            }
        }
    }

    /// Adds the observations of a message, and quarantine rows for the rest.
    pub(super) fn identify(
        &self,
        decoded: &Decoded,
        clock: Clock<'_>,
        owners: &mut Owners<'_>,
        findings: &mut Findings,
    ) -> Processed {
        let before = findings.observations.len();
        let mut processed = Processed::without_readings(Outcome::Quarantined);
        let mut rows = Rows { first: findings.quarantine.len(), left_out: 0 };
        let mut unknown: Option<String> = None;
        for set in &decoded.sets {
            let stamp = identify::stamp(&set.time, self.envelope.received_at, clock.window, clock.zone);
            processed.readings += set.count as u64;
            match owners.resolve(set, self.snapshot) {
                Ok(slots) => {
                    processed.quarantined += self.identify_set(decoded, (set, slots), &stamp, findings, &mut rows);
                }
                Err(fault) => {
                    processed.quarantined += set.count as u64;
                    // Once is enough for all readings of a device that nobody knows.
                    if 0 < set.count && unknown.as_ref() != Some(&fault.detail) {
                        unknown = Some(fault.detail.clone());
                        rows.add(findings, || self.quarantine(None, fault));
                    }
                }
            }
        }
        for (place, detail) in &decoded.broken {
            let fault = || Fault { reason: QuarantineReason::Undecodable, detail: detail.clone() };
            rows.add(findings, || self.quarantine(Some(place.clone()), fault()));
        }
        rows.sum_up(findings);
        if before < findings.observations.len() {
            processed.outcome = Outcome::Decoded;
        }
        processed
    }

    /// Adds the observations and faults of one set; returns how many readings went to quarantine.
    fn identify_set(
        &self,
        decoded: &Decoded,
        (set, slots): (&ReadingSet, &[Resolved]),
        stamp: &Result<Stamp, Fault>,
        findings: &mut Findings,
        rows: &mut Rows,
    ) -> u64 {
        let mut quarantined = 0;
        for reading in decoded.readings_of(set) {
            let Some(resolved) = slots.get(reading.slot) else { continue };
            let observed = match (&resolved.target, stamp) {
                (Err(fault), _) | (Ok(_), Err(fault)) => Err(fault.clone()),
                (Ok(target), Ok(stamp)) => identify::observe(target, &reading.value, *stamp, self.envelope.received_at),
            };
            match observed {
                Ok(observation) => findings.observations.push((self.index, observation)),
                Err(fault) => {
                    quarantined += 1;
                    rows.add(findings, || self.quarantine(Some(resolved.label.clone()), fault));
                }
            }
        }
        quarantined
    }
}

/// Rows one message gets in the quarantine list: enough to see what is wrong with it, and its payload is there whole.
pub(super) const MAX_ROWS: usize = 1_000;

/// The rows of one message.
#[derive(Debug)]
struct Rows {
    /// Index of the first one.
    first: usize,
    /// How many more there would be.
    left_out: usize,
}

impl Rows {
    fn add(&mut self, findings: &mut Findings, row: impl FnOnce() -> QuarantineDraft) {
        if findings.quarantine.len() - self.first < MAX_ROWS {
            findings.quarantine.push(row());
        } else {
            self.left_out += 1;
        }
    }

    /// Says in one row more how many are left out.
    fn sum_up(self, findings: &mut Findings) {
        let Some(QuarantineDraft { envelope, reason, .. }) = findings.quarantine.last() else { return };
        if 0 < self.left_out {
            let detail = format!("{} more of this message could not be used; they are not listed", self.left_out);
            let row = QuarantineDraft { envelope: *envelope, reading: None, reason: *reason, detail };
            findings.quarantine.push(row);
        }
    }
}
