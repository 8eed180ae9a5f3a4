//! The proof of identity for the ai-gateway.

use std::path::PathBuf;

use secrecy::SecretString;

#[derive(Clone, Debug)]
pub enum TokenSource {
    /// A projected service-account token. The kubelet replaces it before it expires, so it is read for every call.
    File(PathBuf),
    /// A local token of `konstruct dev`.
    Fixed(SecretString),
}

impl TokenSource {
    pub(crate) async fn read(&self) -> std::io::Result<SecretString> {
        match self {
            Self::File(path) => Ok(tokio::fs::read_to_string(path).await?.trim().into()),
            Self::Fixed(token) => Ok(token.clone()),
        }
    }
}
