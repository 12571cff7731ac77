//! The catalogue of the demo, compiled in so that the demo needs no files.

use crate::CatalogueFile;

/// How long a level must be held in the demo, seconds: short, so that there is an alert within the first minute.
const DEMO_HOLD_S: u32 = 5;

/// The files of `deploy/catalogue`, with short holds in the rules and without devices: the demo makes those with fresh
/// tokens.
#[must_use]
pub fn demo_catalogue() -> Vec<CatalogueFile> {
    macro_rules! files {
        ($($name:literal),+) => {
            vec![$(CatalogueFile {
                path: concat!("deploy/catalogue/", $name).to_owned(),
                text: include_str!(concat!("../../../deploy/catalogue/", $name)).to_owned(),
            }),+]
        };
    }
    let mut files = files!(
        "cities.toml",
        "agencies.toml",
        "stations.toml",
        "routes.toml",
        "networks.toml",
        "channels.toml",
        "rules.toml"
    );
    for file in files.iter_mut().filter(|file| file.path.ends_with("rules.toml")) {
        file.text = with_short_holds(&file.text);
    }
    files
}

/// The same lines, so that errors still name them.
fn with_short_holds(rules: &str) -> String {
    let shortened = |line: &str| match line.strip_prefix("hold_s = ") {
        Some(_) => format!("hold_s = {DEMO_HOLD_S}\n"),
        None => format!("{line}\n"),
    };
    rules.lines().map(shortened).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Catalogue, Snapshot};

    #[test]
    fn the_demo_catalogue_is_valid() {
        let errors = Catalogue::parse(&demo_catalogue()).map(drop).unwrap_err_or_default();
        assert_eq!(errors, Vec::<String>::new());
    }

    #[test]
    fn the_rules_for_real_stations_and_every_example_are_valid() {
        let mut files = demo_catalogue();
        files.retain(|file| !file.path.ends_with("rules.toml"));
        let add = |path: &str, text: &str| CatalogueFile { path: path.to_owned(), text: text.to_owned() };
        files.push(add("rules.toml", include_str!("../../../deploy/catalogue/rules.toml")));
        files.push(add("devices.toml", include_str!("../../../deploy/catalogue/devices.toml.example")));
        files.push(add("people.toml", include_str!("../../../deploy/catalogue/people.toml.example")));
        let errors = Catalogue::parse_with(&files, &Snapshot::default()).map(drop).unwrap_err_or_default();
        assert_eq!(errors, Vec::<String>::new());
    }

    #[test]
    fn the_commented_webhook_is_valid_once_uncommented() {
        let text = include_str!("../../../deploy/catalogue/channels.toml");
        let uncommented: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| {
                line.starts_with('[') || line.starts_with(|c: char| c.is_ascii_lowercase()) && line.contains(" = \"")
            })
            .collect();
        let file = CatalogueFile { path: "channels.toml".to_owned(), text: uncommented.join("\n") };
        assert!(file.text.starts_with("[[channel]]"), "{}", file.text);
        let errors = Catalogue::parse(&[file]).map(drop).unwrap_err_or_default();
        assert_eq!(errors, Vec::<String>::new());
    }

    trait UnwrapErrOrDefault {
        fn unwrap_err_or_default(self) -> Vec<String>;
    }

    impl UnwrapErrOrDefault for Result<(), Vec<crate::CatalogueError>> {
        fn unwrap_err_or_default(self) -> Vec<String> {
            self.err().unwrap_or_default().iter().map(ToString::to_string).collect()
        }
    }
}
