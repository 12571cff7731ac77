//! Mistakes in what a catalogue says about readings: units, codes for "no value", calibration.

use bakau_registry::{Catalogue, CatalogueFile, Format};

fn file(path: &str, text: &str) -> CatalogueFile {
    CatalogueFile { path: path.to_owned(), text: text.to_owned() }
}

fn errors(files: &[CatalogueFile]) -> Vec<String> {
    Catalogue::parse(files).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn codes_for_no_value_and_texts_for_units_are_checked_where_they_stand() {
    let text = "[[route]]\nid = \"r\"\ntopic = \"a/{station}\"\nmissing = [-9999, nan]\ndecimal_comma = \"yes\"\nformat = \"json\"\n\
                [[route.json.values]]\npath = \"/do\"\nparameter = \"do\"\nunit = \"mg/L\"\nmissing = \"---\"\n\
                unit_texts = [\"mg/L\", \"1 mg\", \"\"]\n\
                [[route.json.values]]\npath = \"/ph\"\nparameter = \"ph\"\nunit = \"[pH]\"\nmissing = [-9999, \"---\", true]\n";
    let found = errors(&[file("a.toml", text)]);
    let starts =
        ["a.toml:4: missing: a code must be a finite number", "a.toml:5: decimal_comma: ", "a.toml:11: missing: "];
    for start in starts {
        assert!(found.iter().any(|error| error.starts_with(start)), "{start} is not in {found:#?}");
    }
    let units: Vec<_> = found.iter().filter(|error| error.contains("is no text for a unit")).collect();
    assert!(units.len() == 2 && units[0].starts_with("a.toml:12: '1 mg'"), "{found:#?}");
    assert!(found.iter().any(|error| error.starts_with("a.toml:17: missing: a number or a text")), "{found:#?}");
    assert_eq!(found.len(), 6, "{found:#?}");
    let good = "[[route]]\nid = \"r\"\ntopic = \"a/{station}\"\nmissing = [-9999, 327.67, \"NAN\", \"\"]\ndecimal_comma = true\nformat = \"json\"\n\
                [[route.json.values]]\npath = \"/do\"\nparameter = \"do\"\nunit = \"mg/L\"\nmissing = [\"---\"]\ndecimal_comma = false\n\
                unit_texts = [\"mg/L\", \"mg per L\"]\n";
    assert_eq!(errors(&[file("a.toml", good)]), Vec::<String>::new());
}

#[test]
fn a_share_of_a_gas_needs_the_air_its_mass_is_stated_for_and_nothing_else_does() {
    let route = |parameter: &str, unit: &str, gas: &str| {
        let text = format!(
            "[[route]]\nid = \"r\"\ntopic = \"a/{{station}}\"\nformat = \"json\"\n[route.json]\n[[route.json.values]]\n\
             path = \"/x\"\nparameter = \"{parameter}\"\nunit = \"{unit}\"\n{gas}"
        );
        errors(&[file("r.toml", &text)])
    };
    let air = "gas = { temperature_c = 25, pressure_hpa = 1013.25 }\n";
    for parameter in ["so2", "no2", "no", "o3", "co", "nh3", "h2s"] {
        assert_eq!(route(parameter, "[ppb]", air), [""; 0], "{parameter}");
        assert_eq!(route(parameter, "[ppm]", air), [""; 0], "{parameter}");
        assert_eq!(
            route(parameter, "[ppb]", ""),
            ["r.toml:9: '[ppb]' becomes ug/m3 only for air of a named temperature and pressure: add gas = { \
              temperature_c = 25, pressure_hpa = 1013.25 } with those that the values are to be stated for"]
        );
    }
    assert_eq!(
        route("o3", "mg/m3", air),
        [
            "r.toml:10: gas is only for a share of a gas, [ppb] or [ppm], that becomes ug/m3: here 'mg/m3' becomes ug/m3, \
          remove the key"
        ]
    );
    assert_eq!(
        route("pm25", "[ppb]", air),
        [
            "r.toml:9: unit: '[ppb]' cannot be converted to 'ug/m3'; units are UCUM codes such as Cel, mg/L, ug/m3, uS/cm"
        ],
        "dust has no molar mass"
    );
    assert_eq!(
        route("o3", "[ppb]", "gas = { temperature_c = 298.15, pressure_hpa = 1013.25 }\n"),
        ["r.toml:10: temperature_c is 298.15: it must be from -50 to 60"]
    );
    assert_eq!(
        route("o3", "[ppb]", "gas = { temperature_c = 25, pressure_hpa = 1 }\n"),
        ["r.toml:10: pressure_hpa is 1: it must be from 300 to 1100"]
    );
    assert_eq!(
        route("o3", "[ppb]", "gas = { temperature_c = 25 }\n"),
        ["r.toml:10: gas: missing field `pressure_hpa`"]
    );
}

#[test]
fn gain_and_offset_of_a_deployment_are_refused_whatever_they_say() {
    let deployment = |keys: &str| {
        let text = format!(
            "[[deployment]]\ndatastream = \"mlg-03/do\"\ninstrument = \"sonde\"\nfrom = \"2026-01-01T00:00:00Z\"\n{keys}"
        );
        errors(&[file("d.toml", &text)])
    };
    let refused = |error: &String| error.contains("is not applied yet, so it is not accepted: remove the key");
    for keys in ["gain = 1.02\n", "gain = 1.0\n", "offset = 0\n", "gain = \"x\"\n"] {
        assert_eq!(deployment(keys).iter().filter(|error| refused(error)).count(), 1, "{keys}");
    }
    assert_eq!(deployment("gain = 1\noffset = -0.2\n").iter().filter(|error| refused(error)).count(), 2);
}

#[test]
fn every_payload_format_is_read_from_the_table_of_its_name() {
    for name in Format::NAMES {
        let read = |table: &str| {
            let route = "[[route]]\nid = \"r\"\ntopic = \"a/{station}\"\n";
            errors(&[file("r.toml", &format!("{route}format = \"{name}\"\n{name} = {{ {table} }}\n"))])
        };
        let values = |path: &str| format!("values = [{{ path = \"{path}\", parameter = \"do\", unit = \"mg/L\" }}]");
        let found = match name {
            "status" => vec![read("online = [\"on\"], offline = [\"off\"]")],
            // Places are JSON Pointers, or names of records.
            _ => vec![read(&values("/do")), read(&values("do"))],
        };
        assert!(found.iter().any(Vec::is_empty), "{name}: {found:#?}");
    }
}
