//! Applying catalogues to a real registry.db.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod formats;

use std::path::Path;

use bakau_model::{
    ConditionKind, DatastreamId, DatastreamName, DeploymentId, Language, Principal, StationId, UtcMillis,
};
use bakau_registry::{Catalogue, CatalogueFile, Plan, Registry, RegistryError, demo_catalogue, token};

const NOW: UtcMillis = UtcMillis::new(1_700_000_000_000);

fn by() -> Principal {
    Principal::CommandLine("sari".to_owned())
}

fn file(text: &str) -> CatalogueFile {
    CatalogueFile { path: "a.toml".to_owned(), text: text.to_owned() }
}

async fn plan(registry: &Registry, text: &str, prune: bool) -> Result<Plan, RegistryError> {
    let catalogue =
        Catalogue::parse_with(&[file(text)], &registry.snapshot()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    registry.plan(&catalogue, prune).await
}

async fn apply(registry: &Registry, text: &str, prune: bool) -> String {
    let plan = plan(registry, text, prune).await.unwrap();
    let shown = plan.render(Language::En);
    registry.apply(plan, &by(), NOW).await.unwrap();
    shown
}

fn name(text: &str) -> DatastreamName {
    text.parse().unwrap()
}

async fn open(directory: &Path) -> Registry {
    Registry::open(&directory.join("registry.db")).await.unwrap()
}

const BASE: &str = concat!(
    include_str!("../places.toml"),
    r#"
[[instrument]]
id = "sonde"
make = "A"
model = "B"
serial = "1"
"#
);

const OXYGEN: &str = r#"
[[datastream]]
id = "mlg-01/do"
interval_s = 60

[[deployment]]
datastream = "mlg-01/do"
instrument = "sonde"
from = "2026-01-01T00:00:00+07:00"

[[rule]]
id = "oxygen"
name = "Oksigen"
datastream = "mlg-01/do"
direction = "below"
siaga = { raise = 2.1, clear = 2.3 }
source = "x"
"#;

const PH: &str = "[[datastream]]\nid = \"mlg-01/ph\"\ninterval_s = 60\n";

#[tokio::test]
async fn the_demo_catalogue_applies_survives_reopening_and_then_differs_in_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::parse(&demo_catalogue()).unwrap();
    let registry = open(directory.path()).await;
    assert_eq!(registry.snapshot().revision, 0);
    let plan = registry.plan(&catalogue, false).await.unwrap();
    assert_eq!(registry.apply(plan, &by(), NOW).await.unwrap(), 1);
    let before = registry.snapshot();
    drop(registry);

    let registry = open(directory.path()).await;
    let snapshot = registry.snapshot();
    assert_eq!((snapshot.revision, snapshot.stations.len(), snapshot.cities.len()), (1, 15, 4));
    assert_eq!(snapshot.datastreams, before.datastreams);
    assert_eq!(snapshot.rules, before.rules);
    assert_eq!(snapshot.routes, before.routes);
    assert!(snapshot.parameters.contains_key("pm25"));
    let oxygen = snapshot.datastream(&name("prb-bjbr-01/do")).unwrap();
    assert_eq!((oxygen.unit.as_str(), oxygen.interval_ms), ("mg/L", 300_000));
    let in_force = UtcMillis::parse("2026-06-01T00:00:00Z").unwrap();
    assert_ne!(snapshot.deployment_at(oxygen.number, in_force), DeploymentId::new(0));
    assert_eq!(snapshot.datastreams_of(&StationId::new("mlg-kota-01").unwrap()).len(), 9);
    for prune in [false, true] {
        let again = registry.plan(&catalogue, prune).await.unwrap();
        assert!(again.is_empty(), "{again}");
        assert_eq!(registry.apply(again, &by(), NOW).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_plan_shows_each_difference_and_the_audit_keeps_it_with_who_and_when() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    let shown = apply(&registry, &format!("{BASE}{OXYGEN}"), false).await;
    assert_eq!(
        shown,
        "+ city malang\n+ agency dlh\n+ station mlg-01\n+ datastream mlg-01/do\n+ instrument sonde\n\
         + deployment mlg-01/do 2025-12-31T17:00:00Z\n+ rule oxygen"
    );
    let changed = OXYGEN.replace("2.1", "1.8").replace("source = \"x\"", "source = \"y\"\nhold_s = 60");
    assert_eq!(
        apply(&registry, &changed, false).await,
        "~ rule oxygen: hold_s 0 -> 60, siaga.low.raise 2.1 -> 1.8, source.en x -> y, source.id x -> y"
    );
    let audit = registry.audit(10).await.unwrap();
    assert_eq!(audit.len(), 2);
    assert_eq!((audit[0].revision, audit[0].at, audit[0].by.name()), (2, NOW, "sari"));
    assert_eq!(audit[0].summary, "0 ditambah, 1 diubah, 0 dihapus");
    assert!(audit[0].difference.contains("siaga.low.raise 2.1 -> 1.8"));
    assert!(audit[1].difference.contains("+ station mlg-01"));
}

#[tokio::test]
async fn without_prune_absent_things_stay_and_with_it_they_go() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    apply(&registry, &format!("{BASE}{OXYGEN}{PH}"), false).await;
    assert!(plan(&registry, PH, false).await.unwrap().is_empty());
    let rule = OXYGEN.split("[[rule]]").next().unwrap();
    assert_eq!(apply(&registry, &format!("{BASE}{rule}{PH}"), true).await, "- rule oxygen");
    assert!(registry.snapshot().rules.is_empty());
    let refused = plan(&registry, PH, true).await.unwrap_err();
    assert!(matches!(&refused, RegistryError::Invalid(errors) if errors.len() == 1), "{refused}");
    assert!(refused.to_string().contains("there is no station 'mlg-01'"), "{refused}");
}

#[tokio::test]
async fn a_number_is_never_given_to_another_datastream_and_comes_back_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    apply(&registry, &format!("{BASE}{OXYGEN}"), false).await;
    let number = registry.snapshot().datastream(&name("mlg-01/do")).unwrap().number;
    assert_eq!(number, DatastreamId::new(1));
    let deployment = registry.snapshot().deployments[&number][0].number;

    let shown = apply(&registry, &format!("{BASE}{PH}"), true).await;
    assert_eq!(
        shown,
        "- datastream mlg-01/do: retired, its history stays readable under number 1\n+ datastream mlg-01/ph\n- rule oxygen"
    );
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.datastream(&name("mlg-01/ph")).unwrap().number, DatastreamId::new(2));
    assert_eq!(snapshot.datastream(&name("mlg-01/do")), None);
    assert_eq!(snapshot.ever(&name("mlg-01/do")).unwrap().number, number);
    assert_eq!(snapshot.deployments[&number].len(), 1, "the history still needs its deployment");
    assert!(plan(&registry, &format!("{BASE}{PH}"), true).await.unwrap().is_empty());

    let shown = apply(&registry, OXYGEN, false).await;
    assert_eq!(shown, "+ datastream mlg-01/do: in use again under number 1\n+ rule oxygen");
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.datastream(&name("mlg-01/do")).unwrap().number, number);
    assert_eq!(snapshot.deployments[&number][0].number, deployment);
    assert!(snapshot.retired.is_empty());
}

#[tokio::test]
async fn reviving_with_prune_leaves_no_deployment_that_is_in_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    apply(&registry, &format!("{BASE}{OXYGEN}"), false).await;
    apply(&registry, BASE, true).await;
    let without_deployment = format!("{BASE}[[datastream]]\nid = \"mlg-01/do\"\ninterval_s = 60\n");
    apply(&registry, &without_deployment, true).await;
    let number = registry.snapshot().datastream(&name("mlg-01/do")).unwrap().number;
    assert!(!registry.snapshot().deployments.contains_key(&number));
    assert!(plan(&registry, &without_deployment, true).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_renamed_datastream_keeps_number_rules_deployments_and_old_name() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    apply(&registry, &format!("{BASE}{OXYGEN}"), false).await;
    let renamed = "[[datastream]]\nid = \"mlg-01/do@50cm\"\nwas = [\"mlg-01/do\"]\ninterval_s = 30\n";
    assert_eq!(
        apply(&registry, renamed, false).await,
        "~ datastream mlg-01/do@50cm: renamed from mlg-01/do, number 1 stays\n\
         ~ datastream mlg-01/do@50cm: interval_s 60 -> 30"
    );
    drop(registry);
    let registry = open(directory.path()).await;
    let snapshot = registry.snapshot();
    let (new, old) = (name("mlg-01/do@50cm"), name("mlg-01/do"));
    let datastream = snapshot.datastream(&new).unwrap();
    assert_eq!((datastream.number, &datastream.name), (DatastreamId::new(1), &new));
    assert_eq!(snapshot.datastream(&old).unwrap().number, datastream.number, "old topics still find it");
    assert_eq!(snapshot.datastreams.len(), 1);
    assert_eq!(snapshot.rules["oxygen"].datastream(), Some(&new));
    assert_eq!(snapshot.deployments[&datastream.number].len(), 1);
    // Files that still use the old name for deployment and rule mean the same datastream.
    let old_references = OXYGEN.split("[[deployment]]").nth(1).map(|rest| format!("[[deployment]]{rest}")).unwrap();
    assert!(plan(&registry, &format!("{renamed}{old_references}"), false).await.unwrap().is_empty());
    assert!(plan(&registry, &format!("{BASE}{renamed}{old_references}"), true).await.unwrap().is_empty());
}

#[tokio::test]
async fn names_numbers_parameters_and_datums_do_not_change_hands() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    let level = "[[datastream]]\nid = \"mlg-01/water_level\"\ninterval_s = 60\nvertical_datum = \"MSL\"\n";
    apply(&registry, &format!("{BASE}{OXYGEN}{level}"), false).await;
    let renamed = "[[datastream]]\nid = \"mlg-01/do@50cm\"\nwas = [\"mlg-01/do\"]\ninterval_s = 60\n";
    apply(&registry, renamed, false).await;
    let cases = [
        ("id = \"mlg-01/do\"\ninterval_s = 60", "was a name of 'mlg-01/do@50cm' and is never given to another"),
        (
            "id = \"mlg-01/ph\"\nwas = [\"mlg-01/do@50cm\"]\ninterval_s = 60",
            "the parameter of a datastream never changes",
        ),
        ("id = \"mlg-01/do@50cm\"\nwas = [\"mlg-01/water_level\"]\ninterval_s = 60", "two registered datastreams"),
        ("id = \"mlg-01/water_level\"\nvertical_datum = \"LAT\"\ninterval_s = 60", "cannot change from MSL to LAT"),
    ];
    for (item, expected) in cases {
        let files = [file(&format!("[[datastream]]\n{item}\n"))];
        let errors = Catalogue::parse_with(&files, &registry.snapshot()).unwrap_err();
        assert!(errors.iter().any(|error| error.to_string().contains(expected)), "{errors:?}");
    }
    let back = "[[datastream]]\nid = \"mlg-01/do\"\nwas = [\"mlg-01/do@50cm\"]\ninterval_s = 60\n";
    assert!(apply(&registry, back, false).await.contains("renamed from mlg-01/do@50cm, number 1 stays"));
    assert_eq!(registry.snapshot().datastream(&name("mlg-01/do@50cm")).unwrap().number, DatastreamId::new(1));
    assert!(plan(&registry, back, false).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_deployment_that_overlaps_a_registered_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    apply(&registry, &format!("{BASE}{OXYGEN}"), false).await;
    let next = "[[deployment]]\ndatastream = \"mlg-01/do\"\ninstrument = \"sonde\"\nfrom = \"2026-05-01T00:00:00Z\"\n";
    let errors = Catalogue::parse_with(&[file(next)], &registry.snapshot()).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "a.toml:4: this deployment of 'mlg-01/do' overlaps the one at registry: end the earlier one with 'to'"
    );
    let ended = OXYGEN.replace("\n\n[[rule]]", "\nto = \"2026-05-01T00:00:00Z\"\n\n[[rule]]");
    apply(&registry, &format!("{ended}{next}"), false).await;
    assert_eq!(registry.snapshot().deployments[&DatastreamId::new(1)].len(), 2);
}

#[tokio::test]
async fn routes_keep_the_order_of_their_file() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    let route = |id: &str| {
        format!(
            "[[route]]\nid = \"{id}\"\ntopic = \"{id}/{{station}}\"\nformat = \"json\"\n\
             [[route.json.values]]\npath = \"/do\"\nparameter = \"do\"\nunit = \"mg/L\"\n"
        )
    };
    let order = |registry: &Registry| {
        registry.snapshot().routes.iter().map(|route| route.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    apply(&registry, &(route("c") + &route("a") + &route("b")), false).await;
    assert_eq!(order(&registry), "c a b");
    let shown = apply(&registry, &(route("b") + &route("c") + &route("d")), false).await;
    assert_eq!(order(&registry), "b a c d");
    assert_eq!(shown, "~ route b: position 3 -> 1\n~ route c: position 1 -> 3\n+ route d");
    assert_eq!(apply(&registry, &(route("a") + &route("c") + &route("d")), true).await, "- route b");
    assert_eq!(order(&registry), "a c d");
}

#[tokio::test]
async fn a_plan_made_before_another_change_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    let stale = plan(&registry, BASE, false).await.unwrap();
    apply(&registry, BASE, false).await;
    let refused = registry.apply(stale, &by(), NOW).await.unwrap_err();
    assert!(matches!(refused, RegistryError::Stale { planned: 0, current: 1 }), "{refused}");
    assert_eq!(registry.audit(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_handles_on_one_file_see_each_others_changes_after_a_refresh() {
    let directory = tempfile::tempdir().unwrap();
    let (server, command) = (open(directory.path()).await, open(directory.path()).await);
    let mut changes = server.watch();
    assert!(!server.refresh().await.unwrap());
    apply(&command, &format!("{BASE}{PH}"), false).await;
    assert!(!changes.has_changed().unwrap());
    assert!(server.refresh().await.unwrap());
    assert!(changes.has_changed().unwrap());
    let seen = changes.borrow_and_update().clone();
    assert_eq!((seen.revision, seen.datastreams.len()), (1, 1));
    assert!(!server.refresh().await.unwrap());
}

#[tokio::test]
async fn the_admin_token_is_kept_as_a_hash_with_an_audit_row() {
    let directory = tempfile::tempdir().unwrap();
    let (registry, other) = (open(directory.path()).await, open(directory.path()).await);
    assert_eq!(registry.admin_token_hash().await.unwrap(), None);
    let given = token::token([7; 16]);
    registry.set_admin_token_hash(token::digest(&given), &Principal::System, NOW).await.unwrap();
    assert!(token::verify(&given, &other.admin_token_hash().await.unwrap().unwrap()));
    assert!(other.refresh().await.unwrap(), "another process notices");
    let audit = registry.audit(1).await.unwrap();
    assert_eq!((audit[0].revision, &audit[0].by), (1, &Principal::System));
}

#[tokio::test]
async fn secrets_are_shown_as_changed_but_not_by_value() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    let items = |path: &str, digit: &str| {
        format!(
            "[[channel]]\nkind = \"webhook\"\nid = \"piket\"\nurl = \"https://example.org/{path}\"\nsecret_env = \"S\"\n\
             [[device]]\nusername = \"d\"\ntoken_sha256 = \"{}\"\npublish = [\"a/b\"]\n",
            digit.repeat(64)
        )
    };
    apply(&registry, &items("hidden1", "a"), false).await;
    let shown = apply(&registry, &items("hidden2", "b"), false).await;
    assert_eq!(shown, "~ channel piket: url (another one)\n~ device d: token_sha256 (another one)");
    assert!(registry.audit(9).await.unwrap().iter().all(|row| !row.difference.contains("hidden")));
    assert_eq!(registry.snapshot().devices["d"].token_sha256, "b".repeat(64));
}

#[tokio::test]
async fn of_two_plans_applied_at_once_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (open(directory.path()).await, open(directory.path()).await);
    let (first, second) = (plan(&one, BASE, false).await.unwrap(), plan(&two, BASE, false).await.unwrap());
    let by = by();
    let (first, second) = tokio::join!(one.apply(first, &by, NOW), two.apply(second, &by, NOW));
    assert_eq!([&first, &second].iter().filter(|result| result.is_ok()).count(), 1, "{first:?} {second:?}");
    assert_eq!(one.audit(9).await.unwrap().len(), 1);
}

const PEOPLE: &str = r#"
[[channel]]
kind = "email"
id = "mail"
host = "mail.example.org"
port = 465
security = "tls"
from = "bakau@example.org"

[[person]]
id = "sari"
name = "Sari"
email = "sari@example.org"

[[notification]]
id = "siaga"
min_level = "siaga"
people = ["sari"]
channels = ["mail"]

[[rule]]
id = "no-data"
name = "Diam"
condition = "no_data"
kind = "water"
waspada = { after_s = 900 }
source = "x"

[[rule]]
id = "no-data-rain"
name = "Diam"
condition = "no_data"
parameter = "rain"
kind = "water"
waspada = { after_s = 7200 }
source = "x"

[[rule]]
id = "warm"
name = "Panas"
parameter = "air_temperature"
kind = "water"
direction = "outside"
waspada = { low = { raise = 10, clear = 12 }, high = { raise = 38, clear = 36 } }
repeat_s = 3600
source = "x"

[[route]]
id = "lora"
topic = "v3/+/devices/+/up"
format = "tts"
devices = { "70B3D57ED0000001" = "mlg-01" }
time_zone = "Asia/Makassar"
tts = { values = [{ path = "/t", parameter = "air_temperature", unit = "Cel" }] }
"#;

#[tokio::test]
async fn people_rules_and_device_routes_are_read_back_as_written_and_changes_of_them_shown_in_the_words_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    apply(&registry, &format!("{BASE}{PEOPLE}"), false).await;
    drop(registry);
    let registry = open(directory.path()).await;
    assert!(plan(&registry, &format!("{BASE}{PEOPLE}"), false).await.unwrap().is_empty());
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.people["sari"].language, Language::Id);
    assert_eq!(snapshot.notification_routes["siaga"].about, bakau_registry::About::Both);
    assert_eq!(snapshot.routes[0].devices["70B3D57ED0000001"].as_str(), "mlg-01");
    let no_data = &snapshot.rules["no-data"];
    assert_eq!(no_data.condition.after_s().and_then(|after_s| after_s.waspada), Some(900));
    assert_eq!(snapshot.stations_of_rule(no_data), ["mlg-01".parse().unwrap()]);
    let changed = PEOPLE
        .replace("after_s = 900", "after_s = 600")
        .replace("parameter = \"rain\"", "parameter = \"ph\"")
        .replace("clear = 36", "clear = 35")
        .replace("\"air_temperature\"\nkind", "\"dew_point\"\nkind")
        .replace("port = 465", "port = 587")
        .replace("\"tls\"\nfrom", "\"starttls\"\nfrom")
        .replace("sari@example.org", "piket@example.org")
        .replace("min_level = \"siaga\"", "min_level = \"awas\"")
        .replace("\"Asia/Makassar\"", "\"Asia/Jayapura\"");
    assert_eq!(
        apply(&registry, &changed, false).await,
        "~ channel mail: port 465 -> 587, security tls -> starttls\n\
         ~ person sari: email sari@example.org -> piket@example.org\n\
         ~ notification siaga: min_level siaga -> awas\n\
         ~ route lora: time_zone Asia/Makassar -> Asia/Jayapura\n\
         ~ rule no-data: waspada 900 -> 600\n\
         ~ rule no-data-rain: parameter rain -> ph\n\
         ~ rule warm: parameter air_temperature -> dew_point, waspada.high.clear 36.0 -> 35.0"
    );
    let audit = registry.audit(1).await.unwrap();
    assert_eq!((audit[0].revision, audit[0].at, audit[0].by.name()), (2, NOW, "sari"));
    assert_eq!(audit[0].summary, "0 ditambah, 7 diubah, 0 dihapus");
}

/// A rule of a kind of condition as a catalogue has it: every kind can be written.
fn rule_of(kind: ConditionKind) -> String {
    let figures = match kind {
        ConditionKind::Threshold => "parameter = \"ph\"\ndirection = \"above\"\nsiaga = { raise = 9.0, clear = 8.5 }",
        ConditionKind::NoData | ConditionKind::SourceDown | ConditionKind::StoreDown => "siaga = { after_s = 900 }",
    };
    let id = kind.key().replace('_', "-");
    format!("[[rule]]\nid = \"{id}\"\nname = \"x\"\nsource = \"x\"\ncondition = \"{}\"\n{figures}\n", kind.key())
}

#[tokio::test]
async fn every_kind_of_condition_can_be_written_in_a_catalogue_and_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    let catalogue = ConditionKind::ALL.map(rule_of).concat();
    apply(&registry, &format!("{BASE}{catalogue}"), false).await;
    drop(registry);
    let snapshot = open(directory.path()).await.snapshot();
    let mut kinds: Vec<_> = snapshot.rules.values().map(|rule| rule.condition.kind()).collect();
    kinds.sort();
    assert_eq!(kinds, ConditionKind::ALL);
}

#[tokio::test]
async fn limits_of_a_datastream_override_those_of_its_parameter_and_survive_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path()).await;
    let quality = "[datastream.quality]\nsuspect = { min = 1.0, max = 12.0 }\nspike = { suspect = 2.0, fail = 4.0 }\n";
    let text = format!("{BASE}[[datastream]]\nid = \"mlg-01/do\"\ninterval_s = 60\n{quality}");
    apply(&registry, &text, false).await;
    drop(registry);
    let registry = open(directory.path()).await;
    assert!(plan(&registry, &text, false).await.unwrap().is_empty());
    let snapshot = registry.snapshot();
    let datastream = snapshot.datastream(&name("mlg-01/do")).unwrap();
    let limits = datastream.limits;
    assert_eq!(limits.suspect, Some(bakau_model::Range { min: 1.0, max: 12.0 }));
    assert_eq!(limits.fail, snapshot.parameters["do"].fail);
    let without = text.replace(quality, "");
    assert_eq!(
        apply(&registry, &without, false).await,
        "~ datastream mlg-01/do: quality.spike.fail 4.0 -> (none), quality.spike.suspect 2.0 -> (none), \
         quality.suspect.max 12.0 -> (none), quality.suspect.min 1.0 -> (none)"
    );
}
