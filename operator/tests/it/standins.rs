//! Those that the operator waits for: a kubelet whose pods are ready at once, and roles that load what is published.

use std::collections::HashMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use konstruct_domain::revision::Revision;
use konstruct_domain::snapshot::Reader;
use konstruct_domain::{Kind, TenantId};
use konstruct_queue::Signal;
use konstruct_store::Error;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::world::World;

const OFTEN: Duration = Duration::from_millis(100);

/// Says of each runtime's pod that it is ready. No node runs it, so nobody contradicts.
pub(crate) async fn kubelet(world: &World) {
    let pods = world.everywhere::<Pod>();
    let ours = ListParams::default().labels("app.kubernetes.io/component=runtime");
    let ready = json!({"status": {"phase": "Running", "conditions": [
        {"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"},
    ]}});
    loop {
        // A request that failed is made again: this task's end would be the operators' too.
        for pod in pods.list(&ours).await.into_iter().flatten() {
            if pod.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Running") {
                let api = world.api::<Pod>(&pod.namespace().unwrap());
                // It may be gone meanwhile.
                let _ =
                    api.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(&ready)).await;
            }
        }
        tokio::time::sleep(OFTEN).await;
    }
}

/// Records each published revision as loaded.
pub(crate) async fn data_plane(world: &World) {
    let mut loaded = HashMap::new();
    loop {
        // On a busy machine a connection may be late; the next round makes up for it.
        let _ = load(world, &mut loaded).await;
        tokio::time::sleep(OFTEN).await;
    }
}

async fn load(world: &World, loaded: &mut HashMap<(TenantId, Kind, String), Revision>) -> Result<(), Error> {
    let tenants = world.store.tenants().await?;
    for tenant in tenants.iter().map(|tenant| tenant.id).chain([TenantId::PLATFORM]) {
        let mut news = false;
        for kind in Kind::ALL {
            for head in world.store.heads::<Value>(tenant, kind).await? {
                let key = (tenant, kind, head.name.clone());
                if loaded.get(&key) != Some(&head.revision) {
                    world
                        .store
                        .record_loaded(tenant, kind, &head.name, Reader::of(kind), &head.revision)
                        .await?;
                    loaded.insert(key, head.revision);
                    news = true;
                }
            }
        }
        if news {
            world.bus.publish(Signal::Loaded(tenant)).await;
        }
    }
    Ok(())
}
