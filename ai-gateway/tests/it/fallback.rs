use std::time::{Duration, Instant};

use konstruct_testkit::llm::{Fault, LlmDouble};
use serde_json::{Value, json};

use crate::world::{World, text};

async fn two() -> (LlmDouble, LlmDouble) {
    let (first, second) = (LlmDouble::anthropic().await, LlmDouble::openai().await);
    second.say("From the second.");
    (first, second)
}

#[tokio::test]
async fn the_next_model_answers_when_the_first_cannot() {
    let world = World::start().await;
    let (first, second) = two().await;
    let tenant = world.with_chain(&[&first, &second]).await;
    let faults = [
        Fault::Status(408),
        Fault::Status(429),
        Fault::Status(500),
        Fault::Status(529),
        Fault::Hang,
        Fault::Reset,
        Fault::DropAfter(0),
        Fault::ErrorAfter(0, "overloaded_error"),
    ];
    for fault in faults {
        first.fail_next(fault);
        let (status, body) = world.ask_ada(&tenant).await;
        assert_eq!((status, text(&body)), (200, "From the second."), "{fault:?}: {body}");
        assert_eq!(body["konstruct"]["provider"], "p1");
        first.fail_next(fault);
        let streamed = world.stream_ada(&tenant).await.concat();
        assert!(streamed.contains("second.") && streamed.ends_with("[DONE]"), "{fault:?}: {streamed}");
    }
    // An answer in one piece can still be had elsewhere when half of it is lost.
    first.fail_next(Fault::DropAfter(2));
    assert_eq!(text(&world.ask_ada(&tenant).await.1), "From the second.");
}

#[tokio::test]
async fn a_refusal_is_told_and_not_worked_around() {
    let world = World::start().await;
    let (first, second) = two().await;
    let tenant = world.with_chain(&[&first, &second]).await;
    for status in [400, 401, 402, 403, 404, 413, 422] {
        first.fail_next(Fault::Status(status));
        let (answered, body) = world.ask_ada(&tenant).await;
        assert_eq!((answered, &body["error"]["code"]), (502, &json!("provider_rejected")), "{body}");
        assert_eq!(body["error"]["details"][0]["provider"], "p0");
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.contains(&status.to_string()) && !message.contains("SECRET-BODY-TEXT"), "{message}");
    }
    first.fail_next(Fault::WebPage);
    assert_eq!(world.ask_ada(&tenant).await.1["error"]["code"], "provider_rejected");
    assert!(second.requests().is_empty(), "the second model was asked");
    // After a fallback, the second one's refusal is the answer, with both reasons.
    first.fail_next(Fault::Status(503));
    second.fail_next(Fault::Status(401));
    let (_, body) = world.ask_ada(&tenant).await;
    let reasons: Vec<&Value> =
        body["error"]["details"].as_array().unwrap().iter().map(|detail| &detail["reason"]).collect();
    assert_eq!(reasons, ["status_5xx", "credentials"], "{body}");
}

#[tokio::test]
async fn nothing_is_spliced_onto_an_answer_that_has_begun() {
    let world = World::start().await;
    let (first, second) = two().await;
    let tenant = world.with_chain(&[&first, &second]).await;
    for fault in [Fault::DropAfter(1), Fault::StallAfter(1), Fault::ErrorAfter(1, "overloaded_error")] {
        first.fail_next(fault);
        let events = world.stream_ada(&tenant).await;
        let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
        assert_eq!(last["error"]["code"], "interrupted", "{fault:?}: {events:?}");
        assert!(events.concat().contains("Hello ") && !events.concat().contains("second"), "{events:?}");
    }
    assert!(second.requests().is_empty());
    let calls = world.until_calls(&tenant, 3).await;
    assert!(calls.iter().all(|(provider, outcome, tokens_in, tokens_out)| {
        provider == "p0" && outcome == "failed" && *tokens_in > 0 && *tokens_out > 0
    }));
}

#[tokio::test]
async fn when_nobody_answers_every_reason_is_told() {
    let world = World::start().await;
    let (first, second) = two().await;
    let tenant = world.with_chain(&[&first, &second]).await;
    first.fail_always(Fault::Reset);
    second.fail_always(Fault::Hang);
    let started = Instant::now();
    let (status, body) = world.ask_ada(&tenant).await;
    assert!(started.elapsed() < Duration::from_secs(5), "bounded by the provider's time-out");
    assert_eq!((status, &body["error"]["code"]), (502, &json!("all_providers_failed")));
    let details = &body["error"]["details"];
    assert_eq!(
        (&details[0]["reason"], &details[1]["reason"]),
        (&json!("connect"), &json!("timeout")),
        "{body}"
    );
    let mut streamed = crate::world::hello();
    streamed["stream"] = json!(true);
    assert_eq!(world.ask(&tenant, &streamed).await.0, 502, "an error before the first piece is no stream");
    assert!(world.calls(&tenant).await.is_empty(), "nothing was read or written");
}
