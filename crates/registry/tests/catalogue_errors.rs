//! Every mistake of every catalogue file is reported at once, with file and line.

use bakau_model::Language;
use bakau_registry::{Catalogue, CatalogueFile, MAX_FILE_BYTES};
use proptest::prelude::*;

fn file(path: &str, text: &str) -> CatalogueFile {
    CatalogueFile { path: path.to_owned(), text: text.to_owned() }
}

fn errors(files: &[CatalogueFile]) -> Vec<String> {
    Catalogue::parse(files).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

const PLACES: &str = r#"[[city]]
id = "malang"
name = "Malang"
code = "3573"

[[agency]]
id = "dlh"
name = { id = "DLH", en = "Environment agency" }
city = "malng"

[[station]]
id = "mlg-01"
name = "Satu"
agency = "dlh"
kind = "air"
latitud = -7.9
latitude = -97.9
longitude = "east"
time_zone = "Asia/Malang"

[[station]]
id = "mlg-02"
name = ""
agency = "dlh"
kind = "udara"
latitude = -7.9
longitude = 112.6

[[station]]
id = "mlg-03"
name = "Tiga"
agency = "dlh"
kind = "water"
latitude = -7.9
longitude = 112.6

[[stations]]
id = "mlg-04"
"#;

const SERIES: &str = r#"[[datastream]]
id = "mlg-01/pm25"
interval_s = 0

[[datastream]]
id = "mlg-03/water_level"
interval_s = 60

[[datastream]]
id = "mlg-03/dissolved"
interval_s = 60

[[datastream]]
id = "mlg-99/do"
interval_s = 60

[[datastream]]
id = "mlg-03/do"
interval_s = 60

[[instrument]]
id = "sonde"
make = "A"
model = "B"
serial = "1"

[[deployment]]
datastream = "mlg-03/do"
instrument = "sonde"
from = "2026-01-01T00:00:00"

[[deployment]]
datastream = "mlg-03/do"
instrument = "sonde"
from = 2026-02-01T00:00:00+07:00
gain = 0.0

[[deployment]]
datastream = "mlg-03/do"
instrument = "sonda"
from = "2026-03-01T00:00:00+07:00"
to = "2026-02-01T00:00:00+07:00"

[[station]]
id = "mlg-01"
name = "Lagi"
agency = "dlh"
kind = "air"
latitude = 0
longitude = 0
"#;

const RULES: &str = r#"[[rule]]
id = "oxygen"
name = "Oksigen"
datastream = "mlg-03/do"
direction = "below"
waspada = { raise = 4.0, clear = 3.5 }
siaga = { raise = 4.5, clear = 5.0 }
awas = { raise = nan, clear = 1.0 }
hold_s = 100000
source = "x"
channels = ["piket"]

[[rule]]
id = "empty"
name = "Kosong"
datastream = "mlg-03/ph"
direction = "above"
source = "x"

[[channel]]
id = "hook"
kind = "webhook"
url = "https://me:secret@example.org/"
secret_env = "hunter2"

[[route]]
id = "r"
topic = "a/#/{station}"
source = "broker"
format = "json"
[route.json]
time = "t"
times = "/t"
[[route.json.values]]
path = "do"
parameter = "do"
unit = "[ppb]"

[[route]]
id = "r2"
topic = "a/b"
format = "json"
json = { values = [] }

[[device]]
username = "d"
token_sha256 = "hunter2"
publish = ["a/+b"]
"#;

#[test]
fn every_mistake_of_every_file_is_reported_with_its_line() {
    let files = [file("places.toml", PLACES), file("series.toml", SERIES), file("rules.toml", RULES)];
    let expected = [
        "places.toml:4: '3573' is no area code: write kode wilayah Kemendagri with dots, for example 35.74",
        "places.toml:9: there is no city 'malng' ('malang'?)",
        "places.toml:16: unknown key 'latitud' in station: did you mean 'latitude'?",
        "places.toml:17: latitude is -97.9: it must be from -90 to 90",
        "places.toml:18: longitude: invalid type: string \"east\", expected f64",
        "places.toml:19: 'Asia/Malang' is no time zone of the IANA database: for example Asia/Jakarta",
        "places.toml:23: name must be a text of 1 to 1000 bytes without line breaks",
        "places.toml:25: kind: unknown variant `udara`, expected one of `air`, `water`, `mangrove`",
        "places.toml:37: unknown table 'stations': did you mean [[station]]?",
        "rules.toml:6: waspada: clear (3.5) must not be below raise (4)",
        "rules.toml:7: siaga: raise (4.5) must be below that of waspada (4)",
        "rules.toml:8: awas must be a finite number",
        "rules.toml:9: hold_s is 100000: it must be from 0 to 86400",
        "rules.toml:11: there is no channel 'piket'",
        "rules.toml:13: the rule has no level: add waspada, siaga or awas",
        "rules.toml:16: there is no datastream 'mlg-03/ph' ('mlg-03/do'?)",
        "rules.toml:23: url must not hold a user name or password: secrets are in environment variables",
        "rules.toml:24: secret_env must be the name of an environment variable, such as BAKAU_WEBHOOK_SECRET, not the secret itself",
        "rules.toml:28: 'a/#/{station}' is no topic filter: '+' stands for a whole level, '#' for all levels at the end",
        "rules.toml:32: 't' is no JSON Pointer: it starts with '/', for example /water/do",
        "rules.toml:33: unknown key 'times' in json: did you mean 'time'?",
        "rules.toml:35: 'do' is no JSON Pointer: it starts with '/', for example /water/do",
        "rules.toml:37: unit: '[ppb]' cannot be converted to 'mg/L'; units are UCUM codes such as Cel, mg/L, ug/m3, uS/cm",
        "rules.toml:41: the station is not known: write {station} or {device} as a level of the topic, or add the key 'station'",
        "rules.toml:43: the mapping needs 1 to 500 values",
        "rules.toml:47: token_sha256 must be the SHA-256 of the token in 64 hexadecimal digits, not the token itself",
        "rules.toml:48: 'a/+b' is no topic filter: '+' stands for a whole level, '#' for all levels at the end",
        "series.toml:3: interval_s is 0: it must be from 1 to 86400",
        "series.toml:5: 'mlg-03/water_level' is a water level and needs a vertical_datum, for example \"MSL\"",
        "series.toml:10: there is no parameter 'dissolved'",
        "series.toml:14: there is no station 'mlg-99' ('mlg-01'?)",
        "series.toml:30: from: '2026-01-01T00:00:00' is not a time: write it as RFC 3339, for example 2026-03-10T07:00:00+07:00",
        "series.toml:36: gain of a deployment is not applied yet, so it is not accepted: remove the key; values are shown as the instrument gives them",
        "series.toml:40: there is no instrument 'sonda' ('sonde'?)",
        "series.toml:41: this deployment of 'mlg-03/do' overlaps the one at series.toml:32: end the earlier one with 'to'",
        "series.toml:42: 'to' must be later than 'from'",
        "series.toml:44: station 'mlg-01' is already defined at places.toml:11",
    ];
    let found = errors(&files);
    assert_eq!(found, expected, "\n{}\n", found.join("\n"));
}

const PEOPLE: &str = r#"[[channel]]
kind = "email"
id = "mail"
host = "mail.example.org"
port = 0
security = "none"
from = "bakau at example.org"
username = "bakau"

[[channel]]
kind = "sms"
id = "sms"
number = 5

[[channel]]
kind = "telegram"
id = "bot"
token_env = "12345:secret"
base_url = "api.telegram.org"

[[person]]
id = "sari"
name = "Sari"
language = "su"
email = "sari"

[[person]]
id = "budi"
name = "Budi"

[[notification]]
id = "all"
min_level = "normal"
people = []
channels = ["mail", "sms", "pager"]
agencies = ["dlh"]

[[person]]
id = "tuti"
name = "Tuti"
telegram_chat = 12

[[channel]]
kind = "webhook"
id = "hook"
url = "https://hooks.example.org"
secret_env = "HOOK"

[[channel]]
kind = "email"
id = "letters"
host = "localhost"
port = 25
security = "none"
from = "bakau@localhost"

[[notification]]
id = "siaga"
min_level = "siaga"
people = ["tuti", "tutti"]
channels = ["letters", "hook"]
"#;

const CONDITIONS: &str = r#"[[rule]]
id = "a"
name = "A"
condition = "silent"
waspada = { after_s = 5 }
source = "x"

[[rule]]
id = "b"
name = "B"
condition = "no_data"
station = "mlg-01"
direction = "above"
waspada = { after_s = 900 }
siaga = { after_s = 900 }
source = "x"

[[rule]]
id = "c"
name = "C"
parameter = "ph_"
datastream = "mlg-01/ph"
direction = "outside"
waspada = { low = { raise = 6, clear = 9 }, high = { raise = 9, clear = 8 } }
siaga = { raise = 5, clear = 6 }
repeat_s = 5
source = "x"
channels = ["letters"]

[[rule]]
id = "d"
name = "D"
condition = "source_down"
kind = "air"
hold_s = 60
source = "x"

[[rule]]
id = "e"
name = "E"
condition = "no_data"
datastream = "mlg-01/ph"
station = "mlg-01"
hold_s = 60
waspada = { after_s = 900 }
source = "x"

[[route]]
id = "r"
topic = "v3/{device}/{station}"
format = "ttn"
devices = { AA = "mlg-01", aa = "mlg-02" }
time_zone = "WIB"

[[route]]
id = "s"
topic = "tele/+/LWT"
format = "status"
status = { online = ["Online"], offline = ["Offline", "Online"], ofline = [] }

[[route]]
id = "t"
topic = "m"
format = "tts"
[route.tts]
time = "measured"
[[route.tts.values]]
path = "/t"
parameter = "air_temperatur"
unit = "Cel"

[[datastream]]
id = "mlg-01/ph"
interval_s = 60
[datastream.quality]
fail = { min = 14, max = 0 }
suspect = { min = -1, max = 15 }
spike = { suspect = 3, fail = 2 }
rate_per_min = {}
flat_line = { tolerance = -1, suspect_s = 60 }

[[station]]
id = "mlg-01"
name = "Satu"
agency = "dlh"
kind = "air"
latitude = -7.9
longitude = 112.6
elevation_m = 90000
water_class = { class = 5, source = "" }
air_type = "cheap"
"#;

#[test]
fn mistakes_about_people_rules_routes_and_quality_are_reported_too() {
    let found = errors(&[file("people.toml", PEOPLE), file("rules.toml", CONDITIONS)]);
    insta::assert_snapshot!(found.join("\n"));
    let in_indonesian = Catalogue::parse(&[file("people.toml", PEOPLE), file("rules.toml", CONDITIONS)]).unwrap_err();
    let in_indonesian: Vec<_> = in_indonesian.iter().map(|error| error.render(Language::Id)).collect();
    assert!(20 <= found.len());
    assert_eq!(in_indonesian.len(), found.len());
    insta::assert_snapshot!(in_indonesian.join("\n"));
}

#[test]
fn an_id_defined_twice_names_the_other_place() {
    let city = "[[city]]\nid = \"a\"\nname = \"A\"\ncode = \"35.74\"\n";
    let found = errors(&[file("a.toml", city), file("b.toml", &format!("\n{city}"))]);
    assert_eq!(found, ["b.toml:2: city 'a' is already defined at a.toml:1"]);
}

#[test]
fn a_syntax_error_hides_neither_other_files_nor_later_items() {
    let broken = "[[city]]\nid = \"a\nname = \"A\"\n\n[[city]]\nid = \"B!\"\nname = \"B\"\ncode = \"35.74\"\n";
    let found = errors(&[file("a.toml", broken), file("b.toml", "[city]\n")]);
    assert!(found.iter().any(|error| error.starts_with("a.toml:2: not valid TOML")), "{found:?}");
    assert!(found.iter().any(|error| error.starts_with("a.toml:6: id: 'B!'")), "{found:?}");
    assert!(found.contains(&"b.toml:1: write [[city]] with double brackets, one per item".to_owned()), "{found:?}");
}

#[test]
fn former_names_belong_to_one_datastream_and_are_not_in_use() {
    let text = "[[datastream]]\nid = \"a/do\"\ninterval_s = 1\nwas = [\"a/do@x\"]\n\
                [[datastream]]\nid = \"a/do@x\"\ninterval_s = 1\n\
                [[datastream]]\nid = \"a/do@y\"\ninterval_s = 1\nwas = [\"a/do@z\", \"a/do@y\"]\n\
                [[datastream]]\nid = \"a/do@w\"\ninterval_s = 1\nwas = [\"a/do@z\"]\n";
    let found: Vec<String> = errors(&[file("a.toml", text)]).into_iter().filter(|e| !e.contains("station")).collect();
    assert_eq!(
        found,
        [
            "a.toml:4: 'a/do@x' cannot be a former name: it is in use at a.toml:5",
            "a.toml:11: 'a/do@y' is both the present and a former name",
            "a.toml:11: 'a/do@z' is already a former name of the datastream at a.toml:12",
        ]
    );
}

#[test]
fn the_station_of_a_route_is_given_once() {
    let route = |topic: &str, station: &str| {
        format!(
            "[[route]]\nid = \"r\"\ntopic = \"{topic}\"\n{station}\nformat = \"json\"\n\
             [[route.json.values]]\npath = \"/do\"\nparameter = \"do\"\nunit = \"mg/L\"\n"
        )
    };
    assert_eq!(errors(&[file("a.toml", &route("a/{station}", ""))]), Vec::<String>::new());
    assert_eq!(
        errors(&[file("a.toml", &route("a/{station}", "station = \"x\""))]),
        [
            "a.toml:4: the station is given twice: remove the key 'station' or the placeholder in the topic",
            "a.toml:4: there is no station 'x'",
        ]
    );
    assert!(errors(&[file("a.toml", &route("a/b", ""))])[0].starts_with("a.toml:3: the station is not known"));
}

#[test]
fn a_path_is_bounded_in_its_steps() {
    let route = |steps: usize| {
        let path = "/a".repeat(steps);
        let text = format!(
            "[[station]]\nid = \"s\"\nname = \"S\"\nagency = \"a\"\nkind = \"water\"\nlatitude = -7.9\nlongitude = 112.6\n\
             [[route]]\nid = \"r\"\ntopic = \"t/{{station}}\"\nformat = \"json\"\n\
             json = {{ values = [{{ path = \"{path}\", parameter = \"do\", unit = \"mg/L\" }}] }}"
        );
        errors(&[file("r.toml", &text)]).into_iter().filter(|error| error.contains("/a/a")).collect::<Vec<_>>()
    };
    assert_eq!(route(64), Vec::<String>::new());
    let told = route(65);
    assert!(told.len() == 1 && told[0].ends_with("leads too deep: at most 64 steps"), "{told:?}");
}

#[test]
fn mistakes_are_told_in_bahasa_indonesia_too() {
    let found = Catalogue::parse(&[file("a.toml", "[[kota]]\n")]).unwrap_err();
    assert_eq!(found[0].render(Language::Id), "a.toml:1: tabel 'kota' tidak dikenal: maksudnya [[city]]?");
}

#[test]
fn a_file_above_the_bound_is_refused_unread() {
    let found = errors(&[file("big.toml", &"#".repeat(MAX_FILE_BYTES + 1))]);
    assert_eq!(found, ["big.toml: the file is larger than 4 MiB: split it"]);
}

#[test]
fn deep_nesting_is_an_error_not_a_crash() {
    let found = errors(&[file("deep.toml", &format!("a = {}", "[".repeat(100_000)))]);
    assert!(!found.is_empty());
}

/// Where a text is no catalogue, every mistake names the file, a line of it and what is wrong.
fn are_placed(path: &str, text: &str) {
    let Err(errors) = Catalogue::parse(&[file(path, text)]) else { return };
    assert!(!errors.is_empty());
    for error in errors {
        assert!(error.file == path && error.line <= text.split('\n').count() && !error.message.is_empty(), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_a_catalogue_or_mistakes_with_their_lines(text in ".{0,400}") {
        are_placed("any.toml", &text);
    }

    #[test]
    fn arbitrary_cuts_of_a_catalogue_are_a_catalogue_or_mistakes_with_their_lines(from in 0..8_000_usize, length in 0..400_usize, noise in "[\\[\\]={}\"\\n#.a-z]{0,6}") {
        let mut text = format!("{PLACES}{SERIES}{RULES}{PEOPLE}{CONDITIONS}");
        let from = from.min(text.len());
        let from = (from..=from + 4).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let to = (from + length..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(from);
        text.replace_range(from..to, &noise);
        are_placed("cut.toml", &text);
    }
}
