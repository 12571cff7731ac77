//! TLS for client sources and for the embedded broker: certificate files in, rustls configurations out, with errors that
//! an administrator can act on.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, RootCertStore,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

/// A certificate chain and its private key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those it was signed with.
    pub cert_file: PathBuf,
    /// Its private key, not encrypted.
    pub key_file: PathBuf,
}

/// Trusted authorities and own certificate of a client source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// The authorities it trusts (PEM); without it, those of the operating system.
    pub ca_file: Option<PathBuf>,
    /// Its own certificate, where the broker asks for one.
    pub identity: Option<CertificateFiles>,
}

/// Why certificate files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no PEM certificate (-----BEGIN CERTIFICATE-----)", .0.display())]
    NoCertificate(PathBuf),
    /// A file holds no private key.
    #[error("{} holds no PEM private key, or an encrypted one", .0.display())]
    NoKey(PathBuf),
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("{} and {} cannot be used together: {reason}", files.cert_file.display(), files.key_file.display())]
    Unusable {
        /// The two files.
        files: CertificateFiles,
        /// What rustls says.
        reason: String,
    },
    /// A certificate of an authority is none.
    #[error("{} holds a certificate that cannot be trusted: {reason}", path.display())]
    BadAuthority {
        /// The file.
        path: PathBuf,
        /// What rustls says.
        reason: String,
    },
    /// The operating system trusts nobody.
    #[error("this machine has no trusted certificates: name the broker's authority with ca_file")]
    NoAuthorities,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFileError> {
    std::fs::read(path).map_err(|source| TlsFileError::Unreadable { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let pem = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(TlsFileError::NoCertificate(path.to_owned())),
    }
}

impl CertificateFiles {
    fn pair(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsFileError> {
        let certificates = certificates(&self.cert_file)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key_file)?);
        Ok((certificates, key.map_err(|_| TlsFileError::NoKey(self.key_file.clone()))?))
    }

    fn unusable(&self, error: &rustls::Error) -> TlsFileError {
        let reason = match error {
            rustls::Error::InconsistentKeys(_) => "the key belongs to another certificate".to_owned(),
            other => other.to_string(),
        };
        TlsFileError::Unusable { files: self.clone(), reason }
    }

    /// Reads both files and checks that they belong together.
    ///
    /// # Errors
    /// When a file cannot be read, holds something else, or the two do not belong together.
    pub fn load(&self) -> Result<CertifiedKey, TlsFileError> {
        let (certificates, key) = self.pair()?;
        CertifiedKey::from_der(certificates, key, &provider()).map_err(|error| self.unusable(&error))
    }
}

/// The configuration of a client source: TLS 1.2 and 1.3, the broker's certificate and name always checked.
///
/// # Errors
/// When a file cannot be used, or there is nobody to trust.
pub fn client(tls: &ClientTls) -> Result<Arc<ClientConfig>, TlsFileError> {
    let mut trusted = RootCertStore::empty();
    match &tls.ca_file {
        Some(path) => {
            for certificate in certificates(path)? {
                trusted
                    .add(certificate)
                    .map_err(|error| TlsFileError::BadAuthority { path: path.clone(), reason: error.to_string() })?;
            }
        }
        // Single certificates that cannot be read are common in system stores and concern nobody here.
        None => drop(trusted.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if trusted.is_empty() {
        return Err(TlsFileError::NoAuthorities);
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        // ring supports both versions; the error only tells of providers that support neither.
        .map_err(|_| TlsFileError::NoAuthorities)?
        .with_root_certificates(trusted);
    let config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let (certificates, key) = files.pair()?;
            builder.with_client_auth_cert(certificates, key).map_err(|error| files.unusable(&error))?
        }
    };
    Ok(Arc::new(config))
}

/// What a failed TLS connection to a broker means; `None` when the error is none of TLS.
pub(crate) fn in_words(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let words = match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            // A bad signature is an authority of the same name with another key.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the broker's certificate is signed by nobody this source trusts: set ca_file to its authority"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the broker's certificate is for another name: connect by the name in it, or set server_name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the broker's certificate has expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the broker's certificate is not valid yet: check the clocks of both machines"
            }
            other => return Some(format!("the broker's certificate is not accepted: {other}")),
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied,
        ) => "the broker does not accept this source's certificate: check cert_file and key_file",
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => {
            "the broker refused the TLS handshake: it may want a client certificate (cert_file, key_file)"
        }
        rustls::Error::InvalidMessage(_) => "the broker does not speak TLS on this port",
        other => return Some(format!("TLS failed: {other}")),
    };
    Some(words.to_owned())
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::{testing::Authority, *};

    #[test]
    fn files_that_cannot_be_used_are_named_with_the_reason() {
        let folder = tempfile::TempDir::new().unwrap();
        let authority = Authority::new(folder.path());
        let (one, two) = (authority.issue("one", "localhost"), authority.issue("two", "localhost"));
        assert!(one.load().is_ok());
        let mixed = CertificateFiles { cert_file: one.cert_file.clone(), key_file: two.key_file };
        assert!(mixed.load().unwrap_err().to_string().contains("the key belongs to another certificate"));
        let swapped = CertificateFiles { cert_file: one.key_file.clone(), key_file: one.cert_file.clone() };
        assert!(swapped.load().unwrap_err().to_string().contains("one.key holds no PEM certificate"));
        let without_key = CertificateFiles { key_file: one.cert_file.clone(), ..one.clone() };
        assert!(without_key.load().unwrap_err().to_string().contains("one.pem holds no PEM private key"));
        let missing = ClientTls { ca_file: Some(folder.path().join("none.pem")), identity: None };
        assert!(client(&missing).unwrap_err().to_string().contains("cannot read"));
        let trusting = ClientTls { ca_file: Some(authority.ca_file), identity: Some(one) };
        assert!(client(&trusting).is_ok());
    }
}
