//! As the tenant's own login role, against PostgreSQL.

use std::time::Duration;

use konstruct_domain::TenantId;
use konstruct_store::probe::{Stance, TenantProbe};
use secrecy::SecretString;
use tokio::time::timeout;

use crate::family::Family;
use crate::report::{Probe, explain};

const CONNECT: Duration = Duration::from_secs(10);

/// `other` is a tenant that must be out of reach.
pub async fn probes(url: Result<SecretString, String>, tenant: TenantId, other: TenantId) -> Vec<Probe> {
    let mut family = Family::new(open(url, tenant).await);
    let forged = Stance::Forged(other);
    family.claim("db-login", "its login acts for this tenant", async |s| s.bound_to_another().await).await;
    family
        .claim("db-read", "reads no row of others in any table", async |s| s.rows_read(Stance::Plain).await)
        .await;
    family
        .claim("db-read-forged", "nor with every setting forged", async |s| s.rows_read(forged).await)
        .await;
    family
        .claim("db-read-unsecured", "nor with row-level security switched off", async |s| {
            s.rows_read(Stance::RowSecurityOff).await
        })
        .await;
    family
        .claim("db-change", "changes, deletes and gives away no row", async |s| {
            s.rows_changed(Stance::Plain, other).await
        })
        .await;
    family
        .claim("db-change-forged", "nor with every setting forged", async |s| {
            s.rows_changed(forged, other).await
        })
        .await;
    family
        .claim("db-insert", "inserts no row in the name of others", async |s| {
            s.rows_inserted(Stance::Plain, other).await
        })
        .await;
    family
        .claim("db-insert-forged", "nor with every setting forged", async |s| {
            s.rows_inserted(forged, other).await
        })
        .await;
    around_rows(&mut family).await;
    role(&mut family).await;
    family.finish()
}

async fn around_rows(family: &mut Family<TenantProbe>) {
    family.claim("db-truncate", "truncates no table", async |s| s.tables_truncated().await).await;
    family.claim("db-copy", "copies no row of others, in or out", async |s| s.tables_copied().await).await;
    family.claim("db-files", "reaches no file of the server", async |s| s.server_files_reached().await).await;
    family
        .claim("db-large-objects", "reads and makes no large object", async |s| {
            s.large_objects_reached().await
        })
        .await;
    family
        .claim("db-sequences", "reads and moves no shared counter", async |s| s.sequences_reached().await)
        .await;
    family.claim("db-statistics", "reads no sample of a column", async |s| s.statistics_read().await).await;
    family
        .claim("db-statements", "reads no statement of another session", async |s| s.statements_read().await)
        .await;
}

async fn role(family: &mut Family<TenantProbe>) {
    family
        .claim("db-tables", "every table is under forced row-level security", async |s| {
            s.unprotected_tables().await
        })
        .await;
    family
        .claim("db-rights", "has the rights that a runtime needs and no more", async |s| {
            s.surplus_rights().await
        })
        .await;
    family
        .claim("db-attributes", "its role has no power over others", async |s| s.role_attributes().await)
        .await;
    family.claim("db-roles", "becomes no other role", async |s| s.other_roles().await).await;
    family.claim("db-owner", "owns nothing", async |s| s.owned_objects().await).await;
    family.claim("db-create", "makes no object anywhere", async |s| s.objects_made().await).await;
    family
        .claim("db-functions", "runs no function with its owner's rights", async |s| {
            s.definer_functions().await
        })
        .await;
}

async fn open(url: Result<SecretString, String>, tenant: TenantId) -> Result<TenantProbe, String> {
    let advice = "PostgreSQL was not reached as the tenant: run this in the cluster, or forward the port and give \
                  --database-address";
    match timeout(CONNECT, TenantProbe::connect(&url?, tenant)).await {
        Ok(opened) => opened.map_err(|error| format!("{advice} ({})", explain(&error))),
        Err(_) => Err(format!("{advice} (no answer within {} s)", CONNECT.as_secs())),
    }
}
