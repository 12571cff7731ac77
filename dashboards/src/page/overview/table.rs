//! Stations as lines of a table: which columns there are, and which value decides how a station is.

use std::cmp::Reverse;

use bakau_model::{Level, Parameter, Text, Unit};

use crate::view::{OverviewFilter, SortBy, StationCard, ValueCell};

/// Columns of values: more do not fit beside the map.
const MOST_PARAMETERS: usize = 3;

/// The columns that depend on what is shown.
pub(in crate::page) struct Table {
    pub(in crate::page) level: Column,
    pub(in crate::page) name: Column,
    pub(in crate::page) city: Column,
    pub(in crate::page) agency: Column,
    pub(in crate::page) age: Column,
    /// The parameters that most of the stations measure.
    pub(in crate::page) parameters: Vec<ParameterColumn>,
}

/// The heading of a column that the table can be sorted by.
pub(in crate::page) struct Column {
    /// Sorts by it, or turns the order round.
    pub(in crate::page) path: String,
    /// How it is sorted now, in the words of ARIA; `None` where it is not.
    pub(in crate::page) sorted: Option<&'static str>,
}

/// A column of the values of a parameter.
pub(in crate::page) struct ParameterColumn {
    pub(in crate::page) label: Text,
    pub(in crate::page) unit: Unit,
    pub(in crate::page) column: Column,
    code: String,
}

impl ParameterColumn {
    /// The value of a station in this column.
    pub(in crate::page) fn of<'a>(&self, card: &'a StationCard) -> Option<&'a ValueCell> {
        cell_of(card, &self.code)
    }
}

impl Table {
    pub(super) fn new(shown: &[&StationCard], filter: &OverviewFilter) -> Self {
        let direction = if filter.sort.falling { "descending" } else { "ascending" };
        let column = |by: SortBy| Column {
            sorted: (filter.sort.by == by).then_some(direction),
            path: OverviewFilter { sort: filter.sort.toward(by), ..filter.clone() }.path(),
        };
        let parameter = |cell: &ValueCell| {
            let by = SortBy::Parameter(Parameter::new(cell.datastream.parameter()).ok()?);
            let (label, unit) = (cell.label.clone(), cell.unit.clone());
            Some(ParameterColumn { label, unit, column: column(by), code: cell.datastream.parameter().to_owned() })
        };
        Self {
            level: column(SortBy::Level),
            name: column(SortBy::Name),
            city: column(SortBy::City),
            agency: column(SortBy::Agency),
            age: column(SortBy::Age),
            parameters: frequent(shown).into_iter().filter_map(parameter).collect(),
        }
    }

    /// How many columns there are.
    pub(in crate::page) const fn width(&self) -> usize {
        6 + self.parameters.len()
    }
}

/// A value of each of the parameters that most stations measure.
fn frequent<'a>(shown: &[&'a StationCard]) -> Vec<&'a ValueCell> {
    let mut found: Vec<(&ValueCell, usize)> = Vec::new();
    for card in shown {
        for cell in &card.values {
            let parameter = cell.datastream.parameter();
            match found.iter_mut().find(|(known, _)| known.datastream.parameter() == parameter) {
                Some((known, count)) => {
                    // The name without a qualifier fits every station.
                    let plain = cell.datastream.qualifier().is_none() && known.datastream.qualifier().is_some();
                    (*known, *count) = (if plain { cell } else { *known }, *count + 1);
                }
                None => found.push((cell, 1)),
            }
        }
    }
    // Those equally frequent by name: the columns stay when the worst station is another.
    found.sort_by_key(|(cell, count)| (Reverse(*count), cell.datastream.parameter().to_owned()));
    found.into_iter().take(MOST_PARAMETERS).map(|(cell, _)| cell).collect()
}

/// The value of a parameter at a station; where it is measured several times the worst.
pub(super) fn cell_of<'a>(card: &'a StationCard, parameter: &str) -> Option<&'a ValueCell> {
    let cells = card.values.iter().filter(|cell| cell.datastream.parameter() == parameter);
    // `max_by_key` takes the last of equals.
    cells.rev().max_by_key(|cell| (cell.level, cell.value.is_some()))
}

/// The value that decides how a station is: the worst; of those equally bad the most important that there is.
pub(in crate::page) fn worst(card: &StationCard) -> Option<&ValueCell> {
    card.values.iter().rev().max_by_key(|cell| (Level::Normal < cell.level, cell.value.is_some(), cell.level))
}
