//! A Slack workspace.

use konstruct_crds::{Reason, Slack};
use konstruct_domain::snapshot::{ChannelSnapshot, SecretField, SlackSnapshot};

use super::{Check, SecretRef};
use crate::framework::secrets::{ResolvedSecret, starts_with};

fn bot_token(slack: &Slack) -> SecretRef<'_> {
    SecretRef {
        field: SecretField::SlackBotToken,
        path: "spec.slack.botTokenRef",
        reference: &slack.bot_token_ref,
    }
}

fn signing_secret(slack: &Slack) -> Option<SecretRef<'_>> {
    let reference = slack.signing_secret_ref.as_ref()?;
    Some(SecretRef { field: SecretField::SlackSigningSecret, path: "spec.slack.signingSecretRef", reference })
}

fn app_token(slack: &Slack) -> Option<SecretRef<'_>> {
    let reference = &slack.socket_mode.as_ref()?.app_token_ref;
    Some(SecretRef {
        field: SecretField::SlackAppToken,
        path: "spec.slack.socketMode.appTokenRef",
        reference,
    })
}

pub(super) fn secret_refs(slack: &Slack) -> Vec<SecretRef<'_>> {
    [Some(bot_token(slack)), signing_secret(slack), app_token(slack)].into_iter().flatten().collect()
}

pub(super) fn validate(slack: &Slack, check: &mut Check<'_>) -> Option<ChannelSnapshot> {
    let team_id = &slack.team_id;
    if !is_team_id(team_id) {
        check.refuse(
            Reason::InvalidSpec,
            "spec.slack.teamId",
            format!("{team_id:?} is no workspace id: write it as Slack shows it, such as T012AB3C4"),
        );
    }
    let bot_token = check.secret(
        bot_token(slack),
        |token| starts_with(token, "xox"),
        "is no bot token: store the Bot User OAuth Token of the Slack app, which begins with xoxb-",
    );
    let signing_secret = signing_secret(slack).and_then(|secret| {
        check.secret(
            secret,
            |secret| !starts_with(secret, "xox"),
            "is a token: store the app's Signing Secret, which Slack shows under Basic Information",
        )
    });
    let app_token = app_token(slack).and_then(|token| {
        check.secret(
            token,
            |token| starts_with(token, "xapp-"),
            "is no app-level token: generate one with the scope connections:write, which Slack shows under Basic \
             Information and which begins with xapp-",
        )
    });
    if signing_secret.is_some() && app_token.is_some() {
        check.refuse(
            Reason::InvalidSpec,
            "spec.slack",
            "Slack signs nothing in Socket Mode: set signingSecretRef or socketMode, not both",
        );
    }
    Some(ChannelSnapshot::Slack(SlackSnapshot {
        team_id: team_id.clone(),
        bot_token: bot_token?.reference(),
        signing_secret: signing_secret.as_ref().map(ResolvedSecret::reference),
        app_token: app_token.as_ref().map(ResolvedSecret::reference),
    }))
}

fn is_team_id(text: &str) -> bool {
    let mut characters = text.chars();
    matches!(characters.next(), Some('T' | 'E'))
        && (2..=20).contains(&characters.clone().count())
        && characters.all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}
