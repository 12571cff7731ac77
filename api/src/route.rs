//! What is said of a route: method, path, who may use it, who answers, and what it takes and answers.

use axum::routing::MethodRouter;
use utoipa::ToSchema;

use crate::{http::error::ProblemType, state::AppState, v1::openapi::Answer};

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody, always.
    Open,
    /// Everybody, unless reading is closed by configuration.
    Read,
    /// Holders of the admin token, because payloads or people are shown.
    Payloads,
    /// Holders of the admin token, because something is changed.
    Write,
}

bakau_model::words! {
    /// Groups of routes, in the order documents list them.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Tag {
        /// What is registered.
        Registry => "registry",
        /// Values: present, past and summed up.
        Values => "values",
        /// Alerts and rules.
        Alerts => "alerts",
        /// Bakau itself.
        Operation => "operation",
        /// Pages and pictures for people.
        Pages => "pages",
    }
}

/// One thing a successful answer may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    /// JSON of a type.
    Json(Answer),
    /// Server-sent events of a type.
    Events(Answer),
    /// Another media type.
    Other(&'static str),
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub struct RouteInfo {
    /// HTTP method.
    pub method: &'static str,
    /// Path, with `{placeholders}`.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    /// Whether it answers with a page for people (problems, too).
    pub page: bool,
    pub(crate) handler: fn() -> MethodRouter<AppState>,
    /// Unique; its message key is `route_` and this.
    pub(crate) key: &'static str,
    pub(crate) tag: Tag,
    /// Keys of parameters.
    pub(crate) parameters: &'static [&'static str],
    pub(crate) bodies: &'static [Body],
    /// Whether it answers 304 to a client that has the content already.
    pub(crate) conditional: bool,
    /// Problems of its own, beside those every route can have.
    pub(crate) problems: &'static [ProblemType],
}

/// A route that reads and takes the language; what else it is stands behind it.
pub(crate) const fn route(
    path: &'static str,
    key: &'static str,
    tag: Tag,
    access: Access,
    handler: fn() -> MethodRouter<AppState>,
) -> RouteInfo {
    RouteInfo {
        method: "GET",
        path,
        access,
        page: false,
        handler,
        key,
        tag,
        parameters: &["lang"],
        bodies: &[],
        conditional: false,
        problems: &[],
    }
}

impl RouteInfo {
    pub(crate) const fn post(mut self) -> Self {
        self.method = "POST";
        self
    }

    pub(crate) const fn page(mut self) -> Self {
        (self.page, self.bodies) = (true, &[Body::Other("text/html")]);
        self
    }

    pub(crate) const fn takes(mut self, parameters: &'static [&'static str]) -> Self {
        self.parameters = parameters;
        self
    }

    pub(crate) const fn answers(mut self, bodies: &'static [Body]) -> Self {
        self.bodies = bodies;
        self
    }

    pub(crate) const fn tagged(mut self) -> Self {
        self.conditional = true;
        self
    }

    pub(crate) const fn fails(mut self, problems: &'static [ProblemType]) -> Self {
        self.problems = problems;
        self
    }
}

/// Server-sent events of this type.
pub(crate) const fn events<T: ToSchema>() -> Body {
    Body::Events(Answer::of::<T>())
}

/// JSON of this type.
pub(crate) const fn json<T: ToSchema>() -> Body {
    Body::Json(Answer::of::<T>())
}
