use konstruct_testkit::llm::LlmDouble;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::world::{World, answer, hello, text};

#[tokio::test]
async fn what_cannot_be_served_is_refused_in_openais_shape() {
    let world = World::start().await;
    let double = LlmDouble::anthropic().await;
    let tenant = world.with_chain(&[&double]).await;
    let with = |field: &str, value: Value| {
        let mut body = hello();
        body[field] = value;
        body
    };
    let cases = [
        (with("model", json!("agent/nobody")), 404, "model_not_found"),
        (with("model", json!("gpt-5")), 404, "model_not_found"),
        (with("model", json!("agent/../ada")), 404, "model_not_found"),
        (with("messages", json!([])), 400, "invalid_request"),
        (with("messages", json!("hi")), 400, "invalid_request"),
        (with("temperature", json!(9)), 400, "invalid_request"),
        (with("response_format", json!({"type": "json_object"})), 400, "invalid_request"),
        (with("messages", json!([{"role": "user", "content": " "}])), 400, "invalid_request"),
        (json!({}), 400, "invalid_request"),
        (json!([1]), 400, "invalid_request"),
    ];
    for (body, status, code) in cases {
        let (answered, error) = world.ask(&tenant, &body).await;
        assert_eq!((answered, &error["error"]["code"]), (status, &json!(code)), "{body} {error}");
        assert!(
            !error["error"]["message"].as_str().unwrap().is_empty() && error["error"]["type"].is_string()
        );
    }
    let url = format!("{}/v1/chat/completions", world.url);
    let raw = world.client.post(&url).bearer_auth(tenant.token.expose_secret()).body("{\"model\": ");
    assert_eq!(answer(raw.send().await.unwrap()).await.0, 400);
    assert_eq!(answer(world.client.get(&url).send().await.unwrap()).await.0, 405);
    let elsewhere = world.client.post(format!("{}/v1/embeddings", world.url));
    assert_eq!(answer(elsewhere.send().await.unwrap()).await.1["error"]["code"], "unknown_url");
    assert!(double.requests().is_empty());
}

#[tokio::test]
async fn a_body_of_more_than_a_megabyte_is_refused_and_one_below_is_not() {
    let world = World::start().await;
    let double = LlmDouble::openai().await;
    let tenant = world.with_chain(&[&double]).await;
    let sized = |size: usize| json!({"model": "agent/ada", "messages": [{"role": "user", "content": "x".repeat(size)}]});
    let (status, body) = world.ask(&tenant, &sized(1 << 20)).await;
    assert_eq!((status, &body["error"]["code"]), (413, &json!("request_too_large")));
    let (status, body) = world.ask(&tenant, &sized(1_000_000)).await;
    assert_eq!((status, text(&body)), (200, "Hello from the double."));
}

#[tokio::test]
async fn a_caller_may_ask_for_less_than_the_agent_allows_but_not_for_more() {
    let world = World::start().await;
    let double = LlmDouble::anthropic().await;
    let tenant = world.with_chain(&[&double]).await;
    for (asked, sent) in [(7, 7), (100_000, 100)] {
        let mut body = hello();
        body["max_completion_tokens"] = json!(asked);
        assert_eq!(world.ask(&tenant, &body).await.0, 200);
        assert_eq!(double.requests().last().unwrap()["max_tokens"], sent);
    }
}
