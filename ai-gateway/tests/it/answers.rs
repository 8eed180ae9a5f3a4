use konstruct_domain::snapshot::ProviderOwner;
use konstruct_testkit::llm::{Answer, LlmDouble, MODEL};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::world::{World, answer, choice, hello, provider, scripted, text};

const DISCLAIMER: &str = "scripted demo model, not a real AI model";

#[tokio::test]
async fn an_answer_in_one_piece_names_its_provider_and_is_on_record() {
    let world = World::start().await;
    for (double, kind) in [(LlmDouble::anthropic().await, "Anthropic"), (LlmDouble::openai().await, "OpenAI")]
    {
        double.say("One two three.");
        let tenant = world.with_chain(&[&double]).await;
        let (status, body) = world.ask_ada(&tenant).await;
        assert_eq!((status, text(&body)), (200, "One two three."), "{kind}: {body}");
        assert_eq!(body["object"], "chat.completion");
        assert_eq!(body["model"], MODEL);
        assert_eq!(body["konstruct"]["provider"], "p0");
        assert_eq!(body["konstruct"]["revision"].as_str().unwrap().len(), 16);
        assert_eq!(body["choices"][0]["finish_reason"], "stop");
        let usage = &body["usage"];
        assert_eq!(usage["completion_tokens"], 3);

        let sent = &double.requests()[0];
        assert_eq!((&sent["max_tokens"], &sent["temperature"]), (&json!(100), &json!(0.5)));
        let calls = world.until_calls(&tenant, 1).await;
        let expected = (usage["prompt_tokens"].as_i64().unwrap(), 3);
        assert_eq!(calls, [("p0".into(), "answered".into(), expected.0, expected.1)]);
    }
}

#[tokio::test]
async fn a_streamed_answer_has_the_shape_that_clients_of_openai_read() {
    let world = World::start().await;
    for double in [LlmDouble::anthropic().await, LlmDouble::openai().await] {
        double.say("One two three.");
        let tenant = world.with_chain(&[&double]).await;
        let events = world.stream_ada(&tenant).await;
        assert_eq!(events.last().unwrap(), "[DONE]");
        let chunks: Vec<Value> =
            events[..events.len() - 1].iter().map(|data| serde_json::from_str(data).unwrap()).collect();
        assert_eq!(chunks[0]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
        let texts = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str());
        assert_eq!(texts.collect::<Vec<_>>(), ["", "One ", "two ", "three."]);
        let last = chunks.last().unwrap();
        assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(3)));
        assert_eq!(chunks[chunks.len() - 2]["choices"][0]["finish_reason"], "stop");
        for chunk in &chunks {
            assert_eq!((&chunk["id"], &chunk["object"]), (&chunks[0]["id"], &json!("chat.completion.chunk")));
            assert_eq!((&chunk["model"], &chunk["konstruct"]["provider"]), (&json!(MODEL), &json!("p0")));
        }
        assert_eq!(world.until_calls(&tenant, 1).await[0].3, 3);
    }
}

#[tokio::test]
async fn a_tool_call_passes_through_both_ways() {
    let world = World::start().await;
    for double in [LlmDouble::anthropic().await, LlmDouble::openai().await] {
        double.answer_with(Answer::ToolCall { name: "look_up".into(), arguments: json!({"query": "hours"}) });
        let tenant = world.with_chain(&[&double]).await;
        let mut body = hello();
        body["tools"] =
            json!([{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]);
        let (status, reply) = world.ask(&tenant, &body).await;
        assert_eq!((status, &reply["choices"][0]["finish_reason"]), (200, &json!("tool_calls")), "{reply}");
        let message = reply["choices"][0]["message"].clone();
        let call = message["tool_calls"][0].clone();
        assert_eq!(call["function"]["name"], "look_up");
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(arguments, json!({"query": "hours"}));

        // As a client's library does: the message goes back as it came, with the result.
        double.say("From nine to five.");
        let messages = body["messages"].as_array_mut().unwrap();
        messages.push(message);
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "9-17"}));
        let (status, reply) = world.ask(&tenant, &body).await;
        assert_eq!((status, text(&reply)), (200, "From nine to five."), "{reply}");
    }
}

#[tokio::test]
async fn a_scripted_model_says_what_it_is_in_every_way_of_answering() {
    let world = World::start().await;
    let tenant = world.tenant().await;
    let demo = provider("demo", scripted("I am {{name}}, {{role}}."));
    world.load_provider(tenant.id(), &demo, "").await;
    world.publish_agent(&tenant, "ada", vec![choice("demo", ProviderOwner::Tenant)]).await;
    let (status, body) = world.ask_ada(&tenant).await;
    assert_eq!(status, 200, "{body}");
    assert!(
        text(&body).starts_with("I am Ada, the librarian.") && text(&body).ends_with(DISCLAIMER),
        "{body}"
    );
    let streamed: String = world
        .stream_ada(&tenant)
        .await
        .iter()
        .filter_map(|data| serde_json::from_str::<Value>(data).ok())
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(streamed, text(&body));
    let calls = world.until_calls(&tenant, 2).await;
    assert!(calls.iter().all(|(_, outcome, tokens_in, tokens_out)| outcome == "answered"
        && *tokens_in > 0
        && *tokens_out > 0));
}

#[tokio::test]
async fn models_are_the_callers_own_agents() {
    let world = World::start().await;
    let (one, other) = (world.tenant().await, world.tenant().await);
    world.publish_agent(&one, "bob", vec![]).await;
    world.publish_agent(&one, "ada", vec![]).await;
    world.publish_agent(&other, "eve", vec![]).await;
    crate::world::eventually("the agents", async || {
        let request =
            world.client.get(format!("{}/v1/models", world.url)).bearer_auth(one.token.expose_secret());
        let (status, body) = answer(request.send().await.unwrap()).await;
        assert_eq!(status, 200);
        let ids: Vec<_> = body["data"].as_array().unwrap().iter().map(|model| model["id"].clone()).collect();
        assert!(!ids.contains(&json!("agent/eve")));
        (ids == ["agent/ada", "agent/bob"]).then_some(())
    })
    .await;
}
