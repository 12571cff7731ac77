//! The page behind the link in a message: what it is about, and one button to acknowledge it.

use bakau_model::{Level, UtcMillis};

use crate::view::{AcknowledgementRow, Frame};

/// What the page of a link shows.
#[derive(Debug, Clone)]
pub struct LinkView {
    /// Around the content; its path is the link itself.
    pub frame: Frame,
    /// What can be done.
    pub state: LinkState,
    /// The alert; none where the link is not ours.
    pub alert: Option<LinkAlert>,
}

/// What can be done with a link.
#[derive(Debug, Clone)]
pub enum LinkState {
    /// Nobody has acknowledged the level that it has now.
    Open {
        /// What was wrong with the last try, in the page's language.
        error: Option<String>,
        /// The note of the last try.
        note: String,
    },
    /// Somebody has.
    Acknowledged(AcknowledgementRow),
    /// It ended by itself before anybody did.
    Closed(UtcMillis),
    /// The link is too old.
    Expired,
    /// The link was never made here, or its person is no longer registered.
    Invalid,
}

/// The alert of a link.
#[derive(Debug, Clone)]
pub struct LinkAlert {
    /// Path of the alert's own page.
    pub path: String,
    /// What happened, as the message said it.
    pub sentence: String,
    /// The station, or what else it is about.
    pub subject: String,
    /// The level now, as badges take it.
    pub level: Option<Level>,
    /// For whom the link is.
    pub person: String,
    /// Somebody who acknowledged a lower level than it has now.
    pub earlier: Option<AcknowledgementRow>,
}
