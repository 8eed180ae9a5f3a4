//! Compiled configuration and its secrets.

use konstruct_domain::Kind;
use konstruct_domain::observation::{Condition, Observation};
use konstruct_domain::snapshot::{Reader, SecretField, SecretPurpose, SecretVersion};
use konstruct_store::{AccountClaim, Error};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn publishing_the_same_again_writes_nothing_and_a_change_takes_force() {
    let world = World::new().await;
    let (operator, acme) = (&world.operator, &world.acme);
    let first = operator.publish(acme.id, Kind::Agent, "ada", &json!({"v": 1}), &[]).await.unwrap();
    assert!(first.changed);
    let same = operator.publish(acme.id, Kind::Agent, "ada", &json!({"v": 1}), &[]).await.unwrap();
    assert_eq!((same.changed, &same.revision), (false, &first.revision));
    let second = operator.publish(acme.id, Kind::Agent, "ada", &json!({"v": 2}), &[]).await.unwrap();
    assert_ne!(second.revision, first.revision);

    let loaded = acme.runtime.head::<Value>(Kind::Agent, "ada").await.unwrap().unwrap();
    assert_eq!((loaded.snapshot, &loaded.revision), (json!({"v": 2}), &second.revision));
    acme.runtime.record_loaded(Kind::Agent, "ada", &second.revision).await.unwrap();
    assert_eq!(
        operator.standing(acme.id, Kind::Agent, "ada").await.unwrap().loaded,
        Some(second.revision.clone())
    );

    assert_eq!(operator.named(acme.id).await.unwrap(), [(Kind::Agent, "ada".to_owned())]);
    assert!(operator.withdraw(acme.id, Kind::Agent, "ada").await.unwrap());
    assert!(operator.named(acme.id).await.unwrap().is_empty());
    assert!(acme.runtime.heads::<Value>(Kind::Agent).await.unwrap().is_empty());
    acme.runtime.record_loaded(Kind::Agent, "ada", &second.revision).await.unwrap();
    assert_eq!(operator.standing(acme.id, Kind::Agent, "ada").await.unwrap().loaded, None);
    assert!(!operator.withdraw(acme.id, Kind::Agent, "ada").await.unwrap());
}

#[tokio::test]
async fn a_runtime_sees_no_connection_and_no_provider() {
    let world = World::new().await;
    for kind in Kind::ALL {
        world.operator.publish(world.acme.id, kind, "x", &json!({}), &[]).await.unwrap();
    }
    for (kind, visible) in
        [(Kind::Agent, 1), (Kind::Tenant, 1), (Kind::ChannelConnection, 0), (Kind::LLMProvider, 0)]
    {
        assert_eq!(world.acme.runtime.heads::<Value>(kind).await.unwrap().len(), visible, "{kind}");
    }
}

#[tokio::test]
async fn a_secret_is_read_only_by_the_role_it_is_for() {
    let world = World::new().await;
    let (operator, tenant) = (&world.operator, world.acme.id);
    let token = SecretString::from("xoxb-1");
    let version = SecretVersion {
        field: SecretField::SlackBotToken,
        version: operator.keyring().fingerprint(SecretPurpose::Channel, &token).unwrap(),
    };
    let snapshot = json!({ "token": version });
    let secrets = [(SecretField::SlackBotToken, token)];
    operator.publish(tenant, Kind::ChannelConnection, "slack", &snapshot, &secrets).await.unwrap();

    let revealed = world.gateway.reveal(tenant, Kind::ChannelConnection, "slack", &version).await.unwrap();
    assert_eq!(revealed.expose_secret(), "xoxb-1");
    let refused = world.ai_gateway.reveal(tenant, Kind::ChannelConnection, "slack", &version).await;
    assert!(matches!(refused, Err(Error::Query(_))), "{refused:?}");
    let other_tenant =
        world.gateway.reveal(world.globex.id, Kind::ChannelConnection, "slack", &version).await;
    assert!(matches!(other_tenant, Err(Error::SecretMissing { .. })), "{other_tenant:?}");

    let mut admin = world.database.admin().await;
    let sealed: Vec<u8> = sqlx::query_scalar("select sealed from konstruct.channel_secret")
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert!(!sealed.windows(6).any(|window| window == b"xoxb-1"), "stored in the clear");
}

#[tokio::test]
async fn an_account_has_one_owner_in_the_installation() {
    let world = World::new().await;
    let (operator, acme, globex) = (&world.operator, world.acme.id, world.globex.id);
    let claim = |tenant, connection| operator.claim_channel_account(tenant, connection, "slack", "T1");
    assert_eq!(claim(acme, "one").await.unwrap(), AccountClaim::Held);
    assert_eq!(claim(acme, "one").await.unwrap(), AccountClaim::Held);
    assert_eq!(claim(acme, "two").await.unwrap(), AccountClaim::HeldByAnother);
    assert_eq!(claim(globex, "one").await.unwrap(), AccountClaim::HeldByAnother);
    operator.withdraw(acme, Kind::ChannelConnection, "one").await.unwrap();
    assert_eq!(claim(globex, "one").await.unwrap(), AccountClaim::Held);
}

#[tokio::test]
async fn an_observation_is_news_once() {
    let world = World::new().await;
    let tenant = world.acme.id;
    let mut observation = Observation {
        condition: Condition::ModelAvailable,
        ok: false,
        reason: "ModelUnavailable".to_owned(),
        message: "no provider answered".to_owned(),
    };
    let runtime = &world.acme.runtime;
    assert!(!runtime.observe(Kind::Agent, "ada", &observation).await.unwrap(), "nothing of that name");
    world.operator.publish(tenant, Kind::Agent, "ada", &json!({}), &[]).await.unwrap();
    assert!(runtime.observe(Kind::Agent, "ada", &observation).await.unwrap());
    assert!(!runtime.observe(Kind::Agent, "ada", &observation).await.unwrap());
    assert_eq!(
        world.operator.standing(tenant, Kind::Agent, "ada").await.unwrap().observations,
        [observation.clone()]
    );
    observation.ok = true;
    assert!(runtime.observe(Kind::Agent, "ada", &observation).await.unwrap());
}

#[tokio::test]
async fn loading_is_recorded_for_the_role_that_serves_the_kind() {
    let world = World::new().await;
    let published =
        world.operator.publish(world.acme.id, Kind::LLMProvider, "demo", &json!({}), &[]).await.unwrap();
    world
        .ai_gateway
        .record_loaded(world.acme.id, Kind::LLMProvider, "demo", Reader::AiGateway, &published.revision)
        .await
        .unwrap();
    let loaded = world.operator.standing(world.acme.id, Kind::LLMProvider, "demo").await.unwrap().loaded;
    assert_eq!(loaded, Some(published.revision));
}
