//! What devices write instead of a number: codes and words for "no value", half numbers, stray bytes. One bad reading
//! costs one reading, and nothing is invented.

use anyhow::Result;
use bakau_tests::{bakau::Bakau, catalogue, checker, kill::wait_settled};
use serde_json::Value;

/// 1 June 2025, 10:30:00 UTC, as devices send it: old for whoever runs this, so the source accepts old times.
const START_S: i64 = 1_748_773_800;

const PARAMETERS: [&str; 8] =
    ["do", "ph", "water_temperature", "conductivity", "turbidity", "water_level", "flow", "rain"];

/// Nothing is declared.
const PLAIN: [&str; 7] = [
    r#"path = "/do", parameter = "do", unit = "mg/L""#,
    r#"path = "/ph", parameter = "ph", unit = "[pH]""#,
    r#"path = "/t", parameter = "water_temperature", unit = "Cel""#,
    r#"path = "/ec", parameter = "conductivity", unit = "uS/cm""#,
    r#"path = "/turb", parameter = "turbidity", unit = "[NTU]""#,
    r#"path = "/water_level", parameter = "water_level", unit = "cm""#,
    r#"path = "/flow", parameter = "flow", unit = "L/s""#,
];

/// Values declare their own codes for no value, beside those of the route.
const CODES: [&str; 6] = [
    r#"path = "/do", parameter = "do", unit = "mg/L", missing = ["---"]"#,
    r#"path = "/ph", parameter = "ph", unit = "[pH]""#,
    r#"path = "/t", parameter = "water_temperature", unit = "Cel", missing = [""]"#,
    r#"path = "/ec", parameter = "conductivity", unit = "mS/cm""#,
    r#"path = "/water_level", parameter = "water_level", unit = "cm", missing = [-9999]"#,
    r#"path = "/flow", parameter = "flow", unit = "L/s", missing = [-9999]"#,
];

/// A value declares the unit that stands behind its numbers.
const TEXTS: [&str; 5] = [
    r#"path = "/do", parameter = "do", unit = "mg/L""#,
    r#"path = "/ph", parameter = "ph", unit = "[pH]""#,
    r#"path = "/t", parameter = "water_temperature", unit = "Cel""#,
    r#"path = "/ec", parameter = "conductivity", unit = "uS/cm""#,
    r#"path = "/turb", parameter = "turbidity", unit = "[NTU]", unit_texts = ["NTU"]"#,
];

/// Devices that come through a network server.
const FRAMES: &str = r#"
[[route]]
id = "chirpstack"
topic = "application/+/device/+/event/up"
format = "chirpstack"
devices = { "0e6e3171decd91c8" = "uji-air" }
chirpstack = { values = [{ path = "/rain_mm", parameter = "rain", unit = "mm" }] }

[[route]]
id = "tts"
topic = "v3/+/devices/+/up"
format = "tts"
devices = { "sonde-1" = "uji-air" }
tts = { values = [{ path = "/do", parameter = "do", unit = "mg/L" }] }
"#;

struct Line {
    bakau: Bakau,
    readings: u64,
}

impl Line {
    async fn start(folder: &std::path::Path) -> Result<Self> {
        Self::with(folder, "").await
    }

    async fn with(folder: &std::path::Path, more: &str) -> Result<Self> {
        let stream = |parameter: &&str| {
            let datum = if *parameter == "water_level" { "vertical_datum = \"MSL\"\n" } else { "" };
            catalogue::datastream(&format!("uji-air/{parameter}"), 300) + datum
        };
        let streams: String = PARAMETERS.iter().map(stream).collect();
        let route =
            |id: &str, values: &[&str]| catalogue::json_route(id, &format!("{id}/{{station}}"), "epoch_s", values);
        let routes = route("plain", &PLAIN)
            + &(route("codes", &CODES) + "missing = [\"NAN\", \"N/A\"]\n")
            + &(route("texts", &TEXTS) + "decimal_comma = true\n");
        let text = catalogue::place("uji-air", "Uji air", "water") + &streams + &routes + FRAMES + more;
        let broker = "accept_past_days = 36500\nmissing = [\"unavailable\"]\n";
        Ok(Self { bakau: Bakau::open(folder, &text, broker).await?, readings: 0 })
    }

    /// Publishes messages, each on the next five minutes where it has `TIME`, and waits until the store has so many
    /// readings of them.
    async fn send(&mut self, topic: &str, payloads: &[&[u8]], readings: u64) -> Result<()> {
        for (number, payload) in payloads.iter().enumerate() {
            let time = (START_S + 300 * number as i64).to_string();
            let payload = replaced(payload, b"TIME", time.as_bytes());
            self.bakau.put(topic, &payload).await?;
        }
        self.readings += readings;
        wait_settled(&self.bakau, self.readings).await?;
        Ok(())
    }

    /// Values and flags of a datastream, by measured time.
    async fn values(&self, parameter: &str) -> Result<Vec<(Option<f64>, u64)>> {
        let rows =
            self.bakau.observations(&format!("datastream=uji-air/{parameter}&from=2025-01-01T00:00:00Z")).await?;
        Ok(rows.iter().map(|row| (row["value"].as_f64(), row["flag"].as_u64().unwrap_or(0))).collect())
    }

    async fn numbers(&self, parameter: &str) -> Result<Vec<Option<f64>>> {
        Ok(self.values(parameter).await?.into_iter().map(|(value, _)| value).collect())
    }

    /// Reading and detail of every row of the quarantine list, oldest first.
    async fn quarantine(&self) -> Result<Vec<(String, String)>> {
        let rows = self.bakau.listed("/api/v1/quarantine?limit=100", "quarantine").await?;
        let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let mut rows: Vec<_> = rows.iter().map(|row| (text(row, "reading"), text(row, "detail"))).collect();
        rows.reverse();
        Ok(rows)
    }

    async fn stop(mut self) -> Result<()> {
        checker::check_ledger(&self.bakau.json("/api/v1/ledger").await?)?;
        self.bakau.stop()
    }
}

fn replaced(payload: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    match payload.windows(what.len()).position(|window| window == what) {
        Some(at) => [&payload[..at], with, &payload[at + what.len()..]].concat(),
        None => payload.to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_nan_costs_its_own_reading_and_stray_bytes_cost_none() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut line = Line::start(folder.path()).await?;
    let deep = format!(r#"{{"trace":{}1{},"time":TIME,"t":28.3}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let payloads: [&[u8]; 6] = [
        br#"{"time":TIME,"do":nan,"ph":7.31,"t":28.4}"#,
        br#"{"time":TIME,"do":NaN,"ph":7.32,"t":28.5}"#,
        br#"{"time":TIME,"do":-inf,"ph":7.35,"t":28.8}"#,
        b"{\"time\":TIME,\"t\":28.1,\"unit\":\"\xb0C\"}",
        b"\xef\xbb\xbf{\"time\":TIME,\"t\":28.2,\"unit\":\"Cel\",}\r\n\0\0",
        deep.as_bytes(),
    ];
    line.send("plain/uji-air", &payloads, 11).await?;
    assert_eq!(line.numbers("ph").await?, [7.31, 7.32, 7.35].map(Some));
    assert_eq!(line.numbers("water_temperature").await?, [28.4, 28.5, 28.8, 28.1, 28.2, 28.3].map(Some));
    assert_eq!(line.values("do").await?, [(None, 9), (None, 9)]);
    let expected = ("uji-air/do".to_owned(), "\"-inf\" is no finite number".to_owned());
    assert_eq!(line.quarantine().await?, [expected]);
    line.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_says_nothing_is_the_arrival_and_one_in_another_unit_is_told_with_its_setting() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut line = Line::start(folder.path()).await?;
    let payloads: [&[u8]; 5] = [
        b"{\"time\":\" TIME\0\",\"ph\":7.31}",
        br#"{"time":nan,"ph":7.32}"#,
        br#"{"time":"","ph":7.33}"#,
        br#"{"time":"null","ph":7.34}"#,
        br#"{"time":TIME000,"ph":7.35,"t":28.4}"#,
    ];
    line.send("plain/uji-air", &payloads, 4).await?;
    assert_eq!(line.numbers("ph").await?, [7.31, 7.32, 7.33, 7.34].map(Some));
    let quarantine = line.quarantine().await?;
    let told = "1748775000000 seconds since 1970 lie outside the years -9999 to 9999; it looks like milliseconds \
                (2025-06-01T10:50:00Z): time_format = \"epoch_ms\" reads them";
    assert!(!quarantine.is_empty() && quarantine.iter().all(|(_, detail)| detail == told), "{quarantine:?}");
    line.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_and_words_of_value_route_and_source_are_missing_values_and_nothing_in_quarantine() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut line = Line::start(folder.path()).await?;
    let levels: [&[u8]; 4] = [
        br#"{"time":TIME,"water_level":120,"flow":500}"#,
        br#"{"time":TIME,"water_level":-9999,"flow":"-9999.00"}"#,
        br#"{"time":TIME,"water_level":-9.999e3,"flow":-9999}"#,
        br#"{"time":TIME,"water_level":121,"flow":500}"#,
    ];
    line.send("codes/uji-air", &levels, 8).await?;
    let missing = (None, 9);
    let level = line.values("water_level").await?;
    assert_eq!([level[1], level[2]], [missing, missing]);
    assert_eq!([level[0].0, level[3].0], [Some(1.2), Some(1.21)]);
    let flow = line.values("flow").await?;
    assert_eq!([flow[1], flow[2]], [missing, missing]);
    assert_eq!([flow[0].0, flow[3].0], [Some(0.5), Some(0.5)]);
    let words: [&[u8]; 2] = [
        br#"{"time":TIME,"do":"---","ph":"N/A","t":"","ec":"unavailable"}"#,
        br#"{"time":TIME,"do":"NAN","ph":"nan"}"#,
    ];
    line.send("codes/uji-air", &words, 6).await?;
    assert_eq!(line.values("do").await?, [missing, missing]);
    assert_eq!(line.values("ph").await?, [missing, missing]);
    assert_eq!(line.values("water_temperature").await?, [missing]);
    assert_eq!(line.values("conductivity").await?, [missing]);
    assert_eq!(line.quarantine().await?, []);
    line.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_in_texts_are_read_as_declared_and_otherwise_told_which_key_is_missing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut line = Line::start(folder.path()).await?;
    let payloads: [&[u8]; 3] = [
        br#"{"time":TIME,"do":"5,12","ph":"7,3","t":"28,4"}"#,
        br#"{"time":TIME,"do":"05.12","ph":"+7.3","t":".5","ec":" 512 "}"#,
        br#"{"time":TIME,"turb":"12.1 NTU"}"#,
    ];
    line.send("texts/uji-air", &payloads, 8).await?;
    assert_eq!(line.numbers("do").await?, [Some(5.12), Some(5.12)]);
    assert_eq!(line.numbers("ph").await?, [Some(7.3), Some(7.3)]);
    assert_eq!(line.numbers("water_temperature").await?, [Some(28.4), Some(0.5)]);
    assert_eq!(line.numbers("conductivity").await?, [Some(512.0)]);
    assert_eq!(line.numbers("turbidity").await?, [Some(12.1)]);
    assert_eq!(line.quarantine().await?, []);

    let undeclared: [&[u8]; 2] = [
        br#"{"time":1748860200,"do":"5,12","ph":7.4,"t":"1.234,5"}"#,
        br#"{"time":1748860500,"turb":"12.1 NTU","do":"---","ph":7.5}"#,
    ];
    line.send("plain/uji-air", &undeclared, 2).await?;
    assert_eq!(line.numbers("ph").await?, [7.3, 7.3, 7.4, 7.5].map(Some));
    assert_eq!(line.numbers("do").await?.len(), 2, "no number is made of what is not declared");
    let rows = line.quarantine().await?;
    let told = ["decimal_comma = true", "thousands grouped", "unit_texts of this value", "missing of this value"];
    let readings: Vec<_> = rows.iter().map(|(reading, _)| reading.as_str()).collect();
    assert_eq!(readings, ["uji-air/do", "uji-air/water_temperature", "uji-air/do", "uji-air/turbidity"]);
    for key in told {
        assert!(rows.iter().any(|(_, detail)| detail.contains(key)), "{key} is not told in {rows:?}");
    }
    line.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_radio_frame_is_taken_once_however_often_it_comes_and_whoever_was_killed_meanwhile() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut line = Line::start(folder.path()).await?;
    let rain = |id: &str, time: &str, counter: u32, value: f64| {
        format!(
            r#"{{"deduplicationId": "{id}", "time": "2025-06-01T{time}+00:00", "deviceInfo": {{"devEui": "0e6e3171decd91c8"}}, "fCnt": {counter}, "object": {{"rain_mm": {value:.1}}}}}"#
        )
    };
    let oxygen = |time: &str, counter: u32| {
        format!(
            r#"{{"end_device_ids":{{"device_id":"sonde-1"}},"uplink_message":{{"session_key_id":"AY","f_cnt":{counter},"frm_payload":"AQ==","decoded_payload":{{"do":5.1}},"received_at":"2025-06-01T{time}Z"}}}}"#
        )
    };
    let (application, stack) = ("application/1/device/x/event/up", "v3/env@ttn/devices/sonde-1/up");
    let first = [rain("aa", "10:30:00.104", 104, 2.0), rain("bb", "10:30:48.900", 104, 2.0)];
    line.send(application, &[first[0].as_bytes(), first[1].as_bytes()], 1).await?;
    line.send(stack, &[oxygen("10:30:00", 17).as_bytes(), oxygen("10:30:03", 17).as_bytes()], 1).await?;

    line.bakau.kill()?;
    line.bakau.start().await?;
    let late = rain("cc", "10:41:00.000", 104, 2.0);
    let next = rain("dd", "10:45:00.000", 105, 2.0);
    // The device begins anew: a frame of the same number and the same reading is another one, as is one of another reading.
    let anew = [
        rain("ee", "11:00:00.000", 0, 0.0),
        rain("ff", "11:15:00.000", 104, 0.4),
        rain("gg", "12:00:00.000", 105, 2.0),
    ];
    line.send(application, &[&late, &next, &anew[0], &anew[1], &anew[2]].map(|text| text.as_bytes()), 4).await?;
    line.send(stack, &[oxygen("10:30:05", 17).as_bytes(), oxygen("10:45:00", 18).as_bytes()], 1).await?;

    assert_eq!(line.numbers("rain").await?, [2.0, 2.0, 0.0, 0.4, 2.0].map(Some));
    assert_eq!(line.numbers("do").await?, [5.1, 5.1].map(Some));
    let rows = line.bakau.observations("datastream=uji-air/rain&from=2025-01-01T00:00:00Z").await?;
    assert_eq!(rows[0]["observed_at"], "2025-06-01T10:30:00.104Z", "the first copy is the one that counts");
    let ledger = line.bakau.json("/api/v1/ledger").await?;
    assert_eq!(ledger["messages"]["ignored_duplicate"], 4, "{ledger}");
    assert_eq!(line.quarantine().await?, []);
    line.stop().await
}

/// A message of 690 kB: so many objects, each with twenty values at its own second.
fn history(objects: usize) -> Vec<u8> {
    let object = |number: usize| {
        let values: String =
            (0..20).map(|value| format!(",\"{}\":{}", char::from(b'a' + value), number % 10)).collect();
        format!("{{\"time\":{}{values}}}", START_S + number as i64)
    };
    format!("[{}]", (0..objects).map(object).collect::<Vec<_>>().join(",")).into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_hundred_thousand_readings_is_stored_and_a_larger_one_put_aside_whole() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let value = |value: u8| {
        let letter = char::from(b'a' + value);
        format!("path = \"/{letter}\", parameter = \"do\", qualifier = \"{letter}\", unit = \"mg/L\"")
    };
    let values: Vec<_> = (0..20).map(value).collect();
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let route = catalogue::json_route("history", "history/{station}", "epoch_s", &values);
    let stream = |value: u8| {
        let letter = char::from(b'a' + value);
        catalogue::datastream(&format!("uji-air/do@{letter}"), 1)
    };
    let streams: String = (0..20).map(stream).collect();
    let mut line = Line::with(folder.path(), &(streams + &route)).await?;
    line.send("history/uji-air", &[&history(5_000)], 100_000).await?;
    let query = "datastream=uji-air/do@t&from=2025-06-01T11:53:19Z&to=2025-06-01T12:00:00Z";
    let last = line.bakau.observations(query).await?;
    assert_eq!(last.len(), 1, "{last:?}");
    assert_eq!(last[0]["value"], 9.0);

    line.send("history/uji-air", &[&history(5_001)], 0).await?;
    let expected = (String::new(), "more than 100000 readings in one message: send it in several".to_owned());
    assert_eq!(line.quarantine().await?, [expected]);
    let ledger = line.bakau.json("/api/v1/ledger").await?;
    assert_eq!(
        (&ledger["messages"]["decoded"], &ledger["messages"]["quarantined"]),
        (&1.into(), &1.into()),
        "{ledger}"
    );
    line.stop().await
}
