//! The broker's certificate, read again when its files change, so that renewing it needs no restart.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use parking_lot::RwLock;
use rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

use crate::tls::{CertificateFiles, TlsFileError};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The present certificate.
#[derive(Debug)]
pub(super) struct Certificate {
    files: CertificateFiles,
    present: RwLock<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.present.read()))
    }
}

impl Certificate {
    pub(super) fn open(files: &CertificateFiles) -> Result<Arc<Self>, TlsFileError> {
        let present = RwLock::new(Arc::new(files.load()?));
        Ok(Arc::new(Self { files: files.clone(), present }))
    }

    /// TLS 1.2 and 1.3 with whatever certificate is present when a client comes.
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, rustls::Error> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as Arc<dyn ResolvesServerCert>;
        Ok(TlsAcceptor::from(Arc::new(config.with_cert_resolver(resolver))))
    }

    /// Takes a changed certificate into use; never ends. Connections that are open keep theirs.
    pub(super) async fn renew_forever(&self) {
        let mut known = self.changed_at();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let found = self.changed_at();
            if found == known {
                continue;
            }
            match self.files.load() {
                Ok(fresh) => {
                    known = found;
                    *self.present.write() = Arc::new(fresh);
                    tracing::info!(file = %self.files.cert_file.display(), "broker uses its new certificate");
                }
                // The two files are rarely written at the same instant; the next look may find both.
                Err(error) => tracing::warn!(%error, "broker keeps its old certificate"),
            }
        }
    }

    fn changed_at(&self) -> [Option<SystemTime>; 2] {
        [&self.files.cert_file, &self.files.key_file]
            .map(|file| std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::Authority;

    #[tokio::test(start_paused = true)]
    async fn a_new_certificate_is_taken_into_use_and_half_a_one_is_not() {
        let folder = tempfile::TempDir::new().unwrap();
        let authority = Authority::new(folder.path());
        let files = authority.issue("broker", "localhost");
        let certificate = Certificate::open(&files).unwrap();
        let first = Arc::clone(&certificate.present.read());
        let present = || Arc::clone(&certificate.present.read());
        tokio::select! {
            () = certificate.renew_forever() => {}
            () = async {
                let next = authority.issue("next", "localhost");
                // Past the resolution of file times on any file system.
                let later = SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
                let replace = |from: &std::path::Path, to: &std::path::Path| {
                    std::fs::copy(from, to).unwrap();
                    std::fs::File::options().write(true).open(to).unwrap().set_modified(later).unwrap();
                };
                replace(&next.cert_file, &files.cert_file);
                tokio::time::sleep(LOOK_EVERY * 2).await;
                assert!(Arc::ptr_eq(&present(), &first), "a certificate without its key is in use");
                replace(&next.key_file, &files.key_file);
                tokio::time::sleep(LOOK_EVERY * 2).await;
                assert_ne!(present().cert, first.cert);
            } => {}
        }
    }
}
