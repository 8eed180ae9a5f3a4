//! What the roles allow that are bound to an identity, or were in a namespace that is gone.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use konstruct_kind_tests::{kubectl, platform};
use serde_json::Value;

use crate::Right;

pub(crate) async fn rights(used: &BTreeSet<Right>) -> Result<BTreeSet<Right>> {
    let mut bound: BTreeSet<(String, String)> =
        used.iter().map(|right| (right.account.clone(), right.role.clone())).collect();
    let bindings = kubectl::run(&["get", "clusterrolebindings,rolebindings", "-A", "-o", "json"]).await?;
    for binding in items(&bindings)? {
        for subject in binding["subjects"].as_array().into_iter().flatten() {
            let name = text(subject, "name");
            let ours = [platform::OPERATOR, platform::PROVISIONER]
                .contains(&format!("system:serviceaccount:{}:{name}", text(subject, "namespace")).as_str());
            if ours {
                let role = &binding["roleRef"];
                bound.insert((name.to_owned(), format!("{}/{}", text(role, "kind"), text(role, "name"))));
            }
        }
    }
    let roles = kubectl::run(&["get", "clusterroles,roles", "-A", "-o", "json"]).await?;
    let roles = items(&roles)?;
    Ok(bound
        .iter()
        .flat_map(|(account, name)| roles.iter().flat_map(|role| of_role(account, name, role)))
        .collect())
}

fn of_role(account: &str, name: &str, role: &Value) -> Vec<Right> {
    let own = format!("{}/{}", text(role, "kind"), text(&role["metadata"], "name"));
    let mut rights = Vec::new();
    if own != name {
        return rights;
    }
    for rule in role["rules"].as_array().into_iter().flatten() {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                for verb in words(rule, "verbs") {
                    rights.push(Right::new(account, name, verb, group, resource));
                }
            }
        }
    }
    rights
}

fn items(list: &str) -> Result<Vec<Value>> {
    let list: Value = serde_json::from_str(list).context("kubectl's answer is no JSON")?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn words<'a>(rule: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    rule[field].as_array().into_iter().flatten().filter_map(Value::as_str)
}
