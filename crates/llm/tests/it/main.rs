//! The providers against strict doubles of the real APIs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot do its work ends here")]

mod answers;
mod faults;
mod secrets;

use std::time::Duration;

use konstruct_domain::snapshot::{ProviderEndpoint, SecretField, SecretVersion};
use konstruct_llm::{Call, ChatRequest, ChunkStream, Error, HttpClient, Provider, RenderAs};
use konstruct_testkit::llm::{API_KEY, LlmDouble, MODEL};
use serde_json::{Value, json};

const WAIT: Duration = Duration::from_millis(400);

/// A double with the provider that talks to it.
struct Pair {
    double: LlmDouble,
    provider: Provider,
}

fn secret_version() -> SecretVersion {
    SecretVersion { field: SecretField::ProviderApiKey, version: "1".into() }
}

fn provider(endpoint: &ProviderEndpoint, key: Option<&str>) -> Provider {
    let key = key.map(Into::into);
    Provider::new(endpoint, key.as_ref(), &HttpClient::new().unwrap()).unwrap()
}

async fn anthropic_with_key(key: &str) -> Pair {
    let double = LlmDouble::anthropic().await;
    let endpoint = ProviderEndpoint::Anthropic { base_url: double.base_url(), api_key: secret_version() };
    Pair { provider: provider(&endpoint, Some(key)), double }
}

async fn openai_with_key(key: &str) -> Pair {
    let double = LlmDouble::openai().await;
    let endpoint = ProviderEndpoint::OpenAi { base_url: double.base_url(), api_key: Some(secret_version()) };
    Pair { provider: provider(&endpoint, Some(key)), double }
}

/// Both APIs: what holds for one provider holds for the other.
async fn both() -> [Pair; 2] {
    [anthropic_with_key(API_KEY).await, openai_with_key(API_KEY).await]
}

fn request(messages: &Value) -> ChatRequest {
    serde_json::from_value(json!({"model": "agent/ada", "messages": messages})).unwrap()
}

fn hello() -> ChatRequest {
    request(
        &json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "PERSONAL-TEXT hello"}]),
    )
}

async fn call(provider: &Provider, request: &ChatRequest, model: &str) -> Result<ChunkStream, Error> {
    let render_as = RenderAs { name: "Ada", role: "the librarian" };
    let call = Call { request, model, max_output_tokens: 64, temperature: Some(1.5), wait: WAIT, render_as };
    provider.stream(call).await
}

async fn ask(provider: &Provider, request: &ChatRequest) -> Result<ChunkStream, Error> {
    call(provider, request, MODEL).await
}
