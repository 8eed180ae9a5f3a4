//! What an identity did, by the API server's own words in the audit log: which role allowed it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use konstruct_kind_tests::audit::{self, Request};

use crate::Right;

/// Who asked is `system:serviceaccount:NAMESPACE:NAME`.
pub(crate) fn rights(user: &str) -> Result<BTreeSet<Right>> {
    let since = match std::env::var("KONSTRUCT_SINCE") {
        Ok(text) => text.parse().context("KONSTRUCT_SINCE must be a time such as 2026-01-31T12:00:00Z")?,
        Err(_) => jiff::Timestamp::UNIX_EPOCH,
    };
    let requests = audit::requests(user, since)?;
    Ok(requests.iter().flat_map(of_request).collect())
}

fn of_request(request: &Request) -> Vec<Right> {
    let (Some(object), Some(role)) = (&request.object_ref, request.allowed_by()) else { return Vec::new() };
    let account = request.user.username.rsplit(':').next().unwrap_or_default();
    let part = object.subresource.as_ref().map(|part| format!("/{part}")).unwrap_or_default();
    let resource = format!("{}{part}", object.resource);
    let right = |verb: &str| Right::new(account, &role, verb, &object.api_group, &resource);
    let mut rights = vec![right(&request.verb)];
    // To apply what is not there yet is to create it: the API server asks for both rights.
    if request.verb == "patch" && request.created() {
        rights.push(right("create"));
    }
    // Nor does it let anybody bind a role with more than he has himself without the right to bind it.
    if object.resource == "rolebindings" && request.created() {
        rights.push(Right::new(account, &role, "bind", &object.api_group, "clusterroles"));
    }
    rights
}
