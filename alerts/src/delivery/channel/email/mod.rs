//! Mail by SMTP: one connection per mail, because alerts are rare and a kept connection is one more thing to be dead.

mod mime;

use std::{error::Error as _, time::Duration};

use bakau_model::Secret;
use bakau_registry::MailSecurity;
use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
    extension::ClientId,
};

pub(crate) use mime::{CHART_CID, Letter, domain_of, letter};

use super::Answer;

/// For the connection and for each answer.
const STEP_TIMEOUT: Duration = Duration::from_secs(15);
/// For the whole conversation: a server that answers slowly at every step must not hold a place for ever.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(60);
/// A file with certificates is some kilobytes.
const MAX_CA_FILE_BYTES: u64 = 1 << 20;
/// Enough of an answer to see what a server complains about.
const ANSWER_CHARS: usize = 300;

/// How far the conversation with a mail server had come when it answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SmtpStep {
    /// Greeting, EHLO, STARTTLS.
    Connect,
    /// AUTH.
    Login,
    /// Sender, recipient, content.
    Send,
}

/// Which server, and as whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MailServer<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) security: MailSecurity,
    pub(crate) from: &'a str,
    pub(crate) ca_file: Option<&'a str>,
    pub(crate) login: Option<(&'a str, &'a Secret)>,
}

/// Hands a mail over and waits for the answer, at most [`TOTAL_TIMEOUT`].
pub(crate) async fn send(server: &MailServer<'_>, mail: &lettre::Message) -> Answer {
    match tokio::time::timeout(TOTAL_TIMEOUT, converse(server, mail)).await {
        Ok(Ok(answer) | Err(answer)) => answer,
        Err(_) => Answer::None(format!("the mail server did not take the mail within {} s", TOTAL_TIMEOUT.as_secs())),
    }
}

async fn converse(server: &MailServer<'_>, mail: &lettre::Message) -> Result<Answer, Answer> {
    let hello = ClientId::Domain(domain_of(server.from).to_owned());
    let address = (server.host, server.port);
    let wrapped = match server.security {
        MailSecurity::Tls => Some(tls(server).await?),
        MailSecurity::Starttls | MailSecurity::None => None,
    };
    let connecting = AsyncSmtpConnection::connect_tokio1(address, Some(STEP_TIMEOUT), &hello, wrapped, None);
    let mut connection = connecting.await.map_err(|error| told(SmtpStep::Connect, &error))?;
    let result = transfer(&mut connection, server, &hello, mail).await;
    // A polite end; the server has the mail already, or will not take it.
    let _end = tokio::time::timeout(STEP_TIMEOUT, connection.abort()).await;
    result
}

async fn transfer(
    connection: &mut AsyncSmtpConnection,
    server: &MailServer<'_>,
    hello: &ClientId,
    mail: &lettre::Message,
) -> Result<Answer, Answer> {
    if server.security == MailSecurity::Starttls {
        let upgraded = connection.starttls(tls(server).await?, hello).await;
        upgraded.map_err(|error| told(SmtpStep::Connect, &error))?;
    }
    if let Some((username, password)) = server.login {
        let credentials = Credentials::new(username.to_owned(), password.expose().to_owned());
        let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
        login.map_err(|error| told(SmtpStep::Login, &error))?;
    }
    let sent = connection.send(mail.envelope(), &mail.formatted()).await;
    let response = sent.map_err(|error| told(SmtpStep::Send, &error))?;
    let text = shortened(&response.message().collect::<Vec<_>>().join(" "));
    Ok(Answer::Smtp { step: SmtpStep::Send, code: response.code().into(), text })
}

/// Certificates are checked against the given file alone, where there is one, else against those of the machine.
async fn tls(server: &MailServer<'_>) -> Result<TlsParameters, Answer> {
    let mut parameters = TlsParameters::builder(server.host.to_owned());
    if let Some(path) = server.ca_file {
        let unusable = |why: &str| Answer::NotConfigured(format!("the certificate file {path} cannot be used: {why}"));
        let size = tokio::fs::metadata(path).await.map_err(|error| unusable(&error.to_string()))?.len();
        if MAX_CA_FILE_BYTES < size {
            return Err(unusable("it is larger than a file of certificates"));
        }
        let pem = tokio::fs::read(path).await.map_err(|error| unusable(&error.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| unusable(&error.to_string()))?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    parameters.build().map_err(|error| Answer::NotConfigured(format!("TLS cannot be set up: {error}")))
}

/// What an error of the conversation means, without secrets: the library's texts hold answers and causes only.
fn told(step: SmtpStep, error: &Error) -> Answer {
    let text = shortened(&error.to_string());
    match error.status() {
        Some(code) => {
            let words = error.source().map_or_else(String::new, |source| shortened(&source.to_string()));
            Answer::Smtp { step, code: code.into(), text: words }
        }
        None if has_bad_certificate(error) => Answer::NotConfigured(format!(
            "the mail server's certificate is not trusted: check the host name, or name its authority with ca_file \
             ({text})"
        )),
        // No STARTTLS, no login with a password: asking again soon does not change what the server offers.
        None if error.is_client() => Answer::NotConfigured(format!("the mail server does not offer this: {text}")),
        None if error.is_timeout() => Answer::None(format!("no answer in time: {text}")),
        None => Answer::None(text),
    }
}

fn has_bad_certificate(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        let tls = io.and_then(|inner| inner.downcast_ref::<rustls::Error>()).or(inner.downcast_ref());
        if matches!(tls, Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        cause = inner.source();
    }
    false
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(ANSWER_CHARS).collect()
}
