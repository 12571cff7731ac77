//! The page that documents the API.

use super::Frame;

/// The API for people.
#[derive(Debug, Clone)]
pub struct ReferenceView {
    /// Around the page.
    pub frame: Frame,
    /// Heading.
    pub title: String,
    /// What holds for every answer.
    pub lead: String,
    /// Name of the link to the machine-readable document.
    pub document: String,
    /// Heading of the examples.
    pub examples_title: String,
    /// Commands to copy.
    pub examples: Vec<ReferenceExample>,
    /// Heading and text on how to cite the data.
    pub cite: (String, String),
    /// Words above the columns: parameters, answers, problems.
    pub words: [String; 3],
    /// Routes by subject.
    pub groups: Vec<ReferenceGroup>,
}

/// One thing to try, in several languages.
#[derive(Debug, Clone)]
pub struct ReferenceExample {
    /// What it gets.
    pub title: String,
    /// (Name of the language, code).
    pub code: Vec<(&'static str, String)>,
}

/// Routes of one subject.
#[derive(Debug, Clone)]
pub struct ReferenceGroup {
    /// Id within the page.
    pub key: &'static str,
    /// Heading.
    pub title: String,
    /// The routes.
    pub routes: Vec<ReferenceRoute>,
}

/// One route.
#[derive(Debug, Clone)]
pub struct ReferenceRoute {
    /// HTTP method.
    pub method: &'static str,
    /// Path, with `{placeholders}`.
    pub path: &'static str,
    /// What it does.
    pub summary: String,
    /// Who may use it.
    pub access: String,
    /// (Name, whether required and how written, meaning).
    pub parameters: Vec<(&'static str, String, String)>,
    /// Media types of its answers.
    pub answers: Vec<String>,
    /// (Status, keys of problem types).
    pub problems: Vec<(u16, Vec<&'static str>)>,
}
