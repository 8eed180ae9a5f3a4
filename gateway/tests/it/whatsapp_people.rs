//! WhatsApp: people whose ids change, whose window closes, and what is told about messages to them.

use konstruct_domain::snapshot::{
    ChannelSnapshot, SecretField, TemplateParameter, TemplatePlace, WhatsAppTemplate,
};
use reqwest::StatusCode;
use serde_json::json;

use crate::whatsapp::{PERSON, PHONE, deliver};
use crate::whatsapp_outbox::Scene;
use crate::world::eventually;

/// The person's last message was a day and a bit ago.
const CLOSE: &str = "update konstruct.contact set window_until = now() - interval '1 hour'";

#[tokio::test]
async fn a_person_who_gets_a_new_id_stays_in_their_conversation() {
    let scene = Scene::start(false).await;
    scene.ask("before").await;
    let update = json!({"user_id_update": [{"user_id": {"previous": PERSON, "current": "DE.2"}}]});
    let rotation = scene.line.app.delivery(&[scene.line.app.change("user_id_update", update)]);
    assert_eq!(deliver(&scene.world, &scene.line, &rotation).await, StatusCode::OK);
    scene.world.whatsapp.person_wrote("DE.2", 0);
    let after = scene.line.app.message("DE.2", PHONE, "after");
    assert_eq!(deliver(&scene.world, &scene.line, &after).await, StatusCode::OK);
    assert_eq!(scene.world.number("select count(*) from konstruct.conversation").await, 1);
    scene.world.answer(&scene.tenant, "hi").await;
    assert_eq!(scene.world.whatsapp.wait_for_sent(1).await[0].recipient, "DE.2");
}

#[tokio::test]
async fn somebody_else_with_a_known_number_is_somebody_else() {
    let scene = Scene::start(false).await;
    scene.ask("mine").await;
    let stranger = scene.line.app.message("DE.77", PHONE, "I have this number now");
    assert_eq!(deliver(&scene.world, &scene.line, &stranger).await, StatusCode::OK);
    assert_eq!(scene.world.number("select count(*) from konstruct.conversation").await, 2);
    let of_first = "select count(*) from konstruct.contact where user_id = 'DE.1' and phone is not null";
    assert_eq!(scene.world.number(of_first).await, 0);
}

#[tokio::test]
async fn a_number_becomes_a_person_when_the_id_is_told() {
    let scene = Scene::start(false).await;
    let mut old = scene.line.app.message(PERSON, PHONE, "by number only");
    let value = &mut old["entry"][0]["changes"][0]["value"];
    value.as_object_mut().unwrap().remove("contacts");
    assert_eq!(deliver(&scene.world, &scene.line, &old).await, StatusCode::OK);
    scene.ask("with an id").await;
    assert_eq!(scene.world.number("select count(*) from konstruct.conversation").await, 1);
}

#[tokio::test]
async fn outside_the_window_a_template_asks_once_and_the_reply_comes_when_the_person_writes() {
    let scene = Scene::start(true).await;
    scene.ask("hello").await;
    scene.world.execute(CLOSE).await;
    scene.world.answer(&scene.tenant, "sorry for the delay").await;
    let sent = scene.world.whatsapp.wait_for_sent(1).await;
    assert_eq!((sent[0].kind.as_str(), sent[0].text.as_str()), ("template", "hello_again"));
    eventually("the reply waits", async || {
        let rows = scene.world.outbox().await;
        rows[0].state == "pending" && rows[0].last_error.is_some()
    })
    .await;
    scene.world.make_due(&scene.tenant).await;
    eventually("it is looked after", async || scene.world.outbox().await[0].attempt >= 2).await;
    scene.ask("are you there?").await;
    eventually("the reply is sent", async || {
        scene.world.outbox().await.iter().any(|row| row.state == "sent")
    })
    .await;
    let texts: Vec<_> = scene.world.whatsapp.sent().into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["hello_again", "sorry for the delay"]);
}

#[tokio::test]
async fn a_templates_variables_are_filled_in_and_a_wrong_number_of_them_is_said() {
    let scene = Scene::start(true).await;
    let parameter = |place, name: &str, text: &str| TemplateParameter {
        name: Some(name.to_owned()),
        place,
        text: text.to_owned(),
    };
    let mut parameters = vec![
        parameter(TemplatePlace::Body, "agent", "Ada"),
        parameter(TemplatePlace::Header, "company", "Acme Ltd"),
        parameter(TemplatePlace::Body, "company", "Acme Ltd"),
    ];
    let secrets = [
        (SecretField::WhatsAppAccessToken, "EAA-PN1".into()),
        (SecretField::WhatsAppAppSecret, "secret".into()),
        (SecretField::WhatsAppVerifyToken, "own-verify-token".into()),
    ];
    let use_template = async |parameters: Vec<TemplateParameter>| {
        let mut snapshot = scene.line.snapshot.clone();
        let ChannelSnapshot::WhatsApp(number) = &mut snapshot.channel else { panic!("a number") };
        let (name, language) = ("hello_named".to_owned(), "en".to_owned());
        number.template = Some(WhatsAppTemplate { name, language, parameters });
        scene.world.publish(&scene.tenant, &snapshot, &secrets).await;
    };
    use_template(parameters.clone()).await;
    scene.ask("hello").await;
    scene.world.execute(CLOSE).await;
    scene.world.answer(&scene.tenant, "sorry for the delay").await;
    let sent = scene.world.whatsapp.wait_for_sent(1).await;
    let text = |name: &str, text: &str| json!({"type": "text", "text": text, "parameter_name": name});
    assert_eq!(
        sent[0].whole["template"]["components"],
        json!([
            {"type": "header", "parameters": [text("company", "Acme Ltd")]},
            {"type": "body", "parameters": [text("agent", "Ada"), text("company", "Acme Ltd")]},
        ])
    );
    parameters.pop();
    use_template(parameters).await;
    scene.world.execute("delete from konstruct.outbox_part").await;
    eventually("the reply is given up", async || {
        scene.world.make_due(&scene.tenant).await;
        scene.world.outbox().await[0].state == "dead"
    })
    .await;
    let reason = scene.world.outbox().await[0].last_error.clone().unwrap();
    assert!(reason.contains("132000") && reason.contains("spec.whatsApp.template"), "{reason}");
}

#[tokio::test]
async fn outside_the_window_and_without_a_template_the_dead_letter_says_why() {
    let scene = Scene::start(false).await;
    scene.ask("hello").await;
    scene.world.execute(CLOSE).await;
    scene.world.answer(&scene.tenant, "too late").await;
    scene.outbox_is("dead").await;
    let reason = scene.world.outbox().await[0].last_error.clone().unwrap();
    assert!(reason.contains("24 hours") && reason.contains("spec.whatsApp.template"), "{reason}");
    assert!(scene.world.whatsapp.sent().is_empty());
}

#[tokio::test]
async fn reports_in_any_order_add_up_to_how_far_a_message_has_come_and_what_it_costs() {
    let scene = Scene::start(false).await;
    scene.ask("hello").await;
    scene.world.answer(&scene.tenant, "hi").await;
    scene.outbox_is("sent").await;
    let sent = scene.world.whatsapp.sent().remove(0);
    for status in ["read", "sent", "delivered", "read", "sent"] {
        let report = scene.line.app.status(&scene.world.whatsapp.report(&sent, status));
        assert_eq!(deliver(&scene.world, &scene.line, &report).await, StatusCode::OK);
    }
    let read = "select count(*) from konstruct.message_status where pricing->>'category' = 'service'";
    assert_eq!(scene.world.number(read).await, 3);
    let highest = "select max(rank)::bigint from konstruct.message_status";
    assert_eq!(scene.world.number(highest).await, 4);
}

#[tokio::test]
async fn a_message_that_was_taken_and_not_delivered_is_a_dead_letter_after_all() {
    let scene = Scene::start(false).await;
    scene.ask("hello").await;
    scene.world.answer(&scene.tenant, "hi").await;
    scene.outbox_is("sent").await;
    let mut report = scene.world.whatsapp.report(&scene.world.whatsapp.sent()[0], "failed");
    report["errors"] = json!([{"code": 131_026, "title": "Message undeliverable"}]);
    assert_eq!(deliver(&scene.world, &scene.line, &scene.line.app.status(&report)).await, StatusCode::OK);
    scene.outbox_is("dead").await;
    assert!(scene.world.outbox().await[0].last_error.as_ref().unwrap().contains("131026"));
}
