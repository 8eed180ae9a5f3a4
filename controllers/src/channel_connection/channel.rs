//! What each channel names in its part of the spec, and what has to be true of it.

mod slack;
mod telegram;
mod template;
mod webchat;
mod whatsapp;

use konstruct_crds::{Channel, ChannelConnectionSpec, Reason, SecretKeyRef};
use konstruct_domain::snapshot::{ChannelSnapshot, SecretField};

use super::dereference::Dereferenced;
use crate::Problem;
use crate::framework::secrets::{self, ResolvedSecret, SecretLookup};

/// A secret that the spec names.
#[derive(Clone, Copy, Debug)]
pub struct SecretRef<'a> {
    pub field: SecretField,
    /// Such as `spec.slack.botTokenRef`.
    pub path: &'static str,
    pub reference: &'a SecretKeyRef,
}

/// All secrets that a spec names.
pub fn secret_refs(spec: &ChannelConnectionSpec) -> Vec<SecretRef<'_>> {
    match spec.channel() {
        Some(Channel::Slack(slack)) => slack::secret_refs(slack),
        Some(Channel::WhatsApp(number)) => whatsapp::secret_refs(number),
        Some(Channel::Telegram(bot)) => telegram::secret_refs(bot),
        Some(Channel::WebChat(chat)) => webchat::secret_refs(chat),
        None => Vec::new(),
    }
}

/// A channel as the gateway will see it, with its secrets.
#[derive(Clone, Debug)]
pub(super) struct ValidChannel {
    pub snapshot: ChannelSnapshot,
    pub secrets: Vec<ResolvedSecret>,
}

pub(super) fn validate(
    spec: &ChannelConnectionSpec,
    found: &Dereferenced,
) -> Result<ValidChannel, Vec<Problem>> {
    let mut check = Check { found, problems: Vec::new(), secrets: Vec::new() };
    let snapshot = match spec.channel() {
        None => {
            check.refuse(
                Reason::InvalidSpec,
                "spec",
                "set exactly one of slack, whatsApp, telegram and webChat",
            );
            None
        }
        Some(Channel::WebChat(chat)) => Some(webchat::validate(chat, &mut check)),
        Some(Channel::Slack(slack)) => slack::validate(slack, &mut check),
        Some(Channel::WhatsApp(number)) => whatsapp::validate(number, &mut check),
        Some(Channel::Telegram(bot)) => telegram::validate(bot, &mut check),
    };
    match snapshot {
        Some(snapshot) if check.problems.is_empty() => Ok(ValidChannel { snapshot, secrets: check.secrets }),
        _ => Err(check.problems),
    }
}

/// The field of the spec that names the account.
pub(super) fn account_field(spec: &ChannelConnectionSpec) -> (&'static str, &'static str) {
    match spec.channel() {
        Some(Channel::Slack(_)) => ("spec.slack.teamId", "workspace"),
        Some(Channel::WhatsApp(_)) => ("spec.whatsApp.phoneNumberId", "number"),
        Some(Channel::Telegram(_)) => ("spec.telegram.botUsername", "bot"),
        Some(Channel::WebChat(_)) | None => ("spec", "account"),
    }
}

/// Problems and secrets of one channel, as they are found.
struct Check<'a> {
    found: &'a Dereferenced,
    problems: Vec<Problem>,
    secrets: Vec<ResolvedSecret>,
}

impl Check<'_> {
    fn refuse(&mut self, reason: Reason, field: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(reason, field, message));
    }

    /// A secret whose value looks right.
    fn secret(
        &mut self,
        SecretRef { field, path, reference }: SecretRef<'_>,
        looks_right: impl Fn(&ResolvedSecret) -> bool,
        otherwise: &str,
    ) -> Option<ResolvedSecret> {
        let found = self.found.secrets.iter().find(|(of, _)| *of == field);
        let lookup = found.map_or(&SecretLookup::MissingSecret, |(_, lookup)| lookup);
        match secrets::require(lookup, reference, path) {
            Ok(secret) if looks_right(secret) => {
                self.secrets.push(secret.clone());
                Some(secret.clone())
            }
            Ok(_) => {
                self.refuse(Reason::InvalidSecret, path, otherwise);
                None
            }
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }
}
