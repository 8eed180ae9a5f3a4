use futures::StreamExt;
use konstruct_domain::snapshot::{ProviderEndpoint, ScriptedRule};
use konstruct_llm::{Chunk, DISCLAIMER, FinishReason, Probe, collect};
use konstruct_testkit::llm::{API_KEY, Answer, LlmDouble};
use serde_json::json;

use super::{WAIT, ask, both, hello, provider, request};

#[tokio::test]
async fn text_arrives_in_pieces_and_the_last_usage_is_the_providers() {
    for pair in both().await {
        pair.double.say("One two three.");
        let stream = ask(&pair.provider, &hello()).await.unwrap();
        let chunks: Vec<Chunk> = stream.map(Result::unwrap).collect().await;
        let texts: Vec<_> = chunks.iter().filter(|chunk| chunk.is_output()).cloned().collect();
        assert_eq!(texts, ["One ", "two ", "three."].map(|text| Chunk::Text(text.into())));
        assert!(chunks.contains(&Chunk::Finished(FinishReason::Stop)));
        let Some(Chunk::Usage(usage)) = chunks.last() else { panic!("no usage at the end: {chunks:?}") };
        assert_eq!(usage.output_tokens, 3);
        assert!(usage.input_tokens > 0);
    }
}

#[tokio::test]
async fn a_tool_call_comes_whole_out_of_its_pieces() {
    let arguments = json!({"query": "opening hours", "limit": 3});
    let mut request = hello();
    request.tools = serde_json::from_value(json!([
        {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
    ]))
    .unwrap();
    for pair in both().await {
        pair.double.answer_with(Answer::ToolCall { name: "look_up".into(), arguments: arguments.clone() });
        let answer = collect(ask(&pair.provider, &request).await.unwrap()).await.unwrap();
        let call = &answer.tool_calls[0].function;
        assert_eq!(call.name, "look_up");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&call.arguments).unwrap(), arguments);
        assert_eq!(answer.finish_reason, FinishReason::ToolCalls);
    }
}

#[tokio::test]
async fn the_results_of_tools_and_an_odd_window_are_put_as_each_api_wants_them() {
    let request = request(&json!([
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "Good morning!"},
        {"role": "user", "content": "One."},
        {"role": "user", "content": [{"type": "text", "text": "Two."}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "user", "content": "Go on."},
    ]));
    for pair in both().await {
        let answer = collect(ask(&pair.provider, &request).await.unwrap()).await.unwrap();
        assert_eq!(answer.text, "Hello from the double.");
    }
}

#[tokio::test]
async fn temperature_is_clamped_to_what_the_api_knows() {
    for (pair, expected) in both().await.into_iter().zip([1.0, 1.5]) {
        collect(ask(&pair.provider, &hello()).await.unwrap()).await.unwrap();
        assert_eq!(pair.double.requests()[0]["temperature"], expected);
        assert_eq!(pair.double.requests()[0]["max_tokens"], 64);
    }
}

#[tokio::test]
async fn a_local_server_needs_no_key() {
    let double = LlmDouble::openai_without_key().await;
    let endpoint = ProviderEndpoint::OpenAi { base_url: double.base_url(), api_key: None };
    let answer = collect(ask(&provider(&endpoint, None), &hello()).await.unwrap()).await.unwrap();
    assert_eq!(answer.text, "Hello from the double.");
}

#[tokio::test]
async fn the_double_answers_whole_what_it_answers_in_pieces() {
    // The doubles also serve tests that do not stream.
    let double = LlmDouble::openai().await;
    let body =
        json!({"model": konstruct_testkit::llm::MODEL, "messages": [{"role": "user", "content": "hi"}]});
    let url = format!("{}/chat/completions", double.base_url());
    let response = reqwest::Client::new().post(url).bearer_auth(API_KEY).json(&body).send().await.unwrap();
    let body: serde_json::Value = response.json().await.unwrap();
    assert_eq!(body["choices"][0]["message"]["content"], "Hello from the double.");
}

#[tokio::test]
async fn scripted_rules_stream_say_what_they_are_and_count() {
    let rules =
        vec![ScriptedRule { pattern: Some("PERSONAL".into()), reply: "I am {{name}}, {{role}}.".into() }];
    let provider = provider(&ProviderEndpoint::Scripted { rules }, None);
    let answer = collect(ask(&provider, &hello()).await.unwrap()).await.unwrap();
    assert_eq!(answer.text, format!("I am Ada, the librarian.{DISCLAIMER}"));
    let usage = answer.usage.unwrap();
    let characters = hello().characters();
    assert_eq!(usage.input_tokens, u64::try_from(characters.div_ceil(4)).unwrap());
    assert_eq!(usage.output_tokens, u64::try_from(answer.text.chars().count().div_ceil(4)).unwrap());
    let pieces = ask(&provider, &hello()).await.unwrap().count().await;
    assert!(pieces > 5, "streamed in {pieces} pieces");
}

#[tokio::test]
async fn a_probe_costs_no_answer() {
    for pair in both().await {
        assert_eq!(pair.provider.probe(WAIT).await, Ok(Probe::Accepted));
        assert!(pair.double.requests().is_empty());
    }
}
