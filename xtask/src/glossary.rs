//! Whether the Indonesian terms of docs/glossary.md are those that people read.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use crate::tree::Tree;

const GLOSSARY: &str = "docs/glossary.md";

/// Names every Indonesian term that no message file has.
pub(crate) fn check(root: &Path) -> Result<()> {
    let read = |name: &str| fs::read_to_string(root.join(name)).with_context(|| format!("could not read {name}"));
    let tree = Tree::read(root)?;
    let messages = tree.ending("messages/id.toml").map(read).collect::<Result<Vec<_>>>()?.concat();
    let glossary = read(GLOSSARY)?;
    let unknown = unknown(&glossary, &messages);
    if !unknown.is_empty() {
        bail!("no message file has these terms of {GLOSSARY}: {}", unknown.join(", "));
    }
    println!("glossary: {} terms", rows(&glossary).count());
    Ok(())
}

/// The rows of the tables with a column for Bahasa Indonesia.
fn rows(glossary: &str) -> impl Iterator<Item = [&str; 4]> {
    glossary.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let row = [cells.next()?, cells.next()?, cells.next()?, cells.next()?];
        (row[0] != "Our word").then_some(row)
    })
}

fn unknown(glossary: &str, messages: &str) -> Vec<String> {
    let messages = messages.to_lowercase();
    let texts: String = messages.lines().filter_map(|line| line.split_once(" = ")).map(|(_, text)| text).collect();
    let terms = rows(glossary).flat_map(|[.., indonesian, _]| indonesian.split(", "));
    terms.filter(|term| *term != "-" && !texts.contains(&term.to_lowercase())).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_indonesian_term_of_the_glossary_is_in_a_message_file() {
        check(&crate::run::workspace_root().unwrap()).unwrap();
    }

    #[test]
    fn a_term_that_nobody_reads_is_named() {
        let glossary = "| Our word | In the field | Bahasa Indonesia | Meaning |\n|---|---|---|---|\n\
                        | flag | QARTOD | tanda mutu | x |\n| lag | - | ketinggalan, - | x |\n| a | b | c |\n";
        assert_eq!(unknown(glossary, "ketinggalan = \"Tanda mutu\"\n"), ["ketinggalan"]);
    }
}
