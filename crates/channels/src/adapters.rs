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
            Arc::new(slack::Slack::new(http.clone(), &settings.slack)?),
            Arc::new(webchat::WebChat),
            Arc::new(whatsapp::WhatsApp::new(http.clone(), &settings.whatsapp)?),
            Arc::new(telegram::Telegram::new(http, &settings.telegram)?),
        ];
        Ok(Self(Arc::new(all.into_iter().map(|adapter| (adapter.name(), adapter)).collect())))
    }

    /// The adapter of a snapshot's `type_name`.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Adapter>> {
        self.0.get(name)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Gateway {
        #[command(flatten)]
        channels: Settings,
    }

    #[test]
    fn the_flags_of_all_channels_fit_into_one_command_and_default_to_the_real_platforms() {
        Gateway::command().debug_assert();
        let given = Gateway::try_parse_from(["gateway", "--telegram-base-url=http://t"]).unwrap().channels;
        assert_eq!(given.telegram.base_url, "http://t");
        assert_eq!(given.slack.base_url, slack::BASE_URL);
        assert_eq!(
            (given.whatsapp.base_url.as_str(), given.whatsapp.graph_version.as_str()),
            (whatsapp::BASE_URL, "v26.0")
        );
        assert!(given.slack.signing_secret.is_none() && given.whatsapp.app_secret.is_none());
        let missing = Gateway::try_parse_from(["gateway", "--slack-signing-secret-file=/nowhere"]);
        assert!(missing.err().is_some_and(|error| error.to_string().contains("mounted")));
    }

    #[test]
    fn every_channel_is_found_by_its_name() {
        let adapters = Adapters::new(&Settings::default()).unwrap();
        for name in ["slack", "whatsapp", "telegram", "webchat"] {
            assert_eq!(adapters.get(name).unwrap().name(), name);
        }
        assert!(adapters.get("pigeon").is_none());
    }
}
