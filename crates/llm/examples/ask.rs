//! Asks a real provider by hand and shows the chunks as they come:
//!
//!     PROVIDER_API_KEY=… cargo run -p konstruct-llm --example ask -- anthropic https://api.anthropic.com MODEL "Hi"
//!     cargo run -p konstruct-llm --example ask -- openai http://127.0.0.1:11434/v1 MODEL "Hi"

use std::io::Write;
use std::time::Duration;

use futures::StreamExt;
use konstruct_domain::snapshot::{ProviderEndpoint, SecretField, SecretVersion};
use konstruct_llm::{Call, ChatRequest, HttpClient, Provider, RenderAs};
use secrecy::SecretString;

const WAIT: Duration = Duration::from_mins(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, base_url, model, message] = arguments.as_slice() else {
        return Err(
            "usage: ask anthropic|openai BASE_URL MODEL MESSAGE, with the key in PROVIDER_API_KEY".into()
        );
    };
    let key = std::env::var("PROVIDER_API_KEY").ok().map(SecretString::from);
    let version = SecretVersion { field: SecretField::ProviderApiKey, version: "by-hand".to_owned() };
    let base_url = base_url.clone();
    let endpoint = match kind.as_str() {
        "anthropic" => ProviderEndpoint::Anthropic { base_url, api_key: version },
        _ => ProviderEndpoint::OpenAi { base_url, api_key: key.is_some().then_some(version) },
    };
    let provider = Provider::new(&endpoint, key.as_ref(), &HttpClient::new()?)?;
    let mut out = std::io::stdout();
    writeln!(out, "probe: {:?}", provider.probe(WAIT).await)?;

    let request: ChatRequest = serde_json::from_value(serde_json::json!({
        "model": "by-hand",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": message}],
    }))?;
    let render_as = RenderAs { name: "Ada", role: "" };
    let call =
        Call { request: &request, model, max_output_tokens: 64, temperature: None, wait: WAIT, render_as };
    let mut chunks = provider.stream(call).await?;
    while let Some(chunk) = chunks.next().await {
        writeln!(out, "{:?}", chunk?)?;
    }
    Ok(())
}
