//! A throw-away certificate authority and a server certificate for this machine, made with openssl.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// Files of an authority that exists for one test.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority's certificate (PEM), which clients are told to trust.
    pub authority: PathBuf,
    /// The server's certificate for `localhost` and `127.0.0.1`.
    pub certificate: PathBuf,
    /// The server's key.
    pub key: PathBuf,
}

impl Certificates {
    /// Makes them in a folder.
    ///
    /// # Errors
    /// When openssl is not installed or refuses.
    pub fn make(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let mut authority = vec!["req", "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem"];
        authority.extend(["-subj", "/CN=Bakau test authority"]);
        openssl(folder, authority.into_iter().chain(curve))?;
        let request = ["req", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"];
        openssl(folder, request.into_iter().chain(curve))?;
        fs::write(folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n")?;
        let signing = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        openssl(folder, signing.into_iter().chain(["-days", "2", "-out", "server.pem", "-extfile", "names"]))?;
        let file = |name: &str| folder.join(name);
        Ok(Self { authority: file("ca.pem"), certificate: file("server.pem"), key: file("server.key") })
    }
}

fn openssl<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output();
    let output = output.context("could not start openssl: is it installed?")?;
    if !output.status.success() {
        bail!("openssl failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
