use bakau_model::{TimeSource, UtcMillis};
use bakau_registry::{DeviceMapping, Format, Route, StatusMapping, TimeFormat, ValueMapping};

use super::{
    testing::{ARRIVAL, envelope, limits, mapping, route, snapshot, station},
    *,
};

const TOPIC: &str = "bakau/s1/data";
const TIMED: &str = r#"{"time":"2026-02-25T06:13:20Z","do":6.3,"cond":45.97}"#;

fn run(envelope: &Envelope, spooled: bool) -> (Processed, Findings) {
    let mut findings = Findings::default();
    let processed = Processor::new(limits(), snapshot()).process(0, envelope, |_| spooled, &mut findings);
    (processed, findings)
}

fn reasons(findings: &Findings) -> Vec<(Option<&str>, QuarantineReason)> {
    findings.quarantine.iter().map(|row| (row.reading.as_deref(), row.reason)).collect()
}

#[test]
fn a_good_message_becomes_observations_of_its_station() {
    let (processed, findings) = run(&envelope(TOPIC, TIMED), false);
    assert_eq!(processed, Processed { outcome: Outcome::Decoded, readings: 2, quarantined: 0 });
    let values: Vec<_> = findings.observations.iter().map(|(_, o)| (o.datastream.get(), o.value)).collect();
    assert_eq!(values, [(1, Some(6.3)), (2, Some(45_970.0))]);
    assert!(findings.observations.iter().all(|(_, o)| o.time_source == TimeSource::Device));
}

#[test]
fn good_readings_survive_bad_neighbours() {
    let (processed, findings) = run(&envelope(TOPIC, r#"{"do":"broken","cond":"45.97"}"#), false);
    assert_eq!(processed, Processed { outcome: Outcome::Decoded, readings: 2, quarantined: 1 });
    assert_eq!(reasons(&findings), [(Some("s1/do"), QuarantineReason::NotANumber)]);
    assert_eq!(findings.observations.len(), 1);
}

#[test]
fn a_time_that_is_none_puts_every_reading_into_quarantine() {
    let (processed, findings) = run(&envelope(TOPIC, r#"{"time":"yesterday","do":1,"cond":2}"#), false);
    assert_eq!(processed, Processed { outcome: Outcome::Quarantined, readings: 2, quarantined: 2 });
    let expected =
        [(Some("s1/do"), QuarantineReason::InvalidTime), (Some("s1/conductivity"), QuarantineReason::InvalidTime)];
    assert_eq!(reasons(&findings), expected);
}

#[test]
fn a_topic_without_route_is_unrouted_and_nothing_else() {
    let (processed, findings) = run(&envelope("elsewhere/s1", TIMED), false);
    assert_eq!(processed.outcome, Outcome::Unrouted);
    assert!(findings.observations.is_empty() && findings.quarantine.is_empty());
}

#[test]
fn a_retained_delivery_counts_only_with_device_time() {
    let retained = |payload| Envelope { retained: true, ..envelope(TOPIC, payload) };
    assert_eq!(run(&retained(r#"{"do":1}"#), false).0.outcome, Outcome::IgnoredRetained);
    assert_eq!(run(&retained(TIMED), false).0.outcome, Outcome::Decoded);
}

#[test]
fn a_repeated_delivery_without_device_time_is_dropped_only_if_spooled_before() {
    let repeated = |payload| Envelope { dup: true, ..envelope(TOPIC, payload) };
    assert_eq!(run(&repeated(r#"{"do":1}"#), true).0.outcome, Outcome::IgnoredDuplicate);
    assert_eq!(run(&repeated(r#"{"do":1}"#), false).0.outcome, Outcome::Decoded);
    assert_eq!(run(&repeated(TIMED), true).0.outcome, Outcome::Decoded);
    assert_eq!(run(&envelope(TOPIC, r#"{"do":1}"#), true).0.outcome, Outcome::Decoded);
}

#[test]
fn a_payload_without_any_mapped_value_says_what_was_looked_for() {
    let (processed, findings) = run(&envelope(TOPIC, r#"{"oxygen":1}"#), false);
    assert_eq!(processed.outcome, Outcome::Quarantined);
    assert_eq!(findings.quarantine[0].detail, "none of the mapped values is in the payload: /do, /cond");
}

#[test]
fn a_payload_above_the_limit_is_not_decoded() {
    let large = format!(r#"{{"do":1,"x":"{}"}}"#, "x".repeat(1024 * 1024));
    let (processed, findings) = run(&envelope(TOPIC, &large), false);
    assert_eq!(processed.outcome, Outcome::Quarantined);
    assert_eq!(findings.quarantine[0].reason, QuarantineReason::Undecodable);
}

#[test]
fn an_array_element_that_is_no_object_is_named_and_the_others_count() {
    let (processed, findings) = run(&envelope(TOPIC, r#"[{"do":1},7,{"do":2}]"#), false);
    assert_eq!(processed, Processed { outcome: Outcome::Decoded, readings: 2, quarantined: 0 });
    assert_eq!(reasons(&findings), [(Some("/1"), QuarantineReason::Undecodable)]);
}

#[test]
fn a_source_with_its_own_window_accepts_old_times() {
    let old = envelope(TOPIC, r#"{"time":"2016-02-25T06:13:20Z","do":6.3}"#);
    assert_eq!(run(&old, false).1.quarantine[0].reason, QuarantineReason::TooOld);
    let mut limits = limits();
    let wide = AcceptWindow { past_ms: 20 * 366 * 86_400_000, future_ms: 300_000 };
    limits.windows.insert(old.source.clone(), wide);
    let mut findings = Findings::default();
    let processed = Processor::new(limits, snapshot()).process(0, &old, |_| false, &mut findings);
    assert_eq!(processed.outcome, Outcome::Decoded);
    assert!(findings.observations[0].1.observed_at < ARRIVAL);
}

#[test]
fn a_new_snapshot_replaces_what_was_remembered() {
    let mut processor = Processor::new(limits(), snapshot());
    let message = envelope(TOPIC, TIMED);
    let mut findings = Findings::default();
    assert_eq!(processor.process(0, &message, |_| false, &mut findings).outcome, Outcome::Decoded);
    let emptied = Snapshot { revision: 4, routes: snapshot().routes.clone(), ..Snapshot::default() };
    processor.use_snapshot(&Arc::new(emptied));
    assert_eq!(processor.revision(), 4);
    let processed = processor.process(0, &message, |_| false, &mut findings);
    assert_eq!(processed, Processed { outcome: Outcome::Quarantined, readings: 2, quarantined: 2 });
}

/// The registry of `snapshot()` with these routes in place of its own.
fn routed(routes: Vec<Route>) -> Arc<Snapshot> {
    let mut changed = Snapshot::clone(&snapshot());
    changed.routes = routes;
    let station = station("s1");
    changed.stations.insert(station.id.clone(), station);
    Arc::new(changed)
}

fn run_on(routes: Vec<Route>, envelope: &Envelope) -> (Processed, Findings) {
    let mut findings = Findings::default();
    let processed = Processor::new(limits(), routed(routes)).process(0, envelope, |_| false, &mut findings);
    (processed, findings)
}

fn chirpstack(topic: &str, devices: &[(&str, &str)]) -> Route {
    let values = mapping(None, &[("/do", "do", "mg/L")]).values;
    let chirpstack = DeviceMapping { time: None, time_format: TimeFormat::Rfc3339, values };
    Route {
        devices: devices.iter().map(|(device, station)| ((*device).to_owned(), station.parse().unwrap())).collect(),
        ..route(topic, Format::Chirpstack { chirpstack })
    }
}

fn uplink(topic: &str, eui: &str) -> Envelope {
    let payload =
        format!(r#"{{"time":"2026-02-25T06:13:20Z","deviceInfo":{{"devEui":"{eui}"}},"object":{{"do":6.3}}}}"#);
    envelope(topic, &payload)
}

#[test]
fn a_device_is_found_by_its_id_in_topic_or_payload_in_capitals_or_not() {
    let devices = [("70B3D57ED0000001", "s1")];
    let in_topic = chirpstack("app/device/{device}/up", &devices);
    let in_payload = chirpstack("app/device/+/up", &devices);
    for (route, topic, eui) in [
        (&in_topic, "app/device/70b3d57ed0000001/up", "elsewhere"),
        (&in_payload, "app/device/x/up", "70b3d57ed0000001"),
        (&in_payload, "app/device/x/up", "70B3D57ED0000001"),
    ] {
        let (processed, findings) = run_on(vec![route.clone()], &uplink(topic, eui));
        assert_eq!(processed, Processed { outcome: Outcome::Decoded, readings: 1, quarantined: 0 }, "{topic} {eui}");
        let (_, observation) = &findings.observations[0];
        assert_eq!((observation.datastream.get(), observation.time_source), (1, TimeSource::Network));
    }
}

#[test]
fn a_device_nobody_knows_is_named_once() {
    let expected = Processed { outcome: Outcome::Quarantined, readings: 1, quarantined: 1 };
    let devices = [("aa", "s1")];
    for (route, topic) in [(chirpstack("d/{device}", &devices), "d/bb"), (chirpstack("d/+", &devices), "d/x")] {
        let (processed, findings) = run_on(vec![route], &uplink(topic, "bb"));
        assert_eq!(processed, expected);
        assert_eq!(reasons(&findings), [(None, QuarantineReason::UnknownDevice)]);
        let detail = "device 'bb' is not among the devices of route 'r': add it to the catalogue";
        assert_eq!(findings.quarantine[0].detail, detail);
    }
}

#[test]
fn without_a_table_of_devices_the_device_id_is_the_stations() {
    let (processed, _) = run_on(vec![chirpstack("d/{device}", &[])], &uplink("d/s1", "bb"));
    assert_eq!(processed.outcome, Outcome::Decoded);
    let named = r#"{"deviceInfo":{"devEui":"70b3d57ed0000001","deviceName":"s1"},"object":{"do":1}}"#;
    let (processed, _) = run_on(vec![chirpstack("d/+", &[])], &envelope("d/x", named));
    assert_eq!(processed.outcome, Outcome::Decoded, "the name is a station's where the EUI is none");
    let (_, findings) = run_on(vec![chirpstack("d/+", &[])], &uplink("d/x", "Sensor 1"));
    assert_eq!(
        findings.quarantine[0].detail,
        "'Sensor 1' is no registered station: name the station of this device in devices of route 'r'"
    );
    let (_, findings) = run_on(vec![chirpstack("d/+", &[])], &envelope("d/x", r#"{"object":{"do":1}}"#));
    let detail = "neither topic, route nor payload says which device or station it is from";
    assert_eq!(findings.quarantine[0].detail, detail);
}

#[test]
fn good_devices_of_one_payload_survive_an_unknown_neighbour() {
    let mut json = mapping(None, &[("/do", "do", "mg/L")]);
    json.station = Some("/id".to_owned());
    let routes = vec![route("d", Format::Json { json })];
    let payload = r#"[{"id":"s1","do":1},{"id":"??","do":2},{"id":"??","do":3},{"id":"s1","do":4}]"#;
    let (processed, findings) = run_on(routes, &envelope("d", payload));
    assert_eq!(processed, Processed { outcome: Outcome::Decoded, readings: 4, quarantined: 2 });
    assert_eq!((findings.observations.len(), findings.quarantine.len()), (2, 1));
}

#[test]
fn a_local_time_is_read_in_the_zone_of_the_route_then_of_the_source_then_of_western_indonesia() {
    let values = mapping(None, &[("/do", "do", "mg/L")]).values;
    let tasmota = route("tele/{station}/SENSOR", Format::Tasmota { tasmota: ValueMapping { values } });
    let mut in_jayapura = limits();
    in_jayapura.zones.insert(testing::source(), "Asia/Jayapura".to_owned());
    // 13:13:20 in Jakarta is the arrival; the same reading of the clock is two hours earlier in Jayapura.
    let message = envelope("tele/s1/SENSOR", r#"{"Time":"2026-02-25T13:13:20","do":6.3}"#);
    let eastern = Route { time_zone: Some("Asia/Jayapura".to_owned()), ..tasmota.clone() };
    let western = Route { time_zone: Some("Asia/Jakarta".to_owned()), ..tasmota.clone() };
    for (limits, route, hours) in [
        (limits(), &tasmota, 0),
        (limits(), &eastern, -2),
        (in_jayapura.clone(), &tasmota, -2),
        (in_jayapura, &western, 0),
    ] {
        let mut findings = Findings::default();
        let mut processor = Processor::new(limits, routed(vec![route.clone()]));
        processor.process(0, &message, |_| false, &mut findings);
        let (_, observation) = &findings.observations[0];
        assert_eq!(observation.observed_at, ARRIVAL.saturating_add(hours * 3_600_000));
        assert_eq!(observation.time_source, TimeSource::Device);
    }
}

fn status_route(topic: &str) -> Route {
    let texts = |text: &str| vec![text.to_owned()];
    route(
        topic,
        Format::Status { status: StatusMapping { path: None, online: texts("Online"), offline: texts("Offline") } },
    )
}

#[test]
fn an_availability_message_is_a_status_and_no_reading() {
    let online = envelope("tele/s1/LWT", "Online");
    let kept = Envelope { retained: true, ..envelope("tele/s1/LWT", "Offline") };
    for (message, is_online, retained) in [(online, true, false), (kept, false, true)] {
        let (processed, findings) = run_on(vec![status_route("tele/{station}/LWT")], &message);
        assert_eq!(processed, Processed { outcome: Outcome::Decoded, readings: 0, quarantined: 0 });
        let status = StationStatus { station: "s1".parse().unwrap(), online: is_online, retained, at: ARRIVAL };
        assert_eq!(findings.statuses, [status]);
        assert!(findings.quarantine.is_empty() && findings.observations.is_empty());
    }
}

#[test]
fn an_availability_message_of_nobody_or_without_meaning_goes_to_quarantine() {
    let (_, findings) = run_on(vec![status_route("tele/{station}/LWT")], &envelope("tele/s9/LWT", "Online"));
    assert_eq!(findings.quarantine[0].detail, "no station 's9' is registered");
    let (_, findings) = run_on(vec![status_route("tele/{station}/LWT")], &envelope("tele/s1/LWT", "offline"));
    assert_eq!(findings.quarantine[0].reason, QuarantineReason::Undecodable);
    assert!(findings.statuses.is_empty());
}

#[test]
fn a_retained_pack_with_relative_times_is_ignored_like_one_without() {
    let values = mapping(None, &[("do", "do", "mg/L")]).values;
    let senml = vec![route("m/{station}", Format::Senml { senml: ValueMapping { values } })];
    let payload = r#"[{"n":"do","v":5.1,"t":-60},{"n":"do","v":5.2}]"#;
    let (processed, findings) = run_on(senml.clone(), &envelope("m/s1", payload));
    assert_eq!(processed.readings, 2);
    assert_eq!(findings.observations[0].1.observed_at, ARRIVAL.saturating_add(-60_000));
    let kept = Envelope { retained: true, ..envelope("m/s1", payload) };
    assert_eq!(run_on(senml, &kept).0.outcome, Outcome::IgnoredRetained);
}

/// Works out uplinks one after the other, each of them durable before the next.
fn outcomes(processor: &mut Processor, envelopes: &[Envelope]) -> Vec<(Outcome, usize)> {
    let one = |envelope| {
        let mut findings = Findings::default();
        let processed = processor.process(0, envelope, |_| false, &mut findings);
        processor.keep();
        (processed.outcome, findings.observations.len() + findings.quarantine.len())
    };
    envelopes.iter().map(one).collect()
}

fn frame(eui: &str, counter: u64, second: u32, object: &str) -> Envelope {
    let payload = format!(
        r#"{{"time":"2026-02-25T06:13:{second:02}Z","deviceInfo":{{"devEui":"{eui}"}},"fCnt":{counter},"object":{object}}}"#
    );
    envelope("d/x", &payload)
}

#[test]
fn a_radio_frame_that_comes_through_two_gateways_is_taken_once() {
    let mut processor = Processor::new(limits(), routed(vec![chirpstack("d/+", &[("aa", "s1")])]));
    let frames = [
        frame("aa", 104, 10, r#"{"do":2.0,"x":1}"#),
        frame("AA", 104, 58, r#"{"x":1,"do":2.0}"#),
        frame("aa", 105, 59, r#"{"do":2.0}"#),
        frame("aa", 104, 59, r#"{"do":"broken"}"#),
        frame("aa", 104, 59, r#"{"do":2.5}"#),
    ];
    let decoded = (Outcome::Decoded, 1);
    let expected = [decoded, (Outcome::IgnoredDuplicate, 0), decoded, (Outcome::Quarantined, 1), decoded];
    assert_eq!(outcomes(&mut processor, &frames), expected);
}

#[test]
fn frames_are_told_apart_by_what_the_device_sent_and_by_session() {
    let values = mapping(None, &[("/do", "do", "mg/L")]).values;
    let tts = DeviceMapping { time: None, time_format: TimeFormat::Rfc3339, values };
    let route = Route { station: Some("s1".parse().unwrap()), ..route("v3/up", Format::Tts { tts }) };
    let uplink = |session: &str, counter: &str, data: &str, value: f64| {
        let payload = format!(
            r#"{{"end_device_ids":{{"device_id":"x"}},"received_at":"2026-02-25T06:13:20Z","uplink_message":{{{session}{counter}"frm_payload":"{data}","decoded_payload":{{"do":{value}}}}}}}"#
        );
        envelope("v3/up", &payload)
    };
    let (one, two) = (r#""session_key_id":"AY","#, r#""session_key_id":"AZ","#);
    let frames = [
        uplink(one, r#""f_cnt":7,"#, "AA", 5.0),
        uplink(one, r#""f_cnt":7,"#, "AA", 5.1),
        uplink(one, r#""f_cnt":7,"#, "AB", 5.0),
        uplink(two, r#""f_cnt":7,"#, "AA", 5.0),
        // The Things Stack leaves out a counter of 0.
        uplink(two, "", "AA", 5.0),
        uplink(two, r#""f_cnt":0,"#, "AA", 5.0),
        uplink("", "", "AA", 5.0),
        uplink("", "", "AA", 5.0),
    ];
    let taken: Vec<_> = outcomes(&mut Processor::new(limits(), routed(vec![route])), &frames)
        .into_iter()
        .map(|(outcome, _)| outcome == Outcome::Decoded)
        .collect();
    assert_eq!(taken, [true, false, true, true, true, false, true, true]);
}

#[test]
fn a_frame_that_gave_no_reading_or_was_not_made_durable_is_taken_when_it_comes_again() {
    let unknown = routed(vec![chirpstack("d/+", &[("bb", "s1")])]);
    let known = routed(vec![chirpstack("d/+", &[("aa", "s1")])]);
    let message = frame("aa", 104, 10, r#"{"do":2.0}"#);
    let mut processor = Processor::new(limits(), unknown);
    assert_eq!(outcomes(&mut processor, std::slice::from_ref(&message)), [(Outcome::Quarantined, 1)]);
    processor.use_snapshot(&known);
    let mut findings = Findings::default();
    for _ in 0..2 {
        assert_eq!(processor.process(0, &message, |_| false, &mut findings).outcome, Outcome::Decoded);
        processor.undo();
    }
    let once = [(Outcome::Decoded, 1), (Outcome::IgnoredDuplicate, 0)];
    assert_eq!(outcomes(&mut processor, &[message.clone(), message.clone()]), once);
    processor.use_snapshot(&routed(vec![chirpstack("d/+", &[("aa", "s1"), ("cc", "s1")])]));
    assert_eq!(outcomes(&mut processor, &[message]), [(Outcome::IgnoredDuplicate, 0)]);
}

#[test]
fn after_a_restart_only_frames_that_were_taken_are_recalled() {
    let snapshot = routed(vec![chirpstack("d/+", &[("aa", "s1")])]);
    let (taken, refused) = (frame("aa", 7, 10, r#"{"do":2.0}"#), frame("aa", 8, 20, r#"{"do":2.0}"#));
    let mut processor = Processor::new(limits(), snapshot);
    assert!(processor.has_frames());
    let observed_at = UtcMillis::parse("2026-02-25T06:13:10Z").unwrap();
    processor.recall([&taken, &refused].into_iter(), |observation| observation.observed_at == observed_at);
    let expected = [(Outcome::IgnoredDuplicate, 0), (Outcome::Decoded, 1)];
    assert_eq!(outcomes(&mut processor, &[taken, refused]), expected);
}

#[test]
fn a_message_with_thousands_of_bad_readings_is_counted_whole_and_listed_in_part() {
    let bad = vec![r#"{"do":"x","cond":1}"#; 3_000].join(",");
    let (processed, findings) = run(&envelope(TOPIC, &format!("[{bad}]")), false);
    assert_eq!(processed, Processed { outcome: Outcome::Decoded, readings: 6_000, quarantined: 3_000 });
    assert_eq!((findings.observations.len(), findings.quarantine.len()), (3_000, message::MAX_ROWS + 1));
    let last = findings.quarantine.last().unwrap();
    assert_eq!(last.detail, "2000 more of this message could not be used; they are not listed");
    assert_eq!((last.reading.as_deref(), last.reason), (None, QuarantineReason::NotANumber));
}

#[test]
fn what_a_route_and_a_source_say_of_values_holds_for_each_of_theirs() {
    let code = |text: &str| bakau_model::DeclaredCode::Word(text.to_owned());
    let snapshot = snapshot();
    let route = Route { missing: vec![code("-9999")], decimal_comma: true, ..snapshot.routes[0].clone() };
    let mut of_source = limits();
    of_source.missing.insert(testing::source(), bakau_model::Missing::of([code("rusak")].iter()));
    for (payload, expected) in
        [(r#"{"do":"-9999,0","cond":"4,5"}"#, [None, Some(4_500.0)]), (r#"{"do":-9999,"cond":"RUSAK"}"#, [None, None])]
    {
        let mut findings = Findings::default();
        let mut processor = Processor::new(of_source.clone(), routed(vec![route.clone()]));
        processor.process(0, &envelope(TOPIC, payload), |_| false, &mut findings);
        let values: Vec<_> = findings.observations.iter().map(|(_, observation)| observation.value).collect();
        assert_eq!(values, expected, "{payload}");
        assert!(findings.quarantine.is_empty(), "{payload}");
    }
}
