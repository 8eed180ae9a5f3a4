//! What a ChannelConnection's status says. Pure.

use konstruct_crds::{ChannelConnection, ChannelConnectionStatus, ConditionType, Reason};
use konstruct_domain::observation::Condition as Observed;

use super::build;
use super::validate::Validated;
use crate::Problem;
use crate::framework::cache::namespace_of;
use crate::framework::publish::Applied;
use crate::framework::report;
use crate::framework::status::StatusBuilder;

const READER: &str = "the gateway";

pub(super) fn published(
    connection: &ChannelConnection,
    valid: &Validated,
    applied: &Applied,
) -> ChannelConnectionStatus {
    let mut builder = StatusBuilder::new(connection);
    builder.status_mut().webhook_path = build::webhook_path(valid);
    builder.status_mut().chat_path = build::chat_path(valid);
    builder.set(
        ConditionType::ResolvedRefs,
        true,
        Reason::Succeeded,
        "the agent and every secret key were found",
    );
    builder.set(ConditionType::Claimed, true, Reason::Succeeded, "the account belongs to this connection");
    report::loaded(&mut builder, applied, READER);
    if valid.account().is_some() {
        report::observed(&mut builder, applied, Observed::CredentialsValid);
        report::observed(&mut builder, applied, Observed::AccountUsable);
    }
    let open = if valid.pause.is_some() {
        "people can write here; they are told that the answer comes when the tenant is active again"
    } else {
        "people can write here"
    };
    report::ready_unless_observed(&mut builder, applied, READER, open);
    builder.finish()
}

pub(super) fn invalid(connection: &ChannelConnection, problems: &[Problem]) -> ChannelConnectionStatus {
    let mut builder = StatusBuilder::new(connection);
    let previous = builder.previous().clone();
    report::problems(&mut builder, problems);
    let is_claim = |problem: &&Problem| problem.reason == Reason::AccountConflict;
    if let Some(problem) = problems.iter().find(is_claim) {
        builder.set(ConditionType::Claimed, false, problem.reason, problem.to_string());
    } else {
        builder.keep(ConditionType::Claimed);
    }
    if problems.iter().any(Problem::stops_serving) {
        // Nothing serves any more, and the paths lead nowhere.
        builder.status_mut().revision = None;
    } else {
        builder.status_mut().webhook_path = previous.webhook_path;
        builder.status_mut().chat_path = previous.chat_path;
    }
    let is_reference = |problem: &&Problem| problem.field == "spec.agent" || problem.is_about_a_secret();
    match problems.iter().find(is_reference) {
        Some(problem) => {
            builder.set(ConditionType::ResolvedRefs, false, problem.reason, problem.to_string());
        }
        None => {
            builder.set(
                ConditionType::ResolvedRefs,
                true,
                Reason::Succeeded,
                "the agent and every secret key were found",
            );
        }
    }
    builder.keep(ConditionType::CredentialsValid);
    builder.keep(ConditionType::AccountUsable);
    builder.finish()
}

/// Out of force until the tenant is active again.
pub(super) fn archived(connection: &ChannelConnection) -> ChannelConnectionStatus {
    let mut builder = StatusBuilder::new(connection);
    builder.status_mut().revision = None;
    builder.stalled(
        Reason::TenantArchived,
        "the tenant is archived and takes no message in: set the Tenant's spec.state to Active",
    );
    builder.finish()
}

pub(super) fn nobodys(connection: &ChannelConnection) -> ChannelConnectionStatus {
    let mut builder = StatusBuilder::new(connection);
    report::nobodys(&mut builder, namespace_of(connection), false);
    builder.finish()
}
