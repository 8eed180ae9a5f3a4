//! A Telegram bot.

use konstruct_crds::{Reason, Telegram, TelegramMode};
use konstruct_domain::snapshot::{self, ChannelSnapshot, SecretField, TelegramSnapshot};
use secrecy::ExposeSecret;

use super::{Check, SecretRef};
use crate::framework::secrets::ResolvedSecret;

fn bot_token(bot: &Telegram) -> SecretRef<'_> {
    SecretRef {
        field: SecretField::TelegramBotToken,
        path: "spec.telegram.botTokenRef",
        reference: &bot.bot_token_ref,
    }
}

pub(super) fn secret_refs(bot: &Telegram) -> Vec<SecretRef<'_>> {
    vec![bot_token(bot)]
}

pub(super) fn validate(bot: &Telegram, check: &mut Check<'_>) -> Option<ChannelSnapshot> {
    let Telegram { bot_username, mode, .. } = bot;
    let in_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if bot_username.is_empty() || !bot_username.bytes().all(in_name) {
        check.refuse(
            Reason::InvalidSpec,
            "spec.telegram.botUsername",
            format!("{bot_username:?} is no bot's name: write it in lower case and without the @"),
        );
    }
    let otherwise = "is no bot token: store the token that @BotFather shows, such as 123456:ABC-DEF";
    let bot_token = check.secret(bot_token(bot), looks_right, otherwise)?;
    Some(ChannelSnapshot::Telegram(TelegramSnapshot {
        bot_username: bot_username.clone(),
        bot_token: bot_token.reference(),
        mode: match mode {
            TelegramMode::Webhook => snapshot::TelegramMode::Webhook,
            TelegramMode::Polling => snapshot::TelegramMode::Polling,
        },
    }))
}

/// Becomes part of an address, so nothing else may be in it.
fn looks_right(token: &ResolvedSecret) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    token.value.expose_secret().split_once(':').is_some_and(|(id, rest)| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) && rest.bytes().all(allowed)
    })
}
