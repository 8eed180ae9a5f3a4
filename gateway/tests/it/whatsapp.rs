//! WhatsApp, in: what is accepted is committed, once, for the right tenant.

use futures::future::join_all;
use konstruct_domain::snapshot::{
    ChannelSnapshot, ConnectionSnapshot, Manners, SecretField, WhatsAppSnapshot, WhatsAppTemplate,
};
use konstruct_testkit::whatsapp::{MetaApp, Number, SignedBody};
use reqwest::StatusCode;
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::world::{SHARED_APP_SECRET, SHARED_VERIFY_TOKEN, Tenant, World};

pub(crate) const PERSON: &str = "DE.1";
pub(crate) const PHONE: &str = "491701234567";

/// A connection with the app that delivers to it.
pub(crate) struct Line {
    pub(crate) snapshot: ConnectionSnapshot,
    pub(crate) app: MetaApp,
    pub(crate) path: String,
}

/// With an app of its own, whose secret is `<id>-secret`.
pub(crate) async fn connect_own(world: &World, tenant: &Tenant, id: &str) -> Line {
    connect(world, tenant, id, Some(&format!("{id}-secret")), false).await
}

pub(crate) async fn connect(
    world: &World,
    tenant: &Tenant,
    id: &str,
    own_secret: Option<&str>,
    template: bool,
) -> Line {
    let number = Number::new(id);
    world.whatsapp.add_number(number.clone());
    let name = format!("whatsapp-{}", id.to_lowercase());
    let mut secrets = vec![(SecretField::WhatsAppAccessToken, number.access_token.as_str())];
    if let Some(secret) = own_secret {
        secrets.push((SecretField::WhatsAppAppSecret, secret));
        secrets.push((SecretField::WhatsAppVerifyToken, "own-verify-token"));
    }
    let version = |field: SecretField| {
        secrets.iter().find(|(of, _)| *of == field).map(|(_, value)| world.version(field, value))
    };
    let template = template.then(|| WhatsAppTemplate {
        name: "hello_again".to_owned(),
        language: "en".to_owned(),
        parameters: Vec::new(),
    });
    let snapshot = ConnectionSnapshot {
        name: name.parse().unwrap(),
        agent: "ada".parse().unwrap(),
        public_id: world.operator.keyring().public_id(tenant.id, &name).unwrap(),
        channel: ChannelSnapshot::WhatsApp(WhatsAppSnapshot {
            phone_number_id: number.phone_number_id.clone(),
            waba_id: number.waba_id.clone(),
            access_token: version(SecretField::WhatsAppAccessToken).unwrap(),
            app_secret: version(SecretField::WhatsAppAppSecret),
            verify_token: version(SecretField::WhatsAppVerifyToken),
            template,
        }),
        pause: None,
        manners: Manners::default(),
    };
    let stored: Vec<_> = secrets.iter().map(|(field, value)| (*field, SecretString::from(*value))).collect();
    world.publish(tenant, &snapshot, &stored).await;
    let path = match own_secret {
        Some(_) => format!("/whatsapp/{}/events", snapshot.public_id),
        None => "/whatsapp/events".to_owned(),
    };
    Line { app: MetaApp::new(&number, own_secret.unwrap_or(SHARED_APP_SECRET)), snapshot, path }
}

pub(crate) async fn post(world: &World, path: &str, signed: &SignedBody) -> StatusCode {
    world.post_signed(path, &[("x-hub-signature-256", &signed.signature)], &signed.body).await
}

pub(crate) async fn deliver(world: &World, line: &Line, body: &Value) -> StatusCode {
    post(world, &line.path, &line.app.sign(body)).await
}

#[tokio::test]
async fn the_address_is_checked_by_the_verify_token() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let own = connect_own(&world, &tenant, "PN1").await;
    for (path, token) in [("/whatsapp/events", SHARED_VERIFY_TOKEN), (own.path.as_str(), "own-verify-token")]
    {
        let ask = async |token: &str| {
            let query = format!("hub.mode=subscribe&hub.challenge=115820&hub.verify_token={token}");
            world.http.get(format!("{}{path}?{query}", world.url)).send().await.unwrap()
        };
        let answer = ask(token).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.text().await.unwrap(), "115820");
        assert_eq!(ask("guessed").await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(ask("").await.status(), StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn what_is_not_authentic_is_refused_and_not_stored() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let own = connect_own(&world, &acme, "PN1").await;
    let other = connect_own(&world, &globex, "PN2").await;
    let shared = connect(&world, &acme, "PN3", None, false).await;
    for line in [&own, &shared] {
        let good = line.app.sign(&line.app.message(PERSON, PHONE, "héllo 😀"));
        let mut changed = good.clone();
        let at = changed.body.len() / 2;
        changed.body[at] ^= 1;
        let reencoded = String::from_utf8(good.body.clone()).unwrap();
        let reencoded = reencoded.replace('😀', "\\ud83d\\ude00").replace('é', "\\u00e9").into_bytes();
        assert_ne!(reencoded, good.body);
        let mut foreign = line.app.clone();
        foreign.app_secret.clone_from(&other.app.app_secret);
        for (what, signed) in [
            ("one byte changed", changed),
            ("JSON encoded again", SignedBody { body: reencoded, ..good.clone() }),
            ("another tenant's secret", foreign.sign_bytes(good.body.clone())),
            ("an empty signature", SignedBody { signature: String::new(), ..good.clone() }),
        ] {
            assert_eq!(post(&world, &line.path, &signed).await, StatusCode::UNAUTHORIZED, "{what}");
        }
        let without = world.post_signed(&line.path, &[], &good.body).await;
        assert_eq!(without, StatusCode::UNAUTHORIZED, "no signature");
    }
    assert_eq!(world.inbox().await, []);
}

#[tokio::test]
async fn an_app_delivers_for_its_own_number_and_business_account_only() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let own = connect_own(&world, &acme, "PN1").await;
    let other = connect_own(&world, &globex, "PN2").await;
    let shared = connect(&world, &globex, "PN3", None, false).await;
    // Correctly signed by acme's app, but about globex's number.
    let foreign = own
        .app
        .sign(&serde_json::from_slice(&other.app.sign(&other.app.message(PERSON, PHONE, "x")).body).unwrap());
    assert_eq!(post(&world, &own.path, &foreign).await, StatusCode::OK);
    // The right number in a foreign business account.
    for line in [&own, &shared] {
        let mut body = line.app.message(PERSON, PHONE, "x");
        body["entry"][0]["id"] = json!("WABA-FOREIGN");
        assert_eq!(deliver(&world, line, &body).await, StatusCode::OK);
        body["entry"][0]["id"] = json!(null);
        assert_eq!(deliver(&world, line, &body).await, StatusCode::OK);
    }
    assert_eq!(world.inbox().await, []);
    for line in [&own, &shared] {
        assert_eq!(deliver(&world, line, &line.app.message(PERSON, PHONE, "mine")).await, StatusCode::OK);
    }
    let tenants: Vec<_> = world.inbox().await.into_iter().map(|row| row.tenant_id).collect();
    assert_eq!(tenants, [acme.id.as_uuid(), globex.id.as_uuid()]);
}

#[tokio::test]
async fn the_same_delivery_many_times_at_once_is_one_message() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let line = connect_own(&world, &tenant, "PN1").await;
    let body = line.app.message(PERSON, PHONE, "once, please");
    let statuses = join_all((0..40).map(|_| deliver(&world, &line, &body))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert_eq!(world.inbox().await.len(), 1);
}

#[tokio::test]
async fn one_bad_change_of_a_hundred_spoils_none_of_the_others() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let line = connect_own(&world, &tenant, "PN1").await;
    let changes: Vec<Value> = (0..100)
        .map(|number| {
            if number == 50 {
                return json!({"field": ["messages"], "value": {"metadata": 7}});
            }
            // Five people, whose messages have to stay in their order.
            let person = format!("DE.{}", number % 5);
            line.app.message_change(&person, &format!("49{}", number % 5), &format!("{number:03}"))
        })
        .collect();
    assert_eq!(deliver(&world, &line, &line.app.delivery(&changes)).await, StatusCode::OK);
    let inbox = world.inbox().await;
    assert_eq!(inbox.len(), 99);
    for person in 0..5 {
        let author = format!("DE.{person}");
        let said: Vec<_> = inbox.iter().filter(|row| row.author_id == author).map(|row| &row.body).collect();
        assert!(said.is_sorted() && said.len() >= 19, "{said:?}");
    }
}

#[tokio::test]
async fn odd_but_authentic_deliveries_are_acknowledged_and_not_stored() {
    let world = World::start().await;
    let tenant = world.tenant("acme").await;
    let line = connect_own(&world, &tenant, "PN1").await;
    let odd = [
        json!(null),
        json!({"object": "page"}),
        line.app.delivery(&[]),
        line.app.delivery(&[line.app.change("invented_tomorrow", json!({}))]),
        line.app
            .delivery(&[line.app.change("messages", json!({"messages": [{"type": "hologram", "id": "w"}]}))]),
        line.app
            .delivery(&[line.app.change("messages", json!({"statuses": [{"status": "warp", "id": "w"}]}))]),
    ];
    for body in odd {
        assert_eq!(deliver(&world, &line, &body).await, StatusCode::OK, "{body}");
    }
    for raw in ["", "{", &"[".repeat(100_000)] {
        assert_eq!(post(&world, &line.path, &line.app.sign_bytes(raw.into())).await, StatusCode::OK);
    }
    let large = line.app.message(PERSON, PHONE, &"x".repeat(1_100_000));
    assert_eq!(deliver(&world, &line, &large).await, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.inbox().await, []);
}
