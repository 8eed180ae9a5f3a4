//! The tenant's pods: one for all its agents, and one each for those that have their own.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Capabilities, Container, ContainerPort, HTTPGetAction, PodSecurityContext, PodSpec, PodTemplateSpec,
    Probe, ProjectedVolumeSource, ResourceRequirements, SeccompProfile, SecretVolumeSource, SecurityContext,
    ServiceAccountTokenProjection, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use konstruct_crds::{Scheduling, TenantState, Toleration};
use konstruct_domain::AgentName;
use kube::api::ObjectMeta;

use super::runtime_secret::{DATABASE_URL, REDIS_URL};
use crate::framework::names::{
    RUNTIME, SECRET_HASH, TenantRef, dedicated_labels, dedicated_name, runtime_labels,
};
use crate::framework::quantity;
use crate::settings::{ADMIN_PORT, RuntimeSettings, TOKEN_AUDIENCE};
use crate::tenant::Validated;

const SECRETS: &str = "/var/run/konstruct/secrets";
const TOKEN: &str = "/var/run/konstruct/token";
/// The kubelet renews a token after four fifths of this time.
const TOKEN_SECONDS: i64 = 3600;
/// Nobody, as distroless images call it.
const USER: i64 = 65532;
/// Files that the pod's group may read and nobody may change.
const FILE_MODE: i32 = 0o440;
/// The root file system is read-only: this is for the log that the node keeps.
const EPHEMERAL_STORAGE_REQUEST: &str = "16Mi";
pub(in crate::tenant) const EPHEMERAL_STORAGE_LIMIT: &str = "64Mi";

/// For whom a pod is.
#[derive(Clone, Copy)]
pub(super) enum Staff<'a> {
    /// All agents that have no pod of their own.
    Shared,
    Dedicated(&'a AgentName),
}

impl Staff<'_> {
    fn name(self) -> String {
        match self {
            Self::Shared => RUNTIME.to_owned(),
            Self::Dedicated(agent) => dedicated_name(agent),
        }
    }

    fn labels(self) -> BTreeMap<String, String> {
        match self {
            Self::Shared => runtime_labels(),
            Self::Dedicated(agent) => dedicated_labels(agent),
        }
    }
}

pub(super) fn build(
    valid: &Validated,
    settings: &RuntimeSettings,
    secret_hash: &str,
    staff: Staff<'_>,
) -> Deployment {
    let tenant = &valid.tenant;
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(pod_labels(tenant, staff)),
            annotations: Some(BTreeMap::from([(SECRET_HASH.to_owned(), secret_hash.to_owned())])),
            ..ObjectMeta::default()
        }),
        spec: Some(pod(valid, settings, staff)),
    };
    let mut metadata = tenant.child(&staff.name());
    metadata.labels.get_or_insert_default().extend(staff.labels());
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: Some(i32::from(valid.state == TenantState::Active)),
            selector: LabelSelector { match_labels: Some(staff.labels()), ..LabelSelector::default() },
            strategy: Some(one_after_the_other()),
            revision_history_limit: Some(2),
            template,
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

/// The old pod goes before the new one comes, so that the smallest quota allows it. Messages wait meanwhile.
fn one_after_the_other() -> DeploymentStrategy {
    DeploymentStrategy {
        type_: Some("RollingUpdate".to_owned()),
        rolling_update: Some(RollingUpdateDeployment {
            max_surge: Some(IntOrString::Int(0)),
            max_unavailable: Some(IntOrString::Int(1)),
        }),
    }
}

fn pod_labels(tenant: &TenantRef, staff: Staff<'_>) -> BTreeMap<String, String> {
    let mut labels = tenant.labels();
    labels.extend(staff.labels());
    labels
}

fn pod(valid: &Validated, settings: &RuntimeSettings, staff: Staff<'_>) -> PodSpec {
    // Named one by one: a field of the spec that nobody uses does not compile.
    let Scheduling { runtime_class_name, node_selector, tolerations } = &valid.scheduling;
    PodSpec {
        service_account_name: Some(RUNTIME.to_owned()),
        // No Kubernetes API for the runtime: neither a token nor the addresses of services.
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            seccomp_profile: Some(SeccompProfile {
                type_: "RuntimeDefault".to_owned(),
                ..SeccompProfile::default()
            }),
            ..PodSecurityContext::default()
        }),
        containers: vec![container(valid, settings, staff)],
        volumes: Some(vec![secrets_volume(), token_volume()]),
        runtime_class_name: runtime_class_name.clone(),
        node_selector: (!node_selector.is_empty()).then(|| node_selector.clone()),
        tolerations: (!tolerations.is_empty()).then(|| tolerations.iter().map(toleration).collect()),
        ..PodSpec::default()
    }
}

fn toleration(declared: &Toleration) -> k8s_openapi::api::core::v1::Toleration {
    let Toleration { key, value, effect } = declared;
    k8s_openapi::api::core::v1::Toleration {
        key: Some(key.clone()),
        operator: Some(if value.is_some() { "Equal" } else { "Exists" }.to_owned()),
        value: value.clone(),
        effect: effect.map(|effect| effect.as_str().to_owned()),
        ..k8s_openapi::api::core::v1::Toleration::default()
    }
}

fn container(valid: &Validated, settings: &RuntimeSettings, staff: Staff<'_>) -> Container {
    let tenant = &valid.tenant;
    let mut args = vec![
        "runtime".to_owned(),
        format!("--tenant={}", tenant.id),
        format!("--database-url-file={SECRETS}/{DATABASE_URL}"),
        format!("--redis-url-file={SECRETS}/{REDIS_URL}"),
        format!("--ai-gateway-url={}", settings.ai_gateway_url),
        format!("--token-file={TOKEN}/token"),
        format!("--admin-listen=0.0.0.0:{ADMIN_PORT}"),
        "--log-format=json".to_owned(),
    ];
    if let Staff::Dedicated(agent) = staff {
        args.push(format!("--agent={agent}"));
    }
    Container {
        name: "runtime".to_owned(),
        image: Some(settings.image.clone()),
        image_pull_policy: Some(settings.image_pull_policy.clone()),
        args: Some(args),
        ports: Some(vec![ContainerPort {
            name: Some("admin".to_owned()),
            container_port: i32::from(ADMIN_PORT),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(resources(valid, settings)),
        // A pod without its database is not broken: it is not ready, and restarting it would not help.
        liveness_probe: Some(probe("/livez", 10)),
        readiness_probe: Some(probe("/readyz", 2)),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                ..Capabilities::default()
            }),
            ..SecurityContext::default()
        }),
        volume_mounts: Some(vec![mount("secrets", SECRETS), mount("token", TOKEN)]),
        ..Container::default()
    }
}

/// The limits of the plan, else of the settings. A request above its limit would be refused.
fn resources(valid: &Validated, settings: &RuntimeSettings) -> ResourceRequirements {
    let amounts = |cpu: &str, memory: &str, ephemeral_storage: &str| {
        let amounts = [("cpu", cpu), ("memory", memory), ("ephemeral-storage", ephemeral_storage)];
        amounts.map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned()))).into()
    };
    let (cpu, memory) = match &valid.entitlement.runtime {
        Some(size) => (&size.cpu, &size.memory),
        None => (&settings.cpu_limit, &settings.memory_limit),
    };
    let at_most = |request: &'_ String, limit: &'_ String| {
        if quantity::milli(request) > quantity::milli(limit) { limit.clone() } else { request.clone() }
    };
    ResourceRequirements {
        requests: Some(amounts(
            &at_most(&settings.cpu_request, cpu),
            &at_most(&settings.memory_request, memory),
            EPHEMERAL_STORAGE_REQUEST,
        )),
        limits: Some(amounts(cpu, memory, EPHEMERAL_STORAGE_LIMIT)),
        ..ResourceRequirements::default()
    }
}

fn probe(path: &str, period_seconds: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("admin".to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period_seconds),
        timeout_seconds: Some(2),
        failure_threshold: Some(3),
        ..Probe::default()
    }
}

fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}

fn secrets_volume() -> Volume {
    Volume {
        name: "secrets".to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(RUNTIME.to_owned()),
            default_mode: Some(FILE_MODE),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// Proves to the ai-gateway whose runtime asks. No other service accepts it.
fn token_volume() -> Volume {
    let token = ServiceAccountTokenProjection {
        audience: Some(TOKEN_AUDIENCE.to_owned()),
        expiration_seconds: Some(TOKEN_SECONDS),
        path: "token".to_owned(),
    };
    let source = VolumeProjection { service_account_token: Some(token), ..VolumeProjection::default() };
    Volume {
        name: "token".to_owned(),
        projected: Some(ProjectedVolumeSource { default_mode: Some(FILE_MODE), sources: Some(vec![source]) }),
        ..Volume::default()
    }
}
