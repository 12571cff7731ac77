//! What several system tests share.

use std::path::Path;

use anyhow::Result;
use bakau_tests::{bakau::Bakau, mosquitto};

/// A configuration with the embedded broker only, every port free.
pub(crate) const BROKER_ONLY: &str =
    "[http]\nlisten = \"127.0.0.1:0\"\n[broker]\nlisten = \"127.0.0.1:0\"\naccept_past_days = 20000\n";

/// A configuration with one external broker only.
pub(crate) fn client_only(port: u16) -> String {
    let user = mosquitto::USERNAME;
    format!(
        "[http]\nlisten = \"127.0.0.1:0\"\n[broker]\nenabled = false\n[[source]]\nname = \"mosquitto\"\nhost = \"127.0.0.1\"\n\
         port = {port}\nusername = \"{user}\"\npassword_env = \"BAKAU_TEST_MQTT_PASSWORD\"\ntopics = [\"bakau/#\", \"replay/#\"]\n\
         accept_past_days = 20000\n"
    )
}

/// Bakau in a folder, with the environment that the tests' configurations name.
pub(crate) fn prepare(folder: &Path, configuration: &str, catalogue: &[(&str, String)]) -> Result<Bakau> {
    bakau_tests::install_tls();
    let mut bakau = Bakau::prepare(folder, configuration, catalogue)?;
    bakau.set_environment("BAKAU_TEST_MQTT_PASSWORD", mosquitto::PASSWORD);
    bakau.set_environment("BAKAU_TEST_SECRET", bakau_tests::sink::SECRET);
    Ok(bakau)
}
