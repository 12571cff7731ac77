//! Tokens: of the administrator and of devices.

use anyhow::{Context, Result};
use bakau_clock::{Clock, SystemClock};
use bakau_model::Principal;
use bakau_registry::{Registry, token};

use crate::{config::Config, files};

/// 128 random bits from the operating system.
pub(crate) fn random_bits() -> [u8; 16] {
    rand::random()
}

/// Whoever runs this command.
pub(crate) fn operator() -> Principal {
    let account = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    Principal::CommandLine(account.unwrap_or_else(|_| "command line".to_owned()))
}

pub(crate) fn device_token() -> Result<()> {
    let made = token::token(random_bits());
    println!("token        {made}");
    println!("token_sha256 {}", token::digest_hex(&made));
    Ok(())
}

pub(crate) async fn new_admin_token(config: &Config) -> Result<()> {
    let registry = files::open_registry(&config.data).await?;
    let made = make(&registry, &operator()).await?;
    println!("{}", say!("admin_token", token = made));
    Ok(())
}

/// Makes, stores (as a digest) and returns a new admin token.
pub(crate) async fn make(registry: &Registry, by: &Principal) -> Result<String> {
    let made = token::token(random_bits());
    let digest = token::digest(&made);
    registry.set_admin_token_hash(digest, by, SystemClock.now()).await.with_context(|| say!("cannot_keep_token"))?;
    Ok(made)
}
