//! A page in fragments, so that an open page gets only those that have changed (ADR 0031).
//!
//! A template puts `<!--[-->` before an element that has an id and `<!--]-->` behind it; fragments do not nest. Each gets
//! the hash of its text as `data-v`. A page that is open tells which hashes it holds; of these fragments it gets the
//! element alone, empty and marked `data-same`, which says where it stands.

use std::collections::HashSet;

use crate::assets::fnv1a;

const BEGIN: &str = "<!--[-->";
const END: &str = "<!--]-->";

/// Letters of a hash; 6 bits each.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.";
/// Letters of a hash: 48 bits tell apart what one page shows in its life.
const HASH_LETTERS: usize = 8;
/// Fragments a page may say that it holds.
const MAX_HELD: usize = 2_000;

type Hash = [u8; HASH_LETTERS];

/// The fragments that an open page holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held(HashSet<Hash>);

impl Held {
    /// Reads the hashes that a page sends, one behind the other. What is no hash, and what is beyond 2,000, counts as
    /// not held, so that it is sent again.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let (hashes, _) = text.as_bytes().as_chunks::<HASH_LETTERS>();
        Self(hashes.iter().take(MAX_HELD).copied().collect())
    }
}

/// The page without marks: fragments that are `held` as empty elements, all others with their hash.
#[must_use]
pub fn settle(page: &str, held: &Held) -> String {
    let mut settled = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((before, behind)) = rest.split_once(BEGIN) {
        let Some((fragment, after)) = behind.split_once(END) else { break };
        settled.push_str(before);
        push(&mut settled, fragment.trim(), held);
        rest = after;
    }
    settled.push_str(rest);
    settled
}

fn push(settled: &mut String, fragment: &str, held: &Held) {
    let hash = hash(fragment);
    let name_end = fragment.find([' ', '>']).unwrap_or(fragment.len());
    let (name, rest) = fragment.split_at(name_end);
    match id(rest).filter(|_| held.0.contains(&hash)) {
        Some(id) => {
            let tag = name.trim_start_matches('<');
            settled.push_str(&format!("<{tag} id=\"{id}\" data-same></{tag}>"));
        }
        None => {
            settled.push_str(name);
            settled.push_str(" data-v=\"");
            settled.extend(hash.map(char::from));
            settled.push('"');
            settled.push_str(rest);
        }
    }
}

/// The id of an element, of which `attributes` is what stands behind its name.
fn id(attributes: &str) -> Option<&str> {
    let (tag, _) = attributes.split_once('>')?;
    let (_, from) = tag.split_once(" id=\"")?;
    from.split_once('"').map(|(id, _)| id)
}

fn hash(text: &str) -> Hash {
    let hash = fnv1a(text.as_bytes());
    std::array::from_fn(|at| LETTERS[(hash >> (6 * at)) as usize & 63])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<ol><!--[--><li class=\"a\" id=\"x\">1</li><!--]--><!--[--><li id=\"y\">2</li><!--]--></ol>";

    fn hashes(page: &str) -> Vec<&str> {
        page.split("data-v=\"").skip(1).filter_map(|part| part.get(..HASH_LETTERS)).collect()
    }

    #[test]
    fn what_a_page_holds_comes_as_an_empty_element_and_the_rest_whole() {
        let first = settle(PAGE, &Held::default());
        let found = hashes(&first);
        assert_eq!(found.len(), 2);
        let with = |x: &str, y: &str| format!("<ol>{x}{y}</ol>");
        let x = format!("<li data-v=\"{}\" class=\"a\" id=\"x\">1</li>", found[0]);
        let y = format!("<li data-v=\"{}\" id=\"y\">2</li>", found[1]);
        assert_eq!(first, with(&x, &y));
        assert_eq!(settle(PAGE, &Held::parse(found[1])), with(&x, "<li id=\"y\" data-same></li>"));
        assert_eq!(
            settle(PAGE, &Held::parse(&found.concat())),
            with("<li id=\"x\" data-same></li>", "<li id=\"y\" data-same></li>")
        );
    }

    #[test]
    fn a_fragment_that_changed_is_sent_whole_though_its_id_is_held() {
        let first = settle(PAGE, &Held::default());
        let second = settle(&PAGE.replace(">2<", ">3<"), &Held::parse(&hashes(&first).concat()));
        assert!(second.contains("<li id=\"x\" data-same></li>") && second.contains(" id=\"y\">3</li>"), "{second}");
    }

    #[test]
    fn text_that_is_no_hash_holds_nothing() {
        for text in ["", "-", "short", "ü§$%&/()", "AAAAAAAAAAA"] {
            assert_eq!(settle(PAGE, &Held::parse(text)), settle(PAGE, &Held::default()), "{text}");
        }
        assert_eq!(Held::parse(&"AAAAAAAB".repeat(3_000)).0.len(), 1);
    }
}
