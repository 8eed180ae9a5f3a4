//! What the store's own tests show probe by probe, seen as a report.

use konstruct_domain::TenantId;
use konstruct_store::{Keyring, Store, TenantRecord};
use konstruct_testkit::{TestDatabase, unique_slug};
use konstruct_verify::{Outcome, Probe, TenantReport, Verdict, database};
use secrecy::SecretString;

const PASSWORD: &str = "tenant-password";

struct World {
    database: TestDatabase,
    operator: Store,
    acme: TenantId,
    globex: TenantId,
    url: SecretString,
}

async fn world() -> World {
    let database = TestDatabase::create().await;
    let operator =
        Store::connect(&database.operator_url(), 2, Keyring::new(Some([1; 32]), Some([2; 32]))).unwrap();
    let mut made = Vec::new();
    for stem in ["acme", "globex"] {
        let slug = unique_slug(stem);
        let id = TenantId::from_slug(&slug);
        let record = TenantRecord {
            id,
            slug: slug.clone(),
            namespace: slug.namespace(),
            display_name: stem.to_owned(),
        };
        operator.upsert_tenant(&record).await.unwrap();
        operator.ensure_database_role(id, &slug, &PASSWORD.into()).await.unwrap();
        made.push((id, slug));
    }
    let url = database.url_for(&made[0].1.database_role(), PASSWORD);
    World { database, operator, acme: made[0].0, globex: made[1].0, url }
}

fn report(probes: Vec<Probe>) -> TenantReport {
    TenantReport { tenant: "acme".to_owned(), probes }
}

#[tokio::test]
async fn every_claim_holds_as_migrated() {
    let world = world().await;
    let report = report(database::probes(Ok(world.url.clone()), world.acme, world.globex).await);
    assert_eq!(report.verdict(), Verdict::Isolated, "{report}");
    assert!(report.probes.len() >= 22, "{report}");
}

/// Without a single row of another tenant to be read, the catalogue tells.
#[tokio::test]
async fn a_login_of_another_tenant_is_noticed_at_once() {
    let world = world().await;
    let report = report(database::probes(Ok(world.url.clone()), world.globex, world.acme).await);
    assert_eq!(report.verdict(), Verdict::Breached, "{report}");
    assert!(report.breached().contains(&"db-login"), "{report}");
}

#[tokio::test]
async fn what_cannot_be_reached_is_not_verified() {
    let world = world().await;
    world.operator.ping().await.unwrap();
    let slug = unique_slug("nobody");
    let gone = world.database.url_for(&slug.database_role(), PASSWORD);
    let nowhere = Ok(SecretString::from("postgres://a:very-secret@127.0.0.1:9/konstruct"));
    for url in [Ok(gone), nowhere, Err("no Secret".to_owned())] {
        let report = report(database::probes(url, world.acme, world.globex).await);
        assert_eq!(report.verdict(), Verdict::Unverified, "{report}");
        assert!(report.probes.iter().all(|probe| matches!(probe.outcome, Outcome::Skipped(_))), "{report}");
        assert!(!report.to_string().contains("very-secret"), "{report}");
    }
}
