//! `/api`: the API for people, with examples to copy.

use axum::http::{HeaderMap, header};
use bakau_dashboards::{
    page,
    view::{ReferenceExample, ReferenceGroup, ReferenceRoute, ReferenceView},
};
use bakau_model::Language;

use crate::{
    http::{
        call::{Answered, Call},
        language::texts,
    },
    pages::views,
    route::{Access, Body, RouteInfo, Tag},
    v1::openapi::{
        self,
        parameters::{Form, Parameter, parameter},
    },
};

/// Where an installation is in examples when the reader's own address for it cannot be told.
const PLACEHOLDER: &str = "http://bakau.example";
/// Longest host name that is repeated in examples.
const MAX_HOST: usize = 255;

/// The page.
pub(crate) fn page(routes: &[RouteInfo], call: &Call) -> Answered {
    let language = call.language();
    let say = |key| texts(language).fill(key, &[]);
    let view = ReferenceView {
        frame: views::frame(call),
        title: say("reference_title"),
        lead: say("reference_lead"),
        document: say("reference_document"),
        examples_title: say("reference_examples"),
        examples: examples(&base(&call.headers), language),
        cite: (say("reference_cite"), say("reference_cite_text")),
        words: ["reference_parameters", "reference_answers", "reference_problems"].map(say),
        groups: Tag::ALL.map(|tag| group(routes, tag, language)).into(),
    };
    views::show(call, page::reference(&view))
}

/// The address the reader used, so that examples can be pasted as they are.
fn base(headers: &HeaderMap) -> String {
    let plain = |host: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        !host.is_empty() && host.len() <= MAX_HOST && host.bytes().all(allowed)
    };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(plain);
    let secure = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    host.map_or_else(|| PLACEHOLDER.to_owned(), |host| format!("{}://{host}", if secure { "https" } else { "http" }))
}

fn group(routes: &[RouteInfo], tag: Tag, language: Language) -> ReferenceGroup {
    let routes = routes.iter().filter(|route| route.tag == tag).map(|route| route_view(route, language));
    ReferenceGroup { key: tag.key(), title: openapi::group(tag, language), routes: routes.collect() }
}

fn route_view(route: &RouteInfo, language: Language) -> ReferenceRoute {
    let access = match route.access {
        Access::Open => "reference_access_open",
        Access::Read => "reference_access_read",
        Access::Payloads | Access::Write => "reference_access_token",
    };
    let parameters = route.parameters.iter().filter_map(|key| parameter(key));
    let answer = |body: &Body| match body {
        Body::Json(answer) => format!("application/json: {}", (answer.name)()),
        Body::Events(answer) => format!("{}: {}", openapi::EVENT_STREAM, (answer.name)()),
        Body::Other(kind) => (*kind).to_owned(),
    };
    let problems = openapi::problems(route).into_iter();
    ReferenceRoute {
        method: route.method,
        path: route.path,
        summary: openapi::summary(route, language),
        access: texts(language).fill(access, &[]),
        parameters: parameters
            .map(|parameter| (parameter.name, form(parameter, language), openapi::meaning(parameter, language)))
            .collect(),
        answers: route.bodies.iter().map(answer).collect(),
        problems: problems
            .map(|(status, problems)| (status, problems.iter().map(|problem| problem.key()).collect()))
            .collect(),
    }
}

/// How a parameter is written.
fn form(parameter: &Parameter, language: Language) -> String {
    let written = match parameter.form {
        Form::Text | Form::Flags => parameter.example.to_owned(),
        Form::Time => "RFC 3339".to_owned(),
        Form::Words(words) => words.join(" | "),
        Form::Number(least, u64::MAX) => format!("{least}.."),
        Form::Number(least, most) => format!("{least}..{most}"),
    };
    if parameter.required { format!("{}, {written}", texts(language).text("reference_required")) } else { written }
}

/// The range of the examples: a month and a year of oxygen in the mangrove.
const MONTH: &str =
    "datastream=prb-bjbr-01/do&from=2026-03-01T00:00:00%2B07:00&to=2026-04-01T00:00:00%2B07:00&format=csv";
const YEAR: &str = "datastream=prb-bjbr-01/do&from=2026-01-01T00:00:00%2B07:00&to=2027-01-01T00:00:00%2B07:00\
                    &step=1d&tz=Asia/Jakarta&format=csv";

fn examples(base: &str, language: Language) -> Vec<ReferenceExample> {
    let stations = format!("{base}/api/v1/stations");
    let history = format!("{base}/api/v1/observations?{MONTH}");
    let means = format!("{base}/api/v1/aggregates?{YEAR}");
    let example = |title, code| ReferenceExample { title: texts(language).fill(title, &[]), code };
    vec![
        example("reference_example_stations", stations_code(&stations)),
        example("reference_example_history", history_code(&history)),
        example("reference_example_means", means_code(&means)),
    ]
}

type Code = Vec<(&'static str, String)>;

fn stations_code(url: &str) -> Code {
    vec![
        ("curl", format!("curl --compressed '{url}'")),
        ("R", format!("stations <- jsonlite::fromJSON(\"{url}\")$stations")),
        ("Python", format!("import requests\nstations = requests.get(\"{url}\").json()[\"stations\"]")),
    ]
}

fn history_code(url: &str) -> Code {
    let r = format!(
        "do <- read.csv(\"{url}\")\n\
         do$observed_at <- as.POSIXct(sub(\"Z$\", \"\", do$observed_at),\n                             \
         format = \"%Y-%m-%dT%H:%M:%OS\", tz = \"UTC\")\n\
         do <- subset(do, flag %in% c(1, 2, 3))"
    );
    let python = format!(
        "import pandas as pd\n\
         do = pd.read_csv(\"{url}\")\n\
         do[\"observed_at\"] = pd.to_datetime(do[\"observed_at\"], format=\"ISO8601\")\n\
         do = do[do[\"flag\"].isin([1, 2, 3])]"
    );
    vec![("curl", format!("curl --compressed -o do.csv '{url}'")), ("R", r), ("Python", python)]
}

fn means_code(url: &str) -> Code {
    let python = format!(
        "import pandas as pd\n\
         days = pd.read_csv(\"{url}\")\n\
         days = days[days[\"completeness\"] >= 0.75]"
    );
    vec![
        ("curl", format!("curl --compressed '{url}'")),
        ("R", format!("days <- read.csv(\"{url}\")\ndays <- subset(days, completeness >= 0.75)")),
        ("Python", python),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_use_the_readers_own_address_and_nothing_else_a_client_may_write_there() {
        let of = |host: &str| base(&HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]));
        assert_eq!(of("bakau.kota.go.id:8080"), "http://bakau.kota.go.id:8080");
        assert_eq!(of("[::1]:80"), "http://[::1]:80");
        assert_eq!(of("x'; rm -rf"), PLACEHOLDER);
        assert_eq!(base(&HeaderMap::new()), PLACEHOLDER);
    }
}
