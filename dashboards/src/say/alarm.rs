//! What a page says in title, icon and `data-alarms` of alerts that somebody should look at.

use bakau_model::Level;

use super::Say;
use crate::{assets, view::Alarm};

impl Say<'_> {
    /// The worst level of what nobody has acknowledged, and how many alerts have it.
    fn worst(&self) -> Option<(Level, usize)> {
        let worst = self.frame.alarms.iter().map(|alarm| alarm.level).max()?;
        Some((worst, self.frame.alarms.iter().filter(|alarm| alarm.level == worst).count()))
    }

    /// `(2 Siaga) `, to stand in front of the title; empty where nothing waits for somebody.
    pub(crate) fn alarm(&self) -> String {
        let signal = |level| super::messages(bakau_model::Language::Id).text(super::level_key(Some(level)));
        self.worst().map(|(level, count)| format!("({count} {}) ", signal(level))).unwrap_or_default()
    }

    /// The icon in the colour of the worst level.
    pub(crate) fn icon(&self) -> String {
        assets::path(match self.worst() {
            Some((Level::Awas, _)) => "icon-awas.svg",
            Some((Level::Siaga, _)) => "icon-siaga.svg",
            Some((Level::Waspada | Level::Normal, _)) | None => "icon.svg",
        })
    }

    /// Which they are, each at its level, for the script that sounds for new ones.
    pub(crate) fn alarms(&self) -> String {
        let known = |alarm: &Alarm| format!("{}.{}", alarm.id, alarm.level.key());
        self.frame.alarms.iter().map(known).collect::<Vec<_>>().join(" ")
    }

    /// A path as others reach it, where that is known.
    pub(crate) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.frame.site.as_deref().unwrap_or_default())
    }
}
