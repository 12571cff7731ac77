//! Whether what documents and comments refer to is there: paths, links, headings, decision records and crates.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use anyhow::{Context, Result, bail};

use crate::tree::{self, Tree};

/// Endings by which a word is taken for a file of the repository, even without a folder.
const CODE: [&str; 2] = [".rs", ".md"];
/// Endings by which a word with a folder is taken for a file of the repository.
const DATA: [&str; 6] = [".toml", ".html", ".css", ".js", ".snap", ".svg"];
/// What stands around a word and does not belong to it.
const AROUND: [char; 14] = ['`', '(', ')', '[', ']', ',', '.', ';', ':', '"', '\'', '*', '!', '?'];

/// Names every reference that leads nowhere.
pub(crate) fn check(root: &Path) -> Result<()> {
    let tree = Tree::read(root)?;
    let crates = tree::packages(root, &tree)?.into_keys().collect();
    let mut documents = BTreeMap::new();
    for name in tree.ending(".md") {
        documents.insert(name.to_owned(), read(root, name)?);
    }
    let headings = documents.iter().map(|(name, text)| (name.clone(), anchors(text))).collect();
    let world = World { tree: &tree, crates, headings };
    let mut broken = Vec::new();
    for (name, text) in &documents {
        broken.extend(world.of_document(name, text));
    }
    for name in tree.ending(".rs") {
        let text = read(root, name)?;
        broken.extend(world.of_text(name, text.lines().map(|line| after(line, "//"))));
    }
    let fences = read(root, "deny.toml")?;
    broken.extend(world.of_text("deny.toml", fences.lines().map(|line| after(line, "#"))));
    if !broken.is_empty() {
        bail!("these lead nowhere:\n  {}", broken.join("\n  "));
    }
    println!("references: {} documents, and every comment", documents.len());
    Ok(())
}

fn read(root: &Path, name: &str) -> Result<String> {
    fs::read_to_string(root.join(name)).with_context(|| format!("could not read {name}"))
}

/// The comment of a line that is nothing else; empty for code.
fn after<'a>(line: &'a str, mark: &str) -> &'a str {
    line.trim_start().strip_prefix(mark).unwrap_or("")
}

/// What can be referred to.
struct World<'a> {
    tree: &'a Tree,
    crates: BTreeSet<String>,
    headings: BTreeMap<String, BTreeSet<String>>,
}

impl World<'_> {
    fn of_document(&self, name: &str, text: &str) -> Vec<String> {
        let mut broken = self.of_text(name, prose(text));
        for (number, line) in prose(text).enumerate() {
            let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            let lost = targets.map(|(target, _)| target).filter(|target| !self.is_linked(name, target));
            broken.extend(lost.map(|target| format!("{name}:{}: link to {target}", number + 1)));
        }
        broken
    }

    fn of_text<'t>(&self, name: &str, lines: impl Iterator<Item = &'t str>) -> Vec<String> {
        let mut broken = Vec::new();
        for (number, line) in lines.enumerate() {
            let mut before = "";
            for word in line.split([' ', '|', '\t']) {
                // Where a link leads is looked at apart.
                let bare = word.split_once("](").map_or(word, |(text, _)| text).trim_matches(AROUND);
                let found = match before {
                    "ADR" => self.is_record(bare),
                    "-p" => bare.contains('<') || self.crates.contains(bare),
                    _ => self.is_word(bare),
                };
                if !found {
                    broken.push(format!("{name}:{}: {bare}", number + 1));
                }
                before = bare;
            }
        }
        broken
    }

    /// Whether a word refers to nothing, or to something that is there.
    fn is_word(&self, word: &str) -> bool {
        if let Some((module, _)) = word.split_once("::")
            && module.starts_with("bakau_")
        {
            return self.crates.contains(&module.replace('_', "-"));
        }
        if word.strip_prefix("bakau-").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_lowercase())) {
            return self.crates.contains(word);
        }
        // A placeholder, an address, a route of the API.
        if word.contains(['<', '$', '@', '=']) || word.contains("://") || word.starts_with('/') {
            return true;
        }
        let path = word.trim_end_matches('/');
        let path = path.split_once('#').map_or(path, |(path, _)| path);
        let top = path.split_once('/').map(|(top, _)| top);
        let of_ours = top.is_some_and(|top| self.tree.folders.contains(top));
        let is_code = CODE.iter().any(|end| path.len() > end.len() && path.ends_with(end));
        let is_data = top.is_some() && DATA.iter().any(|end| path.ends_with(end));
        if !of_ours && !is_code && !is_data {
            return true;
        }
        spread(path).iter().all(|path| self.is_path(path))
    }

    /// Whether a file or folder has this path, from the root or from any folder above it.
    fn is_path(&self, path: &str) -> bool {
        let path = path.trim_start_matches("../");
        if let Some((folder, end)) = path.split_once('*') {
            let names = self.tree.files.iter();
            let folder = folder.trim_end_matches('/');
            return names
                .clone()
                .any(|name| name.ends_with(end) && (name.starts_with(folder) || name.contains(&format!("/{folder}"))));
        }
        let below = format!("/{path}");
        self.tree.holds(path) || self.tree.files.iter().chain(&self.tree.folders).any(|name| name.ends_with(&below))
    }

    /// Whether there is a decision record of this number.
    fn is_record(&self, number: &str) -> bool {
        if number.len() != 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return true;
        }
        let start = format!("docs/adr/{number}-");
        self.tree.files.iter().any(|name| name.starts_with(&start))
    }

    /// Whether a link of a document leads to a file, a folder or a heading.
    fn is_linked(&self, document: &str, target: &str) -> bool {
        if target.contains("://") || target.starts_with("mailto:") {
            return true;
        }
        let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
        let path = if path.is_empty() { document.to_owned() } else { beside(document, path) };
        let is_heading = |heading| self.headings.get(&path).is_some_and(|known| known.contains(heading));
        self.tree.holds(&path) && heading.is_none_or(is_heading)
    }
}

/// The lines of a document outside of its fenced blocks; those inside are empty.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().map(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        if fenced || fence { "" } else { line }
    })
}

/// The anchors of the headings of a document, as code forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.collect::<String>().replace(' ', "-")
}

/// A path that is relative to a document, from the root.
fn beside(document: &str, path: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." => {}
            other => parts.push(other),
        }
    }
    parts.join("/")
}

/// One path per alternative in braces.
fn spread(path: &str) -> Vec<String> {
    let parts = path.split_once('{').and_then(|(start, rest)| Some((start, rest.split_once('}')?)));
    let Some((start, (words, end))) = parts else { return vec![path.to_owned()] };
    words.split(',').map(|word| format!("{start}{word}{end}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_this_repository_leads_somewhere() {
        check(&crate::run::workspace_root().unwrap()).unwrap();
    }

    fn broken(text: &str) -> Vec<String> {
        let tree = Tree::of(["docs/a.md", "docs/adr/0001-x.md", "ingest/src/owner.rs"].into_iter());
        let headings = BTreeMap::from([("docs/a.md".to_owned(), anchors("# Two words, one `id`"))]);
        let world = World { tree: &tree, crates: BTreeSet::from(["bakau-model".to_owned()]), headings };
        world
            .of_document("docs/a.md", text)
            .into_iter()
            .map(|line| line.rsplit(' ').next().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_path_a_link_a_heading_a_record_and_a_crate_that_are_not_there_are_named() {
        let text =
            "`ingest/src/lost.rs` and `lost.rs`, [x](lost.md) [y](#lost) ADR 0002 `bakau_lost::X` cargo -p bakau-lost";
        let lost = ["ingest/src/lost.rs", "lost.rs", "0002", "bakau_lost::X", "bakau-lost", "lost.md", "#lost"];
        assert_eq!(broken(text), lost);
    }

    #[test]
    fn what_is_there_and_what_is_no_reference_is_left_alone() {
        let text = "`ingest/src/owner.rs`, `src/{owner,owner}.rs`, `ingest/src/*.rs` [x](a.md#two-words-one-id) (ADR 0001)\n\
                    `bakau_model::X`, `/api/v1/x.md`, https://example.org/y.md, `<name>.rs`, and/or\n\
                    ```\nlost.rs\n```\n";
        assert_eq!(broken(text), Vec::<String>::new());
    }
}
