//! The channels that there are.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Adapter, slack, telegram, webchat, whatsapp};

/// How the platforms are reached, and the secrets of the platform's own apps. Each channel has flags of its own.
/// The default is the real platforms, without an app of ours.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
pub struct Settings {
    #[command(flatten)]
    pub slack: slack::Settings,
    #[command(flatten)]
    pub whatsapp: whatsapp::Settings,
    #[command(flatten)]
    pub telegram: telegram::Settings,
}

/// The HTTP client could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client for channels")]
pub struct SetUp(#[from] reqwest::Error);

/// All adapters by their names. Cheap to clone.
#[derive(Clone)]
pub struct Adapters(Arc<HashMap<&'static str, Arc<dyn Adapter>>>);

impl Adapters {
    pub fn new(settings: &Settings) -> Result<Self, SetUp> {
        let http = crate::http_client::new()?;
        let all: [Arc<dyn Adapter>; 4] = [
            Arc::new(slack::Slack::new(http.clone(), &settings.slack)),
            Arc::new(webchat::WebChat),
            Arc::new(whatsapp::WhatsApp::new(http.clone(), &settings.whatsapp)),
            Arc::new(telegram::Telegram::new(http, &settings.telegram)),
        ];
        Ok(Self(Arc::new(all.into_iter().map(|adapter| (adapter.name(), adapter)).collect())))
    }

    /// The adapter of a snapshot's `type_name`.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Adapter>> {
        self.0.get(name)
    }
}
