//! Import cycles between the modules of a crate: two modules that import each other can only be read together.
//!
//! Imports are read from `use` statements outside of tests. A name that a module exports again counts as imported from the
//! module that has it. A module and those in its folder are one thing to read: imports between them are not counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail};

use crate::tree::{self, Tree};

/// The cycles that stay for now, by package: smaller ones may stay within them, others are refused.
const KNOWN: &[(&str, &[&str])] = &[];

/// The segments of a module's path or of an import; none for the root of the crate.
type Names = Vec<String>;

/// Prints every cycle and fails on those that are not known, and on known ones that are gone.
pub(crate) fn check(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let mut wrong = Vec::new();
    let mut gone: BTreeSet<_> = KNOWN.iter().collect();
    for (package, place) in tree::packages(root, &tree)? {
        let sources = read(root, &tree, &place.sources)?;
        for cycle in cycles(&imports(&sources)) {
            println!("import cycle in {package}: {}", cycle.join(", "));
            let within = |known: &&(&str, &[&str])| {
                known.0 == package && cycle.iter().all(|name| known.1.contains(&name.as_str()))
            };
            match KNOWN.iter().find(within) {
                Some(known) => drop(gone.remove(known)),
                None => wrong.push(format!("new cycle in {package}: {}", cycle.join(", "))),
            }
        }
    }
    wrong.extend(
        gone.iter().map(|(package, cycle)| format!("no longer there, take it off the list: {package}: {cycle:?}")),
    );
    if !wrong.is_empty() {
        bail!("import cycles (xtask/src/modules.rs has the list):\n  {}", wrong.join("\n  "));
    }
    Ok(())
}

/// The text of every module below a folder, by path. Modules of tests are left out.
fn read(root: &Path, tree: &Tree, folder: &str) -> Result<BTreeMap<Names, String>> {
    let mut modules = BTreeMap::new();
    for file in tree.ending(".rs") {
        let Some(path) = file.strip_prefix(folder).and_then(|path| path.strip_suffix(".rs")) else { continue };
        let mut names: Names = path.split('/').map(str::to_owned).collect();
        if names.iter().any(|name| name == "tests" || name == "testing" || name.ends_with("_tests")) {
            continue;
        }
        if names.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
            names.pop();
        }
        modules.insert(names, fs::read_to_string(root.join(file)).with_context(|| format!("could not read {file}"))?);
    }
    Ok(modules)
}

/// Which modules each module imports from.
fn imports(sources: &BTreeMap<Names, String>) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<&Names> = sources.keys().collect();
    let mut exports = BTreeMap::new();
    let mut written = Vec::new();
    for (module, text) in sources {
        for (is_public, import) in uses(text) {
            let Some(path) = absolute(&modules, module, &import) else { continue };
            if let Some(name) = path.last().filter(|_| is_public) {
                exports.insert((module.clone(), name.clone()), path.clone());
            }
            written.push((module, path));
        }
    }
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, path) in written {
        let from = home(&modules, &exports, path);
        if !from.starts_with(module) && !module.starts_with(&from) {
            found.entry(module.join("::")).or_default().insert(from.join("::"));
        }
    }
    found
}

/// The path of an import from the root of the crate; `None` for other crates.
fn absolute(modules: &BTreeSet<&Names>, module: &Names, import: &str) -> Option<Names> {
    let mut names: Names = import.split("::").map(str::to_owned).collect();
    let first = names.first()?.clone();
    let mut base = module.clone();
    match first.as_str() {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            while names.first().is_some_and(|name| name == "super") {
                base.pop();
                names.remove(0);
            }
            base.extend(names);
            return Some(base);
        }
        _ => {
            base.extend(names);
            let child = base.get(..=module.len())?.to_vec();
            return modules.contains(&child).then_some(base);
        }
    }
    base.extend(names.into_iter().skip(1));
    Some(base)
}

/// The module that has what a path names, behind whatever exports it again.
fn home(modules: &BTreeSet<&Names>, exports: &BTreeMap<(Names, String), Names>, mut path: Names) -> Names {
    // A name is exported again a few times at most.
    for _ in 0..8 {
        let mut module = path.clone();
        while !module.is_empty() && !modules.contains(&module) {
            module.pop();
        }
        let rest = path.get(module.len()..).unwrap_or_default();
        let again = rest.first().and_then(|name| exports.get(&(module.clone(), name.clone())));
        match again.filter(|again| **again != path) {
            Some(again) => path = again.iter().chain(rest.iter().skip(1)).cloned().collect(),
            None => return module,
        }
    }
    path
}

/// Every import of a file outside of tests, one name each, and whether it is exported again.
fn uses(text: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if line.trim() == "#[cfg(test)]" {
            let item = lines.by_ref().find(|line| !line.trim_start().starts_with("#[")).unwrap_or_default();
            if item.ends_with('{') {
                let end =
                    |line: &&str| line.trim_start().starts_with('}') && line.len() - line.trim_start().len() == indent;
                let _ = lines.by_ref().find(end);
            } else if !item.ends_with([';', '}']) {
                let _ = lines.by_ref().find(|line| line.ends_with(';'));
            }
            continue;
        }
        let bare = line.trim_start();
        let is_public = bare.starts_with("pub");
        let bare = bare.strip_prefix("pub(crate) ").or_else(|| bare.strip_prefix("pub ")).unwrap_or(bare);
        let bare = bare.strip_prefix("pub(super) ").unwrap_or(bare);
        let Some(start) = bare.strip_prefix("use ") else { continue };
        let mut statement = start.to_owned();
        while !statement.ends_with(';') {
            let Some(more) = lines.next() else { break };
            statement.push_str(more.trim());
        }
        spread("", statement.trim_end_matches(';'), &mut |name| found.push((is_public, name)));
    }
    found
}

/// The names of a tree of imports.
fn spread(before: &str, tree: &str, found: &mut impl FnMut(String)) {
    let tree = tree.trim();
    let Some((head, inner)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or(tree).trim_end_matches("::*");
        return found(format!("{before}{name}").trim_end_matches("::self").to_owned());
    };
    let before = format!("{before}{head}");
    let (mut depth, mut start) = (0_usize, 0);
    for (place, letter) in inner.char_indices() {
        match letter {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                if let Some(branch) = inner.get(start..place).filter(|branch| !branch.trim().is_empty()) {
                    spread(&before, branch, found);
                }
                start = place + 1;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

/// Groups of modules each of which leads to each other one.
fn cycles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|module| (module, reach(imports, module))).collect();
    let mut cycles = BTreeSet::new();
    for (module, there) in &reached {
        let back = |other: &&&String| reached.get(**other).is_some_and(|there| there.contains(module));
        let cycle: Vec<String> = there.iter().filter(back).map(|name| (**name).clone()).collect();
        if !cycle.is_empty() {
            cycles.insert(cycle);
        }
    }
    cycles.into_iter().collect()
}

fn reach<'a>(imports: &'a BTreeMap<String, BTreeSet<String>>, module: &String) -> BTreeSet<&'a String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&String> = imports.get(module).into_iter().flatten().collect();
    while let Some(next) = open.pop() {
        if reached.insert(next) {
            open.extend(imports.get(next).into_iter().flatten());
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_crate_of_this_repository_has_a_new_import_cycle() {
        check(&crate::run::workspace_root().unwrap()).unwrap();
    }

    fn found(sources: &[(&str, &str)]) -> Vec<Vec<String>> {
        let names = |module: &str| module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        cycles(&imports(&sources.iter().map(|(module, text)| (names(module), (*text).to_owned())).collect()))
    }

    #[test]
    fn modules_that_import_each_other_are_a_cycle_even_through_a_name_that_is_exported_again() {
        let root = ("", "mod a;\nmod b;\nmod c;\npub use c::C;\n");
        let a = ("a", "use std::fmt;\nuse crate::{\n    b::{self, B},\n    C,\n};\n");
        assert_eq!(found(&[root, a, ("b", "use super::C;\n"), ("c", "use crate::a::A;\n")]), [["a", "b", "c"]]);
        assert_eq!(found(&[root, a, ("b", ""), ("c", "")]), Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_folder_is_one_thing_and_tests_may_import_what_they_like() {
        let a = ("a", "mod inner;\nuse inner::X;\nuse crate::b::B;\n");
        let b = ("b", "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n");
        assert_eq!(found(&[("", ""), a, ("a::inner", "use super::Y;\n"), b]), Vec::<Vec<String>>::new());
    }
}
