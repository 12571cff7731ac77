use super::*;

#[test]
fn an_empty_file_is_the_default() {
    let config = Config::parse(Path::new("bakau.toml"), "").unwrap();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert!(config.broker.enabled);
}

#[test]
fn every_error_is_reported_at_once() {
    let text = "typo = 1\n[http]\nlisten = \"here\"\n[broker]\nenable = true\n[[source]]\nname = \"kota\"\n";
    let error = Config::parse(Path::new("bakau.toml"), text).unwrap_err().to_string();
    assert_eq!(error.lines().count(), 4, "{error}");
    assert!(error.contains("bakau.toml:1: unknown section 'typo'"), "{error}");
    assert!(error.contains("unknown field `enable`"), "{error}");
    assert!(error.contains("[[source]] number 1: missing field `host`"), "{error}");
}

#[test]
fn two_sources_of_one_name_are_refused() {
    let one = "[[source]]\nname = \"kota\"\nhost = \"h\"\ntopics = [\"a/#\"]\n";
    let error = Config::parse(Path::new("bakau.toml"), &one.repeat(2)).unwrap_err().to_string();
    assert!(error.contains("'kota' is used twice"), "{error}");
}

#[test]
fn two_sources_that_would_share_a_session_are_refused() {
    let source =
        |name: &str, more: &str| format!("[[source]]\nname = \"{name}\"\nhost = \"h\"\ntopics = [\"a/#\"]\n{more}\n");
    let said = |first: &str, second: &str| {
        let text = source("kota", first) + &source("desa", second);
        Config::parse(Path::new("bakau.toml"), &text).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let one_user = "username = \"bakau\"";
    assert!(
        said(one_user, one_user).contains("'desa': signs in as source 'kota' does"),
        "{}",
        said(one_user, one_user)
    );
    let own = |id: &str| format!("{one_user}\nclient_id = \"{id}\"");
    assert_eq!(said(&own("a"), &own("b")), "");
    assert!(said(&own("a"), &own("a")).contains("'desa': has the client_id of source 'kota'"));
    assert!(said("", "client_id = \"bakau-kota\"").contains("has the client_id"));
    assert_eq!(said(one_user, "username = \"lain\""), "");
}

#[test]
fn tls_zones_and_public_addresses_are_checked_with_everything_else() {
    let text = "[broker]\nlisten = \"0.0.0.0:1883\"\ntls_listen = \"0.0.0.0:8883\"\ntime_zone = \"WIB\"\n\
                [[source]]\nname = \"kota\"\nhost = \"h\"\ntopics = [\"a/#\"]\nca_file = \"ca.pem\"\n\
                [[source]]\nname = \"desa\"\nhost = \"h\"\ntopics = []\ntls = true\nca_file = \"none.pem\"\n\
                cert_file = \"c.pem\"\ntime_zone = \"Asia/Malang\"\n";
    let error = Config::parse(Path::new("bakau.toml"), text).unwrap_err().to_string();
    let expected = [
        "source 'kota': ca_file, cert_file, key_file and server_name need tls = true",
        "source 'desa': needs at least one topic",
        "source 'desa': cert_file and key_file belong together",
        "source 'desa': cannot read none.pem",
        "source 'desa': time_zone = \"Asia/Malang\" is no zone",
        "bakau.toml:1: [broker] listen = \"0.0.0.0:1883\" is not encrypted",
        "[broker] tls_listen needs cert_file and key_file",
        "[broker] time_zone = \"WIB\" is no zone",
    ];
    for words in expected {
        assert!(error.contains(words), "no {words} in:\n{error}");
    }
    assert_eq!(error.lines().count(), expected.len(), "{error}");
}

#[test]
fn a_plain_address_that_others_reach_needs_a_word_and_tls_changes_the_usual_port() {
    let text = "[broker]\nlisten = \"0.0.0.0:1883\"\nallow_plaintext = true\ntime_zone = \"Asia/Jakarta\"\n\
                [[source]]\nname = \"kota\"\nhost = \"h\"\ntopics = [\"a/#\"]\nprotocol = \"3.1.1\"\n";
    let config = Config::parse(Path::new("bakau.toml"), text).unwrap();
    let broker = SourceName::new(crate::sources::BROKER_SOURCE).unwrap();
    assert_eq!(config.time_zones(&broker)[&broker], "Asia/Jakarta");
    let mut source = config.sources[0].clone();
    assert_eq!((source.port(), source.protocol), (1883, Protocol::V311));
    source.tls = true;
    assert_eq!(source.port(), 8883);
}

#[test]
fn codes_for_no_value_hold_for_a_source_and_useless_ones_are_told() {
    let text = "[broker]\nmissing = [-9999, \"---\"]\n[[source]]\nname = \"desa\"\nhost = \"h\"\ntopics = [\"#\"]\n";
    let broker = SourceName::new("broker").unwrap();
    let config = Config::parse(Path::new("bakau.toml"), text).unwrap();
    let expected = vec![DeclaredCode::Number(-9999.0), DeclaredCode::Word("---".to_owned())];
    assert_eq!(config.missing(&broker), [(broker, expected)].into());
    let wrong = text.replace("-9999", "nan").replace("topics", "missing = [true]\ntopics");
    let error = Config::parse(Path::new("bakau.toml"), &wrong).unwrap_err().to_string();
    assert!(error.contains("[broker] missing: a code must be a finite number"), "{error}");
    assert!(error.contains("number 1: a number or a text"), "{error}");
}
