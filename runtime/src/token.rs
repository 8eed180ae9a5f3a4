//! The proof of identity for the ai-gateway.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::SecretString;

/// How long a token that was read is taken for the one in force. The kubelet replaces it when a fifth of its time is left,
/// which is at least two minutes.
const KEPT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub enum TokenSource {
    /// A projected service-account token, which the kubelet replaces before it expires.
    File(TokenFile),
    /// A local token of `konstruct dev`.
    Fixed(SecretString),
}

impl TokenSource {
    pub fn file(path: PathBuf) -> Self {
        Self::File(TokenFile { path, kept: Arc::default() })
    }

    pub(crate) async fn read(&self) -> std::io::Result<SecretString> {
        match self {
            Self::File(file) => file.read().await,
            Self::Fixed(token) => Ok(token.clone()),
        }
    }

    /// It was refused: the next one is read anew.
    pub(crate) fn refused(&self) {
        if let Self::File(file) = self {
            *file.kept() = None;
        }
    }
}

/// Read now and then, not for each call: reading a file is work for another thread.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
    kept: Arc<Mutex<Option<(Instant, SecretString)>>>,
}

impl TokenFile {
    async fn read(&self) -> std::io::Result<SecretString> {
        if let Some((read_at, token)) = &*self.kept()
            && read_at.elapsed() < KEPT
        {
            return Ok(token.clone());
        }
        let token = SecretString::from(tokio::fs::read_to_string(&self.path).await?.trim());
        *self.kept() = Some((Instant::now(), token.clone()));
        Ok(token)
    }

    fn kept(&self) -> MutexGuard<'_, Option<(Instant, SecretString)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[tokio::test]
    async fn a_refused_token_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "one\n").unwrap();
        let source = TokenSource::file(path.clone());
        let token = async || source.read().await.map(|token| token.expose_secret().to_owned());
        assert_eq!(token().await.unwrap(), "one");
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!(token().await.unwrap(), "one", "it is kept for a while");
        source.refused();
        assert_eq!(token().await.unwrap(), "two");
        std::fs::remove_file(&path).unwrap();
        source.refused();
        assert!(token().await.is_err());
    }
}
