//! As declared, the tenant's user reaches nothing of others; each right too many is found.

use konstruct_domain::{Slug, TenantId};
use konstruct_queue::Bus;
use konstruct_testkit::{redis_url, unique_slug};
use konstruct_verify::{TenantReport, Verdict, cache};
use secrecy::{ExposeSecret, SecretString};

const PASSWORD: &str = "cache-password";

struct World {
    admin: Bus,
    slug: Slug,
    acme: TenantId,
    globex: TenantId,
    url: SecretString,
}

async fn world() -> World {
    let admin = Bus::connect(&redis_url()).unwrap();
    let (slug, other) = (unique_slug("acme"), unique_slug("globex"));
    let acme = TenantId::from_slug(&slug);
    admin.ensure_cache_user(acme, &slug, &PASSWORD.into()).await.unwrap();
    let url = redis_url();
    let place = url.expose_secret().trim_start_matches("redis://");
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    let url = format!("redis://{}:{PASSWORD}@{place}", slug.cache_user()).into();
    World { admin, slug, acme, globex: TenantId::from_slug(&other), url }
}

impl World {
    /// Gives the tenant's user further rights.
    async fn allow(&self, rules: &[&str]) {
        let url = redis_url();
        let place = url.expose_secret().to_owned();
        let client = redis::Client::open(place).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg(self.slug.cache_user());
        for rule in rules {
            command.arg(*rule);
        }
        command.query_async::<()>(&mut connection).await.unwrap();
    }

    async fn report(&self) -> TenantReport {
        let probes = cache::probes(Ok(self.url.clone()), self.acme, self.globex).await;
        TenantReport { tenant: "acme".to_owned(), probes }
    }
}

#[tokio::test]
async fn every_claim_holds_as_declared() {
    let world = world().await;
    let report = world.report().await;
    assert_eq!(report.verdict(), Verdict::Isolated, "{report}");
    assert_eq!(report.probes.len(), 3, "{report}");
}

#[tokio::test]
async fn each_right_too_many_is_found() {
    for (rules, expected) in [
        (&["allkeys"][..], "cache-keys"),
        (&["~kt:*"], "cache-keys"),
        (&["%R~*"], "cache-keys"),
        (&["allchannels"], "cache-channels"),
        (&["&kt:*:inbox"], "cache-channels"),
        (&["+keys"], "cache-commands"),
        (&["+scan"], "cache-commands"),
        (&["+flushall"], "cache-commands"),
        (&["+config|get"], "cache-commands"),
        (&["+eval"], "cache-commands"),
        (&["+monitor"], "cache-commands"),
        (&["+shutdown"], "cache-commands"),
        (&["+acl|list"], "cache-commands"),
    ] {
        let world = world().await;
        world.allow(rules).await;
        let report = world.report().await;
        assert_eq!(report.breached(), [expected], "{rules:?}: {report}");
    }
}

#[tokio::test]
async fn a_user_that_is_gone_or_reaches_nothing_proves_nothing() {
    let world = world().await;
    world.allow(&["resetkeys"]).await;
    let report = world.report().await;
    assert_eq!(report.verdict(), Verdict::Unverified, "{report}");
    world.admin.drop_cache_user(&world.slug).await.unwrap();
    let report = world.report().await;
    assert_eq!(report.verdict(), Verdict::Unverified, "{report}");
}
