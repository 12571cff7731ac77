//! The mapped places of a JSON document as a tree of keys.

use std::borrow::Cow;

/// The target of a mapped place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The value of a slot.
    Value(usize),
    /// A time, by its place in the order of preference.
    Time(usize),
    /// A time that several elements of an array may have, of which the first counts; else like `Time`.
    FirstTime(usize),
    /// An id of the device, by its place in the order of preference.
    Device(usize),
    /// The array whose elements are sets of readings.
    Sets,
    /// The object in which a network server puts what it decoded.
    Body,
    /// `true` where the network only pretends that the device sent something.
    Simulated,
    /// Part of the id of the radio frame.
    Frame(FramePart),
}

/// Part of the id of a radio frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FramePart {
    /// The counter of the device.
    Counter,
    /// Session of the device; the counter may begin anew with each.
    Session,
    /// Payload of the device, not decoded.
    Content,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A key of an object, or an index of an array.
    Key(Cow<'a, str>),
    /// Every element of an array.
    Each,
}

/// One step of the mapped paths.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// Steps below, by key.
    pub(super) children: Vec<(Box<str>, Node)>,
    /// Steps below that hold for every element of an array.
    pub(super) each: Option<Box<Node>>,
    /// Targets mapped here.
    pub(super) targets: Vec<Target>,
}

impl Node {
    pub(super) fn insert(&mut self, path: &[Step<'_>], target: Target) {
        match path.split_first() {
            None => self.targets.push(target),
            Some((Step::Each, rest)) => self.each.get_or_insert_default().insert(rest, target),
            Some((Step::Key(key), rest)) => {
                let index = match self.position(key) {
                    Ok(index) => index,
                    Err(index) => {
                        self.children.insert(index, (key.as_ref().into(), Self::default()));
                        index
                    }
                };
                if let Some((_, child)) = self.children.get_mut(index) {
                    child.insert(rest, target);
                }
            }
        }
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.children.binary_search_by(|(own, _)| (**own).cmp(key))
    }

    /// What is mapped below a key of an object.
    pub(super) fn child(&self, key: &str) -> Option<&Self> {
        self.position(key).ok().and_then(|index| self.children.get(index)).map(|(_, child)| child)
    }

    /// What is mapped below an element of an array.
    pub(super) fn element(&self, index: usize) -> Option<&Self> {
        let is_this = |(key, _): &&(Box<str>, Self)| array_index(key) == Some(index);
        let own = self.children.iter().find(is_this).map(|(_, child)| child);
        own.or(self.each.as_deref())
    }

    /// Whether paths go on into the elements of an array.
    pub(super) fn is_array(&self) -> bool {
        self.each.is_some() || self.children.iter().any(|(key, _)| array_index(key).is_some())
    }
}

/// The steps of a JSON Pointer; a leading slash may be missing, because people forget it.
pub(super) fn pointer(path: &str) -> Vec<Step<'_>> {
    if path.is_empty() {
        return Vec::new();
    }
    let unescaped = |key: &str| key.replace("~1", "/").replace("~0", "~");
    path.strip_prefix('/').unwrap_or(path).split('/').map(|key| Step::Key(Cow::Owned(unescaped(key)))).collect()
}

/// The array index a key stands for (RFC 6901: digits without leading zeros).
fn array_index(key: &str) -> Option<usize> {
    let canonical = key == "0" || (!key.starts_with('0') && !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit()));
    if canonical { key.parse().ok() } else { None }
}
