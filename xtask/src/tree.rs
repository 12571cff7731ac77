//! What git knows of the repository: its files and folders, and the crates in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use anyhow::{Context, Result, ensure};

/// A repository by the paths in it, each written with `/` from the root.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: BTreeSet<String>,
    pub(crate) folders: BTreeSet<String>,
}

impl Tree {
    /// Every file that is there and tracked, or would be.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let arguments = ["ls-files", "--cached", "--others", "--exclude-standard"];
        let output = Command::new("git").args(arguments).current_dir(root).output();
        let output = output.context("could not ask git for the files")?;
        ensure!(output.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&output.stderr));
        let names = String::from_utf8(output.stdout).context("a file name is not UTF-8")?;
        Ok(Self::of(names.lines().filter(|name| root.join(name).is_file())))
    }

    pub(crate) fn of<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut tree = Self::default();
        for name in names {
            tree.files.insert(name.to_owned());
            let mut folder = name;
            while let Some((outer, _)) = folder.rsplit_once('/') {
                tree.folders.insert(outer.to_owned());
                folder = outer;
            }
        }
        tree
    }

    /// Files whose names end so.
    pub(crate) fn ending<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.iter().map(String::as_str).filter(move |name| name.ends_with(end))
    }

    /// Whether there is a file or folder of this path.
    pub(crate) fn holds(&self, path: &str) -> bool {
        path.is_empty() || self.files.contains(path) || self.folders.contains(path)
    }
}

/// A package of the repository.
#[derive(Debug)]
pub(crate) struct Package {
    /// The folder of its sources, with `/` at its end.
    pub(crate) sources: String,
    /// The packages of this repository that its `[dependencies]` name.
    pub(crate) uses: BTreeSet<String>,
    /// The same of its `[dev-dependencies]`.
    pub(crate) uses_in_tests: BTreeSet<String>,
}

/// Every package by name, those outside of the workspace included.
pub(crate) fn packages(root: &Path, tree: &Tree) -> Result<BTreeMap<String, Package>> {
    let mut found = BTreeMap::new();
    for manifest in tree.ending("Cargo.toml") {
        let text = fs::read_to_string(root.join(manifest)).with_context(|| format!("could not read {manifest}"))?;
        let Some(name) = package_name(&text) else { continue };
        let library = table(&text, "[lib]").find_map(|line| line.strip_prefix("path = "));
        let inside =
            library.and_then(|path| path.trim().trim_matches('"').split_once('/')).map_or("src", |(folder, _)| folder);
        let sources = format!("{}{inside}/", manifest.trim_end_matches("Cargo.toml"));
        found.insert(
            name.to_owned(),
            Package {
                sources,
                uses: dependencies(&text, "[dependencies]"),
                uses_in_tests: dependencies(&text, "[dev-dependencies]"),
            },
        );
    }
    let names: BTreeSet<String> = found.keys().cloned().collect();
    for package in found.values_mut() {
        package.uses.retain(|name| names.contains(name));
        package.uses_in_tests.retain(|name| names.contains(name));
    }
    Ok(found)
}

/// The lines of a table of a manifest.
fn table<'a>(manifest: &'a str, head: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = manifest.lines().skip_while(move |line| line.trim() != head).skip(1);
    lines.take_while(|line| !line.starts_with('['))
}

fn package_name(manifest: &str) -> Option<&str> {
    let line = table(manifest, "[package]").find_map(|line| line.strip_prefix("name = "))?;
    Some(line.trim().trim_matches('"'))
}

fn dependencies(manifest: &str, head: &str) -> BTreeSet<String> {
    let names = table(manifest, head).filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_says_its_name_and_what_it_uses_outside_of_tests() {
        let manifest = "[package]\nname = \"a\"\n\n[dependencies]\nb.workspace = true\n# c = \"1\"\nd = { path = \"d\" }\n\n\
                        [dev-dependencies]\ne.workspace = true\n";
        assert_eq!(package_name(manifest), Some("a"));
        assert_eq!(dependencies(manifest, "[dependencies]"), BTreeSet::from(["b", "d"].map(str::to_owned)));
        assert_eq!(dependencies(manifest, "[dev-dependencies]"), BTreeSet::from(["e".to_owned()]));
    }

    #[test]
    fn a_tree_knows_every_folder_of_its_files() {
        let tree = Tree::of(["a/b/c.rs"].into_iter());
        assert!(tree.holds("a/b/c.rs") && tree.holds("a/b") && tree.holds("a") && !tree.holds("b"));
    }
}
