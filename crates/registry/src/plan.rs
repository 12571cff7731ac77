//! What applying a catalogue would change: shown to people first, then written as one transaction.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bakau_model::{DatastreamId, DatastreamName, Language, UtcMillis};
use serde_json::Value;

use crate::{
    Catalogue,
    catalogue::{Items, Kind, Merged, messages},
    error::RegistryError,
    parameters,
    rows::{self, DamagedRow, Row, RowKey},
    snapshot::Snapshot,
};

/// What an apply would change; made against one revision and refused when another change came first.
#[derive(Debug, Clone)]
pub struct Plan {
    base_revision: u64,
    changes: Vec<Change>,
    pub(crate) writes: Writes,
}

/// One change as people see it.
#[derive(Debug, Clone, PartialEq)]
enum Change {
    Added { kind: Kind, id: String },
    Changed { kind: Kind, id: String, fields: Vec<FieldChange> },
    Removed { kind: Kind, id: String },
    Renamed { id: DatastreamName, before: DatastreamName, number: DatastreamId },
    Revived { id: DatastreamName, number: DatastreamId },
    Retired { id: DatastreamName, number: DatastreamId },
}

#[derive(Debug, Clone, PartialEq)]
struct FieldChange {
    path: String,
    before: Option<Value>,
    after: Option<Value>,
}

/// What is written, in this order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writes {
    pub(crate) datastreams: Vec<DatastreamWrite>,
    pub(crate) retired: Vec<DatastreamId>,
    /// Datastream and first instant of every deployment that may need a number.
    pub(crate) deployments: Vec<(DatastreamName, UtcMillis)>,
    pub(crate) deleted: Vec<RowKey>,
    pub(crate) upserted: Vec<(RowKey, Row)>,
}

/// A datastream to be inserted (without number) or brought up to date.
#[derive(Debug, Clone)]
pub(crate) struct DatastreamWrite {
    pub(crate) number: Option<DatastreamId>,
    pub(crate) name: DatastreamName,
    pub(crate) unit: String,
    pub(crate) json: String,
    pub(crate) aliases: Vec<DatastreamName>,
}

impl Plan {
    /// What applying a catalogue to what is registered would change. Without `prune`, what is in no file stays; with it,
    /// it is removed, and datastreams are retired.
    ///
    /// # Errors
    /// When the registry with the catalogue applied would not be valid, or what is registered is damaged.
    pub fn of(catalogue: &Catalogue, registered: &Snapshot, prune: bool) -> Result<Self, RegistryError> {
        let merged = catalogue.merge_into(registered, prune).map_err(RegistryError::Invalid)?;
        Ok(Self::new(registered, &merged)?)
    }

    /// The difference between what is registered and what should be.
    fn new(snapshot: &Snapshot, merged: &Merged) -> Result<Self, DamagedRow> {
        let numbers: BTreeSet<DatastreamId> = merged.numbers.values().copied().collect();
        let base = Items::of(snapshot, |number| numbers.contains(&number));
        let stored = rows::of(&base)?;
        let wanted = rows::of(&merged.items)?;
        let shown_base = rows::of(&base.renamed(&merged.renamed))?;
        Ok(Self {
            base_revision: snapshot.revision,
            changes: changes(snapshot, merged, &shown_base, &wanted)?,
            writes: Writes::new(merged, &stored, &wanted),
        })
    }

    /// The revision this plan was made against.
    #[must_use]
    pub const fn base_revision(&self) -> u64 {
        self.base_revision
    }

    /// Whether nothing would change.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The difference, one change a line: `+` added, `~` changed, `-` removed.
    #[must_use]
    pub fn render(&self, language: Language) -> String {
        if self.is_empty() {
            return messages(language).fill("plan_empty", &[("revision", &self.base_revision.to_string())]);
        }
        let lines: Vec<String> = self.changes.iter().map(|change| change.render(language)).collect();
        lines.join("\n")
    }

    /// How much would change, in one line.
    #[must_use]
    pub fn summary(&self, language: Language) -> String {
        let [mut added, mut changed, mut removed] = [0_usize; 3];
        for change in &self.changes {
            match change {
                Change::Added { .. } | Change::Revived { .. } => added += 1,
                Change::Changed { .. } | Change::Renamed { .. } => changed += 1,
                Change::Removed { .. } | Change::Retired { .. } => removed += 1,
            }
        }
        let [added, changed, removed] = [added, changed, removed].map(|count| count.to_string());
        messages(language).fill("summary", &[("added", &added), ("changed", &changed), ("removed", &removed)])
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Language::default()))
    }
}

impl Change {
    fn render(&self, language: Language) -> String {
        let messages = messages(language);
        match self {
            Self::Added { kind, id } => messages.fill("plan_added", &[("kind", kind.key()), ("id", id)]),
            Self::Removed { kind, id } => messages.fill("plan_removed", &[("kind", kind.key()), ("id", id)]),
            Self::Changed { kind, id, fields } => {
                let fields: Vec<String> = fields.iter().map(|field| field.render(language)).collect();
                messages.fill("plan_changed", &[("kind", kind.key()), ("id", id), ("fields", &fields.join(", "))])
            }
            Self::Renamed { id, before, number } => {
                let kind = Kind::Datastream.key();
                let (number, before) = (number.to_string(), before.as_str());
                let values = [("kind", kind), ("id", id.as_str()), ("before", before), ("number", number.as_str())];
                messages.fill("plan_renamed", &values)
            }
            Self::Revived { id, number } => numbered("plan_revived", id, *number, language),
            Self::Retired { id, number } => numbered("plan_retired", id, *number, language),
        }
    }
}

fn numbered(key: &str, id: &DatastreamName, number: DatastreamId, language: Language) -> String {
    let number = number.to_string();
    let kind = Kind::Datastream.key();
    messages(language).fill(key, &[("kind", kind), ("id", id.as_str()), ("number", number.as_str())])
}

impl FieldChange {
    fn render(&self, language: Language) -> String {
        let messages = messages(language);
        let path = if self.path == POSITION { messages.text("plan_position") } else { &self.path };
        if self.path == "token_sha256" {
            return format!("{path} {}", messages.text("plan_secret"));
        }
        let shown = |value: &Option<Value>| match value {
            None | Some(Value::Null) => messages.text("plan_nothing").to_owned(),
            Some(Value::String(text)) if self.path == "url" => without_path(text, messages.text("plan_secret")),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let (before, after) = (shown(&self.before), shown(&self.after));
        if before == after {
            format!("{path} {}", messages.text("plan_secret"))
        } else {
            format!("{path} {before} -> {after}")
        }
    }
}

/// Webhook addresses often carry their secret in the path: only the host is shown.
fn without_path(url: &str, hidden: &str) -> String {
    let host_from = url.find("://").map_or(0, |at| at + 3);
    let path_from = url[host_from..].find(['/', '?', '#']).map_or(url.len(), |at| host_from + at);
    if path_from == url.len() { url.to_owned() } else { format!("{}/{hidden}", &url[..path_from]) }
}

/// The path under which a change of a route's place is shown.
const POSITION: &str = "\u{0}position";

fn changes(
    snapshot: &Snapshot,
    merged: &Merged,
    base: &BTreeMap<RowKey, Row>,
    wanted: &BTreeMap<RowKey, Row>,
) -> Result<Vec<Change>, DamagedRow> {
    let (base, wanted) = (&ranked(base, wanted), &ranked(wanted, base));
    let mut found = Vec::new();
    for (name, number) in &merged.numbers {
        if snapshot.retired.contains_key(number) {
            found.push(Change::Revived { id: name.clone(), number: *number });
        }
    }
    for (before, id) in &merged.renamed {
        let number = merged.numbers[id];
        found.push(Change::Renamed { id: id.clone(), before: before.clone(), number });
    }
    for (name, number) in &merged.retired {
        found.push(Change::Retired { id: name.clone(), number: *number });
    }
    let is_listed = |(kind, id): &RowKey| {
        *kind == Kind::Datastream
            && id.parse().is_ok_and(|name: DatastreamName| {
                let revived = merged.numbers.get(&name).is_some_and(|number| snapshot.retired.contains_key(number));
                revived || merged.retired.contains_key(&name)
            })
    };
    let keys: BTreeSet<&RowKey> = base.keys().chain(wanted.keys()).filter(|key| !is_listed(key)).collect();
    for key in keys {
        let (kind, id) = (key.0, key.1.clone());
        match (base.get(key), wanted.get(key)) {
            (None, _) => found.push(Change::Added { kind, id }),
            (Some(_), None) if kept_for_history(key, merged) => {}
            (Some(_), None) => found.push(Change::Removed { kind, id }),
            (Some(before), Some(after)) => {
                let fields = field_changes(kind, before, after);
                if !fields.is_empty() {
                    found.push(Change::Changed { kind, id, fields });
                }
            }
        }
    }
    Ok(found)
}

/// The rows with the positions they have among those that are in `other` as well: what moves only because another one
/// comes or goes has not changed.
fn ranked(rows: &BTreeMap<RowKey, Row>, other: &BTreeMap<RowKey, Row>) -> BTreeMap<RowKey, Row> {
    let mut ranked = rows.clone();
    let mut moved: Vec<_> =
        ranked.iter_mut().filter(|(key, _)| key.0 == Kind::Route && other.contains_key(key)).collect();
    moved.sort_by_key(|(_, row)| row.position);
    for (position, (_, row)) in (0..).zip(moved) {
        row.position = position;
    }
    ranked
}

/// Whether a row is a deployment of a datastream that is being retired: its history still refers to it.
fn kept_for_history((kind, id): &RowKey, merged: &Merged) -> bool {
    let datastream = id.split(' ').next().and_then(|name| name.parse::<DatastreamName>().ok());
    *kind == Kind::Deployment && datastream.is_some_and(|name| merged.retired.contains_key(&name))
}

fn field_changes(kind: Kind, before: &Row, after: &Row) -> Vec<FieldChange> {
    let (old, new) = (leaves(before), leaves(after));
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let differs = |path: &&&String| old.get(**path) != new.get(**path);
    let change = |path: &String| FieldChange {
        path: written_path(kind, path),
        before: old.get(path).cloned(),
        after: new.get(path).cloned(),
    };
    paths.iter().filter(differs).map(|path| change(path)).collect()
}

/// The path as people write it in a catalogue file, where the stored item has its parts sorted otherwise.
fn written_path(kind: Kind, path: &str) -> String {
    if kind != Kind::Rule {
        return path.to_owned();
    }
    let of_condition = path.strip_prefix("condition.").and_then(|rest| rest.split_once('.')).map(|(_, field)| field);
    let field = of_condition.unwrap_or(path);
    field.strip_prefix("target.").map_or(field, |rest| rest.rsplit('.').next().unwrap_or(rest)).to_owned()
}

/// The values of a row by dotted path, after one trip through JSON, so that a number written to the file a moment ago
/// equals the one read from it.
fn leaves(row: &Row) -> BTreeMap<String, Value> {
    fn walk(path: &str, value: Value, found: &mut BTreeMap<String, Value>) {
        let under = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Value::Null => {}
            Value::Object(members) => members.into_iter().for_each(|(key, value)| walk(&under(&key), value, found)),
            Value::Array(members) => {
                for (index, value) in members.into_iter().enumerate() {
                    walk(&under(&index.to_string()), value, found);
                }
            }
            leaf @ (Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                found.insert(path.to_owned(), leaf);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk("", serde_json::from_str(&row.json).unwrap_or_default(), &mut found);
    found.insert(POSITION.to_owned(), (row.position + 1).into());
    found
}

impl Writes {
    fn new(merged: &Merged, stored: &BTreeMap<RowKey, Row>, wanted: &BTreeMap<RowKey, Row>) -> Self {
        let mut writes = Self { retired: merged.retired.values().copied().collect(), ..Self::default() };
        for (name, item) in &merged.items.datastreams {
            let key = (Kind::Datastream, name.to_string());
            let Some(row) = wanted.get(&key) else { continue };
            if merged.numbers.contains_key(name) && stored.get(&key).is_some_and(|old| leaves(old) == leaves(row)) {
                continue;
            }
            let unit = parameters().get(name.parameter()).map(|info| info.unit.to_string()).unwrap_or_default();
            writes.datastreams.push(DatastreamWrite {
                number: merged.numbers.get(name).copied(),
                name: name.clone(),
                unit,
                json: row.json.clone(),
                aliases: item.value.was.clone(),
            });
        }
        writes.deployments = merged.items.deployments.keys().cloned().collect();
        let in_items = |key: &&RowKey| key.0 != Kind::Datastream;
        writes.deleted = stored
            .keys()
            .filter(in_items)
            .filter(|key| !wanted.contains_key(*key) && !kept_for_history(key, merged))
            .cloned()
            .collect();
        let changed = |(key, row): &(&RowKey, &Row)| stored.get(*key).is_none_or(|old| leaves(old) != leaves(row));
        let upserted = wanted.iter().filter(|(key, _)| in_items(key)).filter(changed);
        writes.upserted = upserted.map(|(key, row)| (key.clone(), row.clone())).collect();
        writes
    }
}
