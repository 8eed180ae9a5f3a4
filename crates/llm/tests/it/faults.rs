use std::time::{Duration, Instant};

use konstruct_domain::snapshot::ProviderEndpoint;
use konstruct_llm::{Completion, Error, Probe, Rejection, collect};
use konstruct_testkit::llm::{API_KEY, Fault};
use serde_json::json;

use super::{Pair, WAIT, anthropic_with_key, ask, both, call, hello, openai_with_key, provider, request};

async fn answer(pair: &Pair) -> Result<Completion, Error> {
    collect(ask(&pair.provider, &hello()).await?).await
}

const fn rejected(status: u16, reason: Rejection) -> Error {
    Error::Rejected { status, reason }
}

#[tokio::test]
async fn every_failure_is_classified() {
    let cases = [
        (Fault::Status(401), rejected(401, Rejection::Credentials)),
        (Fault::Status(402), rejected(402, Rejection::Billing)),
        (Fault::Status(403), rejected(403, Rejection::Permission)),
        (Fault::Status(400), rejected(400, Rejection::Other)),
        (Fault::Status(413), rejected(413, Rejection::TooLong)),
        (Fault::Redirect, rejected(307, Rejection::Redirect)),
        (Fault::Status(408), Error::Status(408)),
        (Fault::Status(429), Error::Status(429)),
        (Fault::Status(500), Error::Status(500)),
        (Fault::Status(529), Error::Status(529)),
        (Fault::Hang, Error::Timeout),
        (Fault::StallAfter(0), Error::Timeout),
        (Fault::StallAfter(2), Error::Timeout),
        (Fault::Reset, Error::Connect),
        (Fault::DropAfter(0), Error::Connect),
        (Fault::DropAfter(2), Error::Connect),
        (Fault::ErrorAfter(1, "api_error"), Error::Status(500)),
        (Fault::ErrorAfter(0, "rate_limit_error"), Error::Status(429)),
        (Fault::WebPage, Error::Malformed("not an event stream")),
    ];
    for pair in both().await {
        for (fault, expected) in &cases {
            pair.double.fail_next(*fault);
            assert_eq!(
                answer(&pair).await.as_ref(),
                Err(expected),
                "{:?}",
                (pair.provider.type_name(), fault)
            );
        }
        assert!(answer(&pair).await.is_ok(), "works again");
    }
}

#[tokio::test]
async fn an_unknown_model_and_a_wrong_key_are_refusals() {
    for pair in both().await {
        let unknown = call(&pair.provider, &hello(), "no-such-model").await.err();
        assert_eq!(unknown, Some(rejected(404, Rejection::NotFound)));
    }
    for pair in [anthropic_with_key("wrong").await, openai_with_key("wrong").await] {
        let refused = rejected(401, Rejection::Credentials);
        assert_eq!(answer(&pair).await.unwrap_err(), refused);
        assert_eq!(pair.provider.probe(WAIT).await, Err(refused));
    }
}

#[tokio::test]
async fn a_dead_or_silent_host_is_noticed_in_time() {
    // A port that nobody listens on, and one where nobody accepts.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let dead = {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        closed.local_addr().unwrap()
    };
    for (address, expected) in [(dead, Error::Connect), (silent, Error::Timeout)] {
        let endpoint = ProviderEndpoint::OpenAi { base_url: format!("http://{address}/v1"), api_key: None };
        let provider = provider(&endpoint, None);
        let started = Instant::now();
        assert_eq!(ask(&provider, &hello()).await.err(), Some(expected.clone()));
        assert_eq!(provider.probe(WAIT).await, Err(expected));
        assert!(started.elapsed() < 2 * WAIT + Duration::from_secs(1));
    }
}

#[tokio::test]
async fn an_endless_answer_is_cut_off_and_hanging_up_ends_it_there() {
    for pair in both().await {
        pair.double.fail_next(Fault::Endless);
        let stream = ask(&pair.provider, &hello()).await.unwrap();
        assert_eq!(pair.double.open_streams(), 1);
        drop(stream);
        let started = Instant::now();
        while pair.double.open_streams() > 0 {
            assert!(started.elapsed() < Duration::from_secs(5), "the provider still writes");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_request_that_the_api_cannot_express_is_not_sent() {
    let pair = anthropic_with_key(API_KEY).await;
    let silent = request(&json!([{"role": "user", "content": "  "}]));
    assert!(matches!(ask(&pair.provider, &silent).await.err(), Some(Error::Request(_))));
    assert!(pair.double.requests().is_empty());
}

#[tokio::test]
async fn a_server_without_a_model_list_is_reachable() {
    let pair = openai_with_key(API_KEY).await;
    let elsewhere = pair.double.base_url().replace("/v1", "/v2");
    let endpoint = ProviderEndpoint::OpenAi { base_url: elsewhere, api_key: None };
    assert_eq!(provider(&endpoint, None).probe(WAIT).await, Ok(Probe::Reachable));
}
