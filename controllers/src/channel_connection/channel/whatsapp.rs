//! A number of the WhatsApp Business Platform.

use konstruct_crds::{Reason, WhatsApp};
use konstruct_domain::snapshot::{ChannelSnapshot, SecretField, WhatsAppSnapshot};

use super::{Check, SecretRef, template};
use crate::framework::secrets::{ResolvedSecret, starts_with};

fn access_token(number: &WhatsApp) -> SecretRef<'_> {
    SecretRef {
        field: SecretField::WhatsAppAccessToken,
        path: "spec.whatsApp.accessTokenRef",
        reference: &number.access_token_ref,
    }
}

fn app_secret(number: &WhatsApp) -> Option<SecretRef<'_>> {
    let reference = number.app_secret_ref.as_ref()?;
    Some(SecretRef { field: SecretField::WhatsAppAppSecret, path: "spec.whatsApp.appSecretRef", reference })
}

fn verify_token(number: &WhatsApp) -> Option<SecretRef<'_>> {
    let reference = number.verify_token_ref.as_ref()?;
    Some(SecretRef {
        field: SecretField::WhatsAppVerifyToken,
        path: "spec.whatsApp.verifyTokenRef",
        reference,
    })
}

pub(super) fn secret_refs(number: &WhatsApp) -> Vec<SecretRef<'_>> {
    [Some(access_token(number)), app_secret(number), verify_token(number)].into_iter().flatten().collect()
}

pub(super) fn validate(number: &WhatsApp, check: &mut Check<'_>) -> Option<ChannelSnapshot> {
    let WhatsApp { phone_number_id, waba_id, .. } = number;
    if check.found.business_function.as_deref().is_none_or(|function| function.trim().is_empty()) {
        check.refuse(
            Reason::MissingBusinessFunction,
            "spec.agent",
            "WhatsApp's terms forbid general assistants: say in the Agent's spec.businessFunction what it does for the \
             business",
        );
    }
    for (field, id) in [("spec.whatsApp.phoneNumberId", phone_number_id), ("spec.whatsApp.wabaId", waba_id)] {
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            check.refuse(Reason::InvalidSpec, field, format!("{id:?} is no id of Meta's: write its digits"));
        }
    }
    let access_token = check.secret(access_token(number), |_| true, "");
    let own_app = |secret: &ResolvedSecret| !starts_with(secret, "EAA");
    let app_secret = app_secret(number).and_then(|secret| {
        let otherwise =
            "is an access token: store the App Secret, which Meta shows under App settings, Basic";
        check.secret(secret, own_app, otherwise)
    });
    let verify_token = verify_token(number).and_then(|secret| check.secret(secret, |_| true, ""));
    let template = number.template.as_ref().map(|template| template::compile(template, check));
    Some(ChannelSnapshot::WhatsApp(WhatsAppSnapshot {
        phone_number_id: phone_number_id.clone(),
        waba_id: waba_id.clone(),
        access_token: access_token?.reference(),
        app_secret: app_secret.as_ref().map(ResolvedSecret::reference),
        verify_token: verify_token.as_ref().map(ResolvedSecret::reference),
        template,
    }))
}
