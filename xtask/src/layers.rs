//! Whether the crates use each other as ARCHITECTURE.md says, and whether the fences of deny.toml say the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail};

use crate::tree::{self, Tree};

const HEADING: &str = "## Who may see whom";
const OURS: &str = "bakau-";

/// What a crate uses: always, and in its tests.
type Uses = (BTreeSet<String>, BTreeSet<String>);

/// Names every difference between table, manifests and fences.
pub(crate) fn check(root: &Path) -> Result<()> {
    let read = |name: &str| fs::read_to_string(root.join(name)).with_context(|| format!("could not read {name}"));
    let real: BTreeMap<String, Uses> = tree::packages(root, &Tree::read(root)?)?
        .into_iter()
        // Fuzzers are no part of the workspace, and nothing is built on them.
        .filter(|(_, package)| !package.sources.contains("/fuzz/"))
        .map(|(name, package)| (name, (package.uses, package.uses_in_tests)))
        .collect();
    let architecture = read("ARCHITECTURE.md")?;
    let wrong = differences(&architecture, &real, &read("deny.toml")?);
    if !wrong.is_empty() {
        bail!("'{HEADING}' of ARCHITECTURE.md, the manifests and deny.toml differ:\n  {}", wrong.join("\n  "));
    }
    println!("layers: {} crates use each other as ARCHITECTURE.md says", real.len());
    Ok(())
}

fn differences(architecture: &str, real: &BTreeMap<String, Uses>, fences: &str) -> Vec<String> {
    let (crates, others) = tables(architecture);
    let mut wrong = Vec::new();
    for name in real.keys().chain(crates.keys()).collect::<BTreeSet<_>>() {
        match (real.get(name), crates.get(name)) {
            (Some(real), Some(said)) if real == said => {}
            (real, said) => wrong.push(format!("{name} uses {}, the table says {}", shown(real), shown(said))),
        }
    }
    let mut expected = others;
    for (name, (uses, in_tests)) in &crates {
        for used in uses.union(in_tests) {
            expected.entry(used.clone()).or_default().insert(name.clone());
        }
    }
    let found = wrappers(fences);
    for name in expected.keys().chain(found.keys()).collect::<BTreeSet<_>>() {
        if expected.get(name) != found.get(name) {
            let list = |of: &BTreeMap<String, BTreeSet<String>>| of.get(name).map_or("no fence".to_owned(), quoted);
            wrong.push(format!("fence of {name}: {}, by the table {}", list(&found), list(&expected)));
        }
    }
    wrong
}

fn shown(uses: Option<&Uses>) -> String {
    match uses {
        None => "nothing: it is not there".to_owned(),
        Some((uses, in_tests)) => format!("{} and in tests {}", quoted(uses), quoted(in_tests)),
    }
}

fn quoted(names: &BTreeSet<String>) -> String {
    format!("{:?}", names.iter().collect::<Vec<_>>())
}

/// The table of our crates, and that of other crates with those that may use them.
fn tables(architecture: &str) -> (BTreeMap<String, Uses>, BTreeMap<String, BTreeSet<String>>) {
    let section = architecture.lines().skip_while(|line| *line != HEADING).skip(1);
    let section = section.take_while(|line| !line.starts_with("## "));
    let (mut crates, mut others) = (BTreeMap::new(), BTreeMap::new());
    for line in section.filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (Some(name), Some(uses)) = (cells.first(), cells.last()) else { continue };
        let name = name.trim_matches('`').to_owned();
        if cells.len() == 2 {
            others.insert(name, names(uses));
            continue;
        }
        let (always, in_tests) = uses.split_once("; in tests ").unwrap_or((uses, "-"));
        crates.insert(name, (names(always), names(in_tests)));
    }
    (crates, others)
}

/// Crates of ours, by their short names.
fn names(list: &str) -> BTreeSet<String> {
    list.split(", ").filter(|name| *name != "-").map(|name| format!("{OURS}{name}")).collect()
}

/// Who may use which crate, as deny.toml says.
fn wrappers(fences: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for line in fences.lines().map(str::trim).filter(|line| line.starts_with("{ crate = ")) {
        let mut texts = line.split('"').skip(1).step_by(2).map(str::to_owned);
        if let Some(name) = texts.next().filter(|_| line.contains("wrappers = ")) {
            found.insert(name, texts.collect());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_use_each_other_as_the_architecture_says_and_the_fences_hold_them_to_it() {
        check(&crate::run::workspace_root().unwrap()).unwrap();
    }

    const TABLES: &str = "## Who may see whom\n\n| Crate | Folder | Holds | Uses |\n|---|---|---|---|\n\
                          | `bakau-a` | `a` | x | - |\n| `bakau-b` | `b` | x | a |\n| `bakau-c` | `c` | x | b; in tests a |\n\n\
                          | Other | Only in |\n|---|---|\n| `axum` | c |\n\n## Files\n| `bakau-d` | `d` | x | - |\n";
    const FENCES: &str = "    { crate = \"tonic\", reason = \"no\" },\n    { crate = \"axum\", wrappers = [\"bakau-c\"] },\n    \
                          { crate = \"bakau-a\", wrappers = [\"bakau-b\", \"bakau-c\"] },\n    \
                          { crate = \"bakau-b\", wrappers = [\"bakau-c\"] },\n";

    fn real(c_uses: &str) -> BTreeMap<String, Uses> {
        let uses = |uses: &str, in_tests: &str| (names(uses), names(in_tests));
        let crates = [("bakau-a", uses("-", "-")), ("bakau-b", uses("a", "-")), ("bakau-c", uses(c_uses, "a"))];
        crates.map(|(name, uses)| (name.to_owned(), uses)).into()
    }

    #[test]
    fn a_use_that_the_table_does_not_have_and_a_fence_with_a_hole_are_named() {
        assert_eq!(differences(TABLES, &real("b"), FENCES), Vec::<String>::new());
        let wrong = differences(TABLES, &real("a, b"), &FENCES.replace("[\"bakau-b\", \"bakau-c\"]", "[\"bakau-c\"]"));
        let [uses, fence] = wrong.as_slice() else { panic!("{wrong:?}") };
        assert!(uses.starts_with("bakau-c uses [\"bakau-a\", \"bakau-b\"]"), "{uses}");
        assert!(
            fence.starts_with("fence of bakau-a: [\"bakau-c\"], by the table [\"bakau-b\", \"bakau-c\"]"),
            "{fence}"
        );
    }
}
