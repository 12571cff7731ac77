//! Rules and observations that tests of several modules share: dissolved oxygen in a mangrove estuary.

use std::sync::Arc;

use bakau_model::{
    AgencyId, ChannelId, DatastreamId, DeploymentId, Flag, FlatLine, Language, Level, Observation, Parameter,
    ParameterInfo, PerLevel, PersonId, QualityLimits, Range, RuleId, StationId, StationKind, Step, Text, TimeSource,
    Unit, UtcMillis,
};
use bakau_registry::{
    Band, Channel, Condition, Datastream, DatastreamTarget, Direction, MailSecurity, Person, Rule, Snapshot, Station,
    Threshold,
};

use crate::{
    NotificationKind,
    db::DueNotification,
    engine::{Reason, RuleSet, Subject, Told, Transition, WatchedRule},
    message::facts::Facts,
};

pub(crate) const DATASTREAM: DatastreamId = DatastreamId::new(7);
pub(crate) const SUBJECT: Subject = Subject::Datastream(DATASTREAM);
/// 2026-03-09T17:00:00Z, midnight in western Indonesia.
pub(crate) const MIDNIGHT: UtcMillis = UtcMillis::new(1_773_075_600_000);

pub(crate) fn minute(minutes: i64) -> UtcMillis {
    MIDNIGHT.saturating_add(minutes * 60_000)
}

/// Waspada at 4 (clears at 4.5), siaga at 2 (2.5), awas at 0.5 (0.8) mg/L.
pub(crate) fn do_rule(hold_s: u32) -> Rule {
    let limit = |raise, clear| Band::one_sided(Direction::Below, Threshold { raise, clear });
    Rule {
        id: RuleId::new("bjbr-do-low").unwrap(),
        name: "Oksigen rendah".into(),
        condition: Condition::Threshold {
            target: do_target(),
            direction: Direction::Below,
            hold_s,
            bands: PerLevel { waspada: limit(4.0, 4.5), siaga: limit(2.0, 2.5), awas: limit(0.5, 0.8) },
        },
        repeat_s: None,
        source: "test".into(),
        channels: vec![ChannelId::new("piket").unwrap()],
    }
}

/// What [`do_rule`] watches.
pub(crate) fn do_target() -> DatastreamTarget {
    DatastreamTarget::Datastream("prb-bjbr-01/do".parse().unwrap())
}

/// Changes the waspada level of a rule about low values.
pub(crate) fn set_waspada(rule: &mut Rule, raise: f64, clear: f64) {
    let Condition::Threshold { direction, bands, .. } = &mut rule.condition else { return };
    bands.waspada = Band::one_sided(*direction, Threshold { raise, clear });
}

pub(crate) fn rule_set(revision: u64, rules: impl IntoIterator<Item = Rule>) -> RuleSet {
    let watch = |rule| WatchedRule::new(Arc::new(rule), SUBJECT);
    RuleSet { revision, rules: rules.into_iter().map(watch).collect(), stations: Vec::new() }
}

pub(crate) fn observation(minutes: i64, value: f64) -> Observation {
    Observation {
        datastream: DATASTREAM,
        observed_at: minute(minutes),
        value: Some(value),
        deployment: DeploymentId::new(0),
        time_source: TimeSource::Device,
        received_at: minute(minutes),
        flag: Flag::NotEvaluated,
    }
}

/// Facts at 02:13 in western Indonesia on 10 March 2026.
pub(crate) fn facts(from: Level, to: Level, reason: Reason, value: f64, limit: Option<f64>) -> Facts {
    let rule = do_rule(0);
    let transition = Transition {
        alert: crate::engine::id::of(&rule.id, &SUBJECT, minute(130)),
        sequence: 1,
        rule: Arc::new(rule),
        rule_revision: 12,
        subject: SUBJECT,
        told: Told {
            from,
            to,
            peak: from.max(to),
            onset: minute(130),
            onset_at_latest: false,
            observed_at: minute(133),
            value: Some((value, Flag::NotEvaluated)),
            worst: Some((value, minute(133))),
            heard: None,
        },
        reason,
        decided_at: minute(133).saturating_add(1_500),
        muted_until: None,
        tells: true,
    };
    Facts { limit, ..Facts::of(&transition, Vec::new(), &snapshot([do_rule(0)])).unwrap() }
}

/// Quality control of dissolved oxygen with every test: range, spike, rate and flat line.
pub(crate) fn do_limits() -> QualityLimits {
    QualityLimits {
        fail: Some(Range { min: 0.0, max: 20.0 }),
        suspect: Some(Range { min: 0.2, max: 15.0 }),
        spike: Some(Step { suspect: Some(1.5), fail: Some(3.0) }),
        rate_per_min: Some(Step { suspect: Some(2.0), fail: None }),
        flat_line: Some(FlatLine { tolerance: 0.001, suspect_s: Some(1_200), fail_s: Some(3_600) }),
        ..QualityLimits::default()
    }
}

/// Dissolved oxygen there, without quality control.
pub(crate) fn datastream() -> Datastream {
    Datastream {
        number: DATASTREAM,
        name: "prb-bjbr-01/do".parse().unwrap(),
        station: StationId::new("prb-bjbr-01").unwrap(),
        parameter: Parameter::new("do").unwrap(),
        unit: Unit::new("mg/L"),
        interval_ms: 60_000,
        vertical_datum: None,
        limits: QualityLimits::default(),
    }
}

/// One mangrove station with dissolved oxygen, and the given rules of it.
pub(crate) fn snapshot(rules: impl IntoIterator<Item = Rule>) -> Snapshot {
    let station = StationId::new("prb-bjbr-01").unwrap();
    let code = Parameter::new("do").unwrap();
    let datastream = Arc::new(datastream());
    let name = datastream.name.clone();
    let mut snapshot = Snapshot { revision: 1, ..Snapshot::default() };
    snapshot.stations.insert(
        station.clone(),
        Station {
            id: station,
            name: "BeeJay Bakau".into(),
            agency: AgencyId::new("dlh").unwrap(),
            kind: StationKind::Mangrove,
            latitude: -7.735,
            longitude: 113.219,
            time_zone: "Asia/Jakarta".to_owned(),
            elevation_m: None,
            description: None,
            water_class: None,
            air_type: None,
        },
    );
    snapshot.parameters.insert(
        code.clone(),
        ParameterInfo {
            code,
            name: Text { id: "Oksigen terlarut".to_owned(), en: "Dissolved oxygen".to_owned() },
            unit: Unit::new("mg/L"),
            cf_name: None,
            fail: None,
            suspect: None,
            molar_mass: None,
            spike: None,
            rate_per_min: None,
            flat_line: None,
            ranges_per_s: None,
            amount: false,
            site_range: false,
            decimals: 2,
            source: "test".into(),
        },
    );
    snapshot.datastreams.insert(DATASTREAM, Arc::clone(&datastream));
    snapshot.by_name.insert(name, datastream);
    snapshot.rules = rules.into_iter().map(|rule| (rule.id.clone(), Arc::new(rule))).collect();
    snapshot
}

/// A notification of facts, for a person or for a program.
pub(crate) fn notification(facts: Facts, person: Option<&Person>) -> DueNotification {
    DueNotification {
        id: 1,
        transition: 1,
        kind: NotificationKind::Transition,
        person: person.map(|person| person.id.clone()),
        channel: ChannelId::new("piket").unwrap(),
        urgency: facts.level,
        attempts: 0,
        created_at: facts.decided_at,
        idempotency_key: "k1".to_owned(),
        facts,
        acknowledged: None,
    }
}

/// Somebody who reads mail at `{id}@dlh.example`.
pub(crate) fn person(id: &str) -> Person {
    Person {
        id: PersonId::new(id).unwrap(),
        name: id.to_owned(),
        language: Language::Id,
        email: Some(format!("{id}@dlh.example")),
        telegram_chat: None,
    }
}

/// A mail server on this machine, without protection or login.
pub(crate) fn email_channel(id: &ChannelId, port: u16) -> Channel {
    Channel::Email {
        id: id.clone(),
        host: "127.0.0.1".to_owned(),
        port,
        security: MailSecurity::None,
        from: "bakau@kota.example".to_owned(),
        username: None,
        password_env: None,
        ca_file: None,
    }
}
