//! The form of every JSON answer.

mod operation;

use bakau_alerts::AlertKind;
use bakau_answers::{Readiness, SourceList, Status};
use bakau_model::{Flag, Level, QualityTest, Reason, StationKind};
use serde_json::{Map, Value, json};

use utoipa::ToSchema;

use super::schema::{about, boolean, count, extended, list, map, named, nullable, number, object, text, time, words};

/// Every schema by its name.
pub(super) fn all() -> Map<String, Value> {
    let groups = [shared(), registered(), measured(), alarms(), operation::operation()];
    let by_hand = groups.into_iter().flatten().map(|(name, schema)| (name.to_owned(), schema));
    let mut all: Map<String, Value> =
        derived::<Status>().chain(derived::<SourceList>()).chain(derived::<Readiness>()).collect();
    all.extend(by_hand);
    all
}

/// The schema of a type of answers, and those of the types in it.
fn derived<T: ToSchema>() -> impl Iterator<Item = (String, Value)> {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    // A schema is plain data: writing it cannot fail.
    schemas.into_iter().map(|(name, schema)| (name, serde_json::to_value(schema).unwrap_or_default()))
}

type Named = Vec<(&'static str, Value)>;

fn level() -> Value {
    words(&Level::ALL.map(Level::key))
}

fn flag() -> Value {
    let codes = Flag::ALL.map(Flag::code);
    about(json!({ "type": "integer", "enum": codes }), "QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing")
}

fn tests() -> Value {
    list(&words(&QualityTest::ALL.map(QualityTest::key)))
}

fn reasons() -> Value {
    about(list(&words(&Reason::ALL.map(Reason::key))), "why a suspect or failed value is doubted")
}

/// That the clock of a device is ahead.
fn clock<const N: usize>(place: [(&'static str, Value); N]) -> Value {
    let clock = object([
        ("ahead_s", about(count(), "by how many seconds, as the newest reading says")),
        ("since", about(time(), "when the first of these readings was received")),
        ("refused", about(boolean(), "whether it is so far ahead that every reading is refused")),
    ]);
    extended(clock, place)
}

fn local() -> Value {
    about(time(), "the same instant with the offset of the zone")
}

fn next() -> Value {
    about(nullable(text()), "address of the next page, also in the Link header; null on the last one")
}

fn shared() -> Named {
    let problem = object([
        ("type", about(text(), "/problems/{key}; the key never changes its meaning")),
        ("title", text()),
        ("status", count()),
        ("detail", about(text(), "what happened and what to do, in the reader's language")),
        ("instance", text()),
        ("?parameter", text()),
        ("?given", text()),
        ("?allowed", text()),
        ("?field", text()),
    ]);
    vec![
        ("Text", about(object([("id", text()), ("en", text())]), "a text in Bahasa Indonesia and in English")),
        ("Problem", about(problem, "RFC 9457; further members belong to the type")),
        ("ProblemType", object([("type", text()), ("status", count()), ("title", named("Text"))])),
        ("Range", object([("min", number()), ("max", number())])),
        ("Step", object([("suspect", nullable(number())), ("fail", nullable(number()))])),
        (
            "FlatLine",
            object([("tolerance", number()), ("suspect_s", nullable(count())), ("fail_s", nullable(count()))]),
        ),
    ]
}

fn station(datastreams: Value) -> Value {
    let place = object([("id", text()), ("name", nullable(named("Text")))]);
    object([
        ("id", text()),
        ("name", named("Text")),
        ("kind", words(&StationKind::ALL.map(StationKind::key))),
        ("agency", place),
        (
            "city",
            nullable(object([
                ("id", text()),
                ("name", named("Text")),
                ("code", about(text(), "kode wilayah Kemendagri")),
            ])),
        ),
        ("latitude", about(number(), "degrees north, WGS 84")),
        ("longitude", about(number(), "degrees east, WGS 84")),
        ("elevation_m", about(nullable(number()), "metres above mean sea level")),
        ("description", nullable(named("Text"))),
        (
            "water_class",
            nullable(about(
                object([("class", count()), ("source", named("Text"))]),
                "river or lake class 1 to 4 (PP 22/2021, Lampiran VI) and what assigns it",
            )),
        ),
        ("air_type", about(nullable(words(&["reference", "lcs"])), "low-cost sensors (lcs) are indicative")),
        ("time_zone", about(text(), "IANA zone in which days of this station are civil")),
        ("datastreams", datastreams),
    ])
}

fn datastream() -> Value {
    let limits = object([
        ("fail", nullable(named("Range"))),
        ("suspect", nullable(named("Range"))),
        ("spike", nullable(named("Step"))),
        ("rate_per_min", nullable(named("Step"))),
        ("flat_line", nullable(named("FlatLine"))),
    ]);
    object([
        ("id", about(text(), "station/parameter or station/parameter@qualifier")),
        ("number", about(count(), "the immutable number it is stored under")),
        ("station", text()),
        ("parameter", text()),
        ("qualifier", nullable(text())),
        ("name", nullable(named("Text"))),
        ("cf_name", about(nullable(text()), "CF standard name")),
        ("unit", about(text(), "UCUM")),
        ("unit_symbol", text()),
        ("decimals", nullable(count())),
        ("interval_s", about(count(), "expected seconds between observations")),
        ("vertical_datum", about(nullable(text()), "levels of different datums are never compared")),
        (
            "counter",
            about(boolean(), "whether values are readings of a counter; sums, charts and rules use its increments"),
        ),
        (
            "counter_max",
            about(nullable(number()), "the reading at which the counter begins again at 0, where it is known"),
        ),
        (
            "limits",
            about(limits, "limits of quality control, in the unit of the datastream; of a counter for increments"),
        ),
    ])
}

fn registered() -> Named {
    let latest = object([
        ("observed_at", time()),
        ("observed_at_local", local()),
        ("value", nullable(number())),
        ("?increment", increment()),
        ("flag", flag()),
        ("reasons", reasons()),
        ("level", level()),
        ("stale", boolean()),
    ]);
    let detail = extended(datastream(), [("rules", list(&text())), ("latest", nullable(latest))]);
    let deployment = object([
        ("datastream", text()),
        ("instrument", text()),
        ("from", time()),
        ("to", about(nullable(time()), "null while it is deployed")),
        ("gain", number()),
        ("offset", number()),
        ("current", boolean()),
    ]);
    let status = object([
        ("state", words(&["live", "stale", "offline", "never_reported"])),
        ("observed_at", nullable(time())),
        ("observed_at_local", nullable(local())),
        ("silent_after_s", count()),
    ]);
    let instrument = object([("id", text()), ("make", text()), ("model", text()), ("serial", text())]);
    let detailed = extended(
        station(list(&named("DatastreamDetail"))),
        [
            ("level", about(nullable(level()), "worst level of an active alert; null without current data")),
            ("status", status),
            (
                "clock",
                about(
                    nullable(clock([("since_local", local())])),
                    "a device clock that is ahead of ours; its values wait for their time",
                ),
            ),
            ("instruments", list(&instrument)),
            (
                "deployments",
                about(list(&deployment), "gain and offset are recorded, not applied: values are the instrument's"),
            ),
        ],
    );
    vec![
        ("Station", station(list(&text()))),
        ("StationList", object([("revision", count()), ("stations", list(&named("Station")))])),
        ("Datastream", datastream()),
        ("DatastreamList", object([("revision", count()), ("datastreams", list(&named("Datastream")))])),
        ("DatastreamDetail", detail),
        ("StationDetail", detailed),
    ]
}

/// What was counted, of a counter alone.
fn increment() -> Value {
    about(
        nullable(number()),
        "of a counter, whose value is the reading: what was counted since the reading before; null where that is not known",
    )
}

fn measured() -> Named {
    let source = || about(words(&["device", "network", "server"]), "who stamped observed_at");
    let latest = object([
        ("datastream", text()),
        ("station", text()),
        ("parameter", text()),
        ("unit", text()),
        ("observed_at", time()),
        ("observed_at_local", local()),
        ("value", nullable(number())),
        ("?increment", increment()),
        ("flag", flag()),
        (
            "tests",
            about(text(), "one flag per test, in the order of the list's member tests; spike waits for the next"),
        ),
        ("?reasons", reasons()),
        ("time_source", source()),
        ("received_at", time()),
    ]);
    let observation = object([
        ("observed_at", time()),
        ("?observed_at_local", local()),
        ("value", about(nullable(number()), "instrument value in the canonical unit, before calibration")),
        ("?increment", increment()),
        ("flag", flag()),
        ("tests", about(text(), "one flag per test, in the order of the page's member tests")),
        ("?reasons", reasons()),
        ("time_source", source()),
        ("received_at", time()),
        ("revision", about(count(), "1, and one more with each correction")),
    ]);
    let page = object([
        ("datastream", text()),
        ("unit", text()),
        ("time_zone", text()),
        ("tests", tests()),
        ("observations", list(&named("Observation"))),
        ("next", next()),
    ]);
    vec![
        ("LatestValue", latest),
        (
            "LatestList",
            object([
                ("tests", tests()),
                ("latest", list(&named("LatestValue"))),
                ("clocks_ahead", list(&clock([("station", text())]))),
            ]),
        ),
        ("Observation", observation),
        ("ObservationPage", page),
        ("Aggregates", aggregates()),
    ]
}

fn aggregates() -> Value {
    let bucket = object([
        ("start", time()),
        ("start_local", local()),
        ("end", about(time(), "exclusive")),
        (
            "mean",
            about(nullable(number()), "vector mean of directions, energy mean of sound levels; null of a counter"),
        ),
        ("sum", about(nullable(number()), "of amounts such as rain, of a counter of its increments")),
        ("min", nullable(number())),
        ("max", nullable(number())),
        ("count", count()),
        ("expected", about(count(), "observations at the expected interval")),
        (
            "completeness",
            about(nullable(number()), "share of the expected intervals that usable values stand for; at most 1"),
        ),
    ]);
    object([
        ("datastream", text()),
        ("unit", text()),
        ("step", text()),
        ("tz", text()),
        ("label", words(&["start"])),
        ("statistic", text()),
        ("interval_s", count()),
        ("flags", words(&["usable", "good"])),
        ("buckets", list(&bucket)),
    ])
}

fn at_latest() -> Value {
    about(boolean(), "whether it may have begun before onset: no good value that is no crossing was seen before")
}

fn alert() -> Value {
    object([
        ("id", text()),
        ("rule", text()),
        ("rule_name", named("Text")),
        ("kind", words(&AlertKind::ALL.map(AlertKind::key))),
        ("agency", nullable(text())),
        ("station", about(nullable(text()), "null where it is about a source")),
        ("datastream", about(nullable(text()), "null where it is about a whole station or a source")),
        ("source", nullable(text())),
        ("unit", nullable(text())),
        ("level", about(level(), "normal once it is closed")),
        ("peak", level()),
        ("time_zone", text()),
        ("onset", about(time(), "observed_at of the first observation of the crossing")),
        ("onset_local", local()),
        ("onset_at_latest", at_latest()),
        ("observed_at", about(time(), "of the last transition")),
        ("observed_at_local", local()),
        ("value", about(nullable(number()), "that made the last transition")),
        ("flag", nullable(flag())),
        (
            "worst",
            about(nullable(number()), "worst value of the episode up to the last transition: of all of it once closed"),
        ),
        ("worst_at", about(nullable(time()), "observed_at of the first observation with it")),
        ("worst_at_local", nullable(local())),
        ("opened_at", time()),
        ("decided_at", about(time(), "when the last transition was decided")),
        ("closed_at", nullable(time())),
        ("closed_at_local", nullable(local())),
        ("closed_reason", nullable(text())),
        (
            "unconfirmed_since",
            about(
                nullable(time()),
                "since when it cannot be confirmed: suspect values speak against it, they never end it",
            ),
        ),
        ("acknowledged", about(boolean(), "at the level that it has now, or at a higher one")),
        ("acknowledged_level", about(nullable(level()), "up to which it was acknowledged")),
        ("acknowledged_at", nullable(time())),
        ("?acknowledged_by", about(text(), "with the admin token only")),
        ("?note", about(nullable(text()), "with the admin token only")),
    ])
}

fn alarms() -> Named {
    let transition = object([
        ("sequence", count()),
        ("from", level()),
        ("to", level()),
        ("reason", text()),
        ("observed_at", time()),
        ("value", nullable(number())),
        ("flag", nullable(flag())),
        ("decided_at", time()),
        ("rule_revision", count()),
        ("muted_until", nullable(time())),
    ]);
    let episode = object([
        ("id", text()),
        ("rule", text()),
        ("datastream", nullable(text())),
        ("onset", time()),
        ("onset_at_latest", at_latest()),
        ("peak", level()),
        ("end", nullable(time())),
        ("peak_value", nullable(number())),
        ("observations", count()),
    ]);
    let taken = object([
        ("level", about(level(), "up to which it holds")),
        ("at", time()),
        ("?by", about(text(), "with the admin token only")),
        ("?note", about(nullable(text()), "with the admin token only")),
    ]);
    let detail = extended(
        alert(),
        [
            ("transitions", list(&transition)),
            ("acknowledgements", about(list(&taken), "one per level, oldest first")),
            ("?notices", about(list(&json!({ "type": "object" })), "with the admin token only")),
        ],
    );
    let until = "observations measured before this are in it, later ones not yet; one that still comes changes it";
    let settled = object([
        ("from", time()),
        ("to", time()),
        ("settled_until", about(time(), until)),
        ("episodes", list(&named("Episode"))),
    ]);
    let acknowledgement = object([
        ("name", about(text(), "who takes care of it, 1 to 80 characters")),
        ("?level", about(nullable(level()), "the level that was seen; without it that of the moment")),
        ("?note", about(nullable(text()), "at most 1000 characters")),
    ]);
    vec![
        ("Alert", alert()),
        ("AlertList", object([("alerts", list(&named("Alert"))), ("next", next())])),
        ("AlertDetail", detail),
        ("Episode", episode),
        ("SettledHistory", settled),
        ("Acknowledgement", acknowledgement),
        ("Rule", rule()),
        ("RuleList", object([("revision", count()), ("rules", list(&named("Rule")))])),
        ("RuleDetail", extended(rule(), [("datastreams", list(&text())), ("stations", list(&text()))])),
    ]
}

fn rule() -> Value {
    let threshold = || {
        nullable(object([
            ("raise", about(number(), "at or beyond it the level holds")),
            ("clear", about(number(), "back behind it the level ends")),
        ]))
    };
    let condition = object([
        ("low", threshold()),
        ("high", threshold()),
        ("after_s", about(nullable(count()), "seconds of silence")),
    ]);
    let target = object([
        ("datastream", nullable(text())),
        ("parameter", nullable(text())),
        ("station_kind", nullable(text())),
        ("station", nullable(text())),
        ("source", nullable(text())),
    ]);
    object([
        ("id", text()),
        ("name", named("Text")),
        ("kind", words(&AlertKind::ALL.map(AlertKind::key))),
        ("target", about(target, "what it watches; what does not apply is null")),
        ("direction", nullable(words(&["above", "below", "outside"]))),
        ("unit", nullable(text())),
        ("levels", about(map(&condition), "by level: waspada, siaga, awas, as far as they are set")),
        ("hold_s", about(count(), "seconds a level must be crossed without a break")),
        ("repeat_s", nullable(count())),
        ("source", about(named("Text"), "where the figures come from and how sure they are")),
        ("level", about(level(), "worst level of its open alerts")),
        ("open_alerts", list(&text())),
    ])
}
