//! Catalogues that tests write: many like stations for load, one device that may publish for all of them.

use bakau_model::UtcMillis;
use bakau_simulate::load::LoadContent;
use sha2::{Digest, Sha256};

/// User name of the load device at the embedded broker.
pub const DEVICE: &str = "beban";
/// Token of the load device.
pub const TOKEN: &str = "00112233445566778899aabbccddeeff";

/// How a device says whether it is there, its last will included.
pub const STATUS_ROUTE: &str = r#"
[[route]]
id = "status"
topic = "bakau/{station}/status"
format = "status"
status = { online = ["online"], offline = ["offline"] }
"#;

/// A city and its agency, `dlh-uji`.
pub const AGENCY: &str = r#"
[[city]]
id = "uji"
name = "Kota Uji"
code = "35.99"

[[agency]]
id = "dlh-uji"
name = "DLH Kota Uji"
city = "uji"
"#;

/// The route of every load station, whatever its id begins with.
const ROUTE: &str = r#"
[[route]]
id = "beban"
topic = "bakau/{station}/data"
format = "json"
[route.json]
time = "/time"
time_format = "rfc3339"
[[route.json.values]]
path = "/do"
parameter = "do"
unit = "mg/L"
[[route.json.values]]
path = "/ph"
parameter = "ph"
unit = "[pH]"
"#;

/// The name of a load station.
#[must_use]
pub fn station(index: usize) -> String {
    format!("beban-{index:06}")
}

/// What a load on such a catalogue says; the number of messages is the caller's.
#[must_use]
pub fn content(stations: usize, start_ms: i64, step_ms: i64) -> LoadContent {
    LoadContent {
        stations: u32::try_from(stations).unwrap_or(u32::MAX),
        station_prefix: "beban-".to_owned(),
        start: UtcMillis::new(start_ms),
        step_ms,
        ..LoadContent::default()
    }
}

/// A catalogue of `count` load stations with two datastreams each, and the load device.
#[must_use]
pub fn load(count: usize) -> String {
    AGENCY.to_owned() + ROUTE + &stations("beban-", count) + &device(DEVICE, TOKEN, "bakau/#")
}

/// A station of a kind such as `water`.
#[must_use]
pub fn place(id: &str, name: &str, kind: &str) -> String {
    format!(
        "\n[[station]]\nid = \"{id}\"\nname = \"{name}\"\nagency = \"dlh-uji\"\nkind = \"{kind}\"\nlatitude = -7.9\n\
         longitude = 112.6\n"
    )
}

/// A datastream such as `uji/do`; further keys may follow.
#[must_use]
pub fn datastream(id: &str, interval_s: u32) -> String {
    format!("[[datastream]]\nid = \"{id}\"\ninterval_s = {interval_s}\n")
}

/// A route of JSON objects with their time at `/time`; further keys of the route may follow. Each value is what stands
/// between its braces: `path = "/do", parameter = "do", unit = "mg/L"`.
#[must_use]
pub fn json_route(id: &str, topic: &str, time_format: &str, values: &[&str]) -> String {
    let values: String = values.iter().map(|value| format!("    {{ {value} }},\n")).collect();
    format!(
        "\n[[route]]\nid = \"{id}\"\ntopic = \"{topic}\"\nformat = \"json\"\n\
         json = {{ time = \"/time\", time_format = \"{time_format}\", values = [\n{values}] }}\n"
    )
}

/// What a load station says: some oxygen at an instant.
#[must_use]
pub fn oxygen(time: UtcMillis, value: f64) -> String {
    format!("{{\"time\":\"{time}\",\"do\":{value},\"ph\":7.0}}")
}

/// Stations with oxygen and pH; their ids are a prefix and a number of six digits, as those of a load.
#[must_use]
pub fn stations(prefix: &str, count: usize) -> String {
    let mut text = String::new();
    for index in 0..count {
        let id = format!("{prefix}{index:06}");
        text += &place(&id, &format!("Beban {index}"), "water");
        text += &(datastream(&format!("{id}/do"), 60) + &datastream(&format!("{id}/ph"), 60));
    }
    text
}

/// A device entry with a known token.
#[must_use]
pub fn device(username: &str, token: &str, publish: &str) -> String {
    let digest: String = Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\n[[device]]\nusername = \"{username}\"\ntoken_sha256 = \"{digest}\"\npublish = [\"{publish}\"]\n")
}

/// The webhook channel `sink`, and a threshold rule on one datastream that posts to it.
#[must_use]
pub fn rule_with_webhook(datastream: &str, url: &str) -> String {
    webhook(url) + &rule("do-rendah", datastream)
}

/// The webhook channel `sink`.
#[must_use]
pub fn webhook(url: &str) -> String {
    format!("\n[[channel]]\nid = \"sink\"\nkind = \"webhook\"\nurl = \"{url}\"\nsecret_env = \"BAKAU_TEST_SECRET\"\n")
}

/// A threshold rule on one datastream, about low values, that posts to the channel `sink`.
#[must_use]
pub fn rule(id: &str, datastream: &str) -> String {
    format!(
        r#"
[[rule]]
id = "{id}"
name = {{ id = "Oksigen rendah", en = "Low oxygen" }}
datastream = "{datastream}"
direction = "below"
source = "test"
channels = ["sink"]
[rule.waspada]
raise = 4.0
clear = 4.5
[rule.siaga]
raise = 2.0
clear = 2.5
[rule.awas]
raise = 0.5
clear = 1.0
"#
    )
}

/// A threshold rule on the oxygen of a station of the load, about high values, that posts to the channel `sink`. That of a
/// waving station ([`bakau_simulate::load::LoadContent::waving`]) passes both figures every six messages; no other value of
/// the load reaches those of a station that does not wave. A value that jumps would raise an alert and never close it: it is
/// suspect, and suspect values close nothing.
#[must_use]
pub fn load_rule(index: usize, waving: bool) -> String {
    let (raise, clear) = if waving { (7.0, 6.3) } else { (40.0, 39.0) };
    let station = station(index);
    format!(
        "\n[[rule]]\nid = \"naik-{index}\"\nname = \"Naik\"\ndatastream = \"{station}/do\"\ndirection = \"above\"\n\
         source = \"test\"\nchannels = [\"sink\"]\n[rule.waspada]\nraise = {raise:?}\nclear = {clear:?}\n"
    )
}
