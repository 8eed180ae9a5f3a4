//! Prints, as one JSON list, the namespaces, network policies and Deployments that the operator would make for the
//! Tenants on standard input. Takes the operator's own flags and variables; talks to nobody.

use std::io::Read;

use clap::Parser;
use konstruct_controllers::framework::ownership::Ownership;
use konstruct_controllers::tenant::validate::validate;
use konstruct_controllers::tenant::{Dereferenced, PlanLookup, Surplus, build};
use konstruct_crds::Tenant;
use konstruct_domain::TenantId;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    operator: konstruct_operator::Args,
}

type Failure = Box<dyn std::error::Error>;

#[allow(clippy::print_stdout, reason = "what it is for")]
fn main() -> Result<(), Failure> {
    let settings = Command::parse().operator.settings()?;
    let mut manifests = String::new();
    std::io::stdin().read_to_string(&mut manifests)?;
    let mut items = Vec::new();
    for document in serde_yaml::Deserializer::from_str(&manifests) {
        items.extend(objects(&Tenant::deserialize(document)?, &settings)?);
    }
    println!("{}", json!({"apiVersion": "v1", "kind": "List", "items": items}));
    Ok(())
}

fn objects(tenant: &Tenant, settings: &konstruct_controllers::Settings) -> Result<Vec<Value>, Failure> {
    let found = Dereferenced {
        // Any id does: what is read of these objects does not depend on it.
        id: TenantId::PLATFORM,
        namespace: Ownership::Vacant,
        slug_taken_by: None,
        runtime: None,
        plan: PlanLookup::NotNamed,
        surplus: Surplus::default(),
        dedicated: Vec::new(),
        hosts: konstruct_controllers::tenant::egress::Hosts::new(),
    };
    let valid = validate(tenant, &found).map_err(|problems| format!("{problems:?}"))?;
    let walls = build::boundary(&valid, settings);
    let inside = build::workload(&valid, settings, &build::Credentials::generate());
    let mut objects = vec![serde_json::to_value(walls.namespace)?, serde_json::to_value(inside.deployment)?];
    for policy in walls.network_policies {
        objects.push(serde_json::to_value(policy)?);
    }
    Ok(objects)
}
