//! Datastreams whose values are readings of a counter.

use bakau_model::{Counter, Language, Principal, UtcMillis};
use bakau_registry::{Catalogue, CatalogueFile, Registry};

const PLACES: &str = include_str!("places.toml");

fn files(datastreams: &str) -> [CatalogueFile; 2] {
    let file = |path: &str, text: &str| CatalogueFile { path: path.to_owned(), text: text.to_owned() };
    [file("places.toml", PLACES), file("series.toml", datastreams)]
}

#[test]
fn what_is_no_amount_is_no_counter_and_its_limits_are_those_of_increments() {
    let datastreams = r#"[[datastream]]
id = "mlg-01/do"
interval_s = 60
counter = true

[[datastream]]
id = "mlg-01/rain"
interval_s = 60
counter_max = 100

[[datastream]]
id = "mlg-01/rain@kedua"
interval_s = 60
counter = true
counter_max = 0

[[datastream]]
id = "mlg-01/water_volume"
interval_s = 60
counter = true
quality = { spike = { suspect = 5.0 }, rate_per_min = { suspect = 2.0 } }

[[datastream]]
id = "mlg-01/energy"
interval_s = 60
counter = "ya"
"#;
    let errors = Catalogue::parse(&files(datastreams)).err().unwrap_or_default();
    let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let expected = [
        "series.toml:4: 'do' is no amount that a counter counts: counter = true is for energy, rain, water_volume",
        "series.toml:9: counter_max belongs to a counter: add counter = true",
        "series.toml:15: counter_max must be above 0",
        "series.toml:21: spike is no test of a counter: its limits are fail, suspect and rate_per_min, for its increments",
        "series.toml:26: counter: invalid type: string \"ya\", expected a boolean",
    ];
    assert_eq!(found, expected, "\n{}\n", found.join("\n"));
}

#[tokio::test]
async fn a_counter_keeps_its_old_names_survives_reopening_and_its_changes_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("registry.db");
    let before = "[[datastream]]\nid = \"mlg-01/rain\"\ninterval_s = 300\n";
    let after = "[[datastream]]\nid = \"mlg-01/rain@atap\"\nwas = [\"mlg-01/rain\"]\ninterval_s = 300\ncounter = true\n\
                 counter_max = 13107.2\n";
    let by = Principal::CommandLine("sari".to_owned());
    for (text, shown) in [
        (before, None),
        (after, Some("~ datastream mlg-01/rain@atap: counter (none) -> true, counter_max (none) -> 13107.2")),
    ] {
        let registry = Registry::open(&path).await.unwrap();
        let catalogue = Catalogue::parse_with(&files(text), &registry.snapshot()).unwrap();
        let plan = registry.plan(&catalogue, false).await.unwrap();
        let said = plan.render(Language::En);
        assert!(shown.is_none_or(|shown| said.lines().any(|line| line.starts_with(shown))), "{said}");
        registry.apply(plan, &by, UtcMillis::new(1)).await.unwrap();
    }
    let snapshot = Registry::open(&path).await.unwrap().snapshot();
    let old_name = snapshot.datastream(&"mlg-01/rain".parse().unwrap()).unwrap();
    assert_eq!(old_name.counter(), Some(Counter { max: Some(13_107.2), interval_ms: 300_000 }));
    assert_eq!(old_name.limits.fail, snapshot.parameters["rain"].fail, "the limits of the parameter stay");
}
