//! When no model answers.

use axum::http::StatusCode;

use crate::ai_gateway::{Mood, TOKEN};
use crate::world::{FIRST_CONTACT, World, eventually, timing};

const HONEST: &str = "Sorry, I can't answer right now: the language model I work with can't be reached. \
     Please write again in a few minutes.";

#[tokio::test]
async fn an_ai_gateway_that_is_down_gives_one_honest_message_and_shows() {
    let world = World::new().await;
    let running = world.start(timing());
    world.ai_gateway.stop().await;
    world.say("one", "Hello").await;
    assert_eq!(world.replies(1).await, [format!("{FIRST_CONTACT}{HONEST}")]);
    assert_eq!(world.turns().await, ["model_unavailable/1"]);
    assert_eq!(world.inbox().await, ["done"]);
    let seen = world.wait_for_observation("AiGatewayUnreachable").await;
    assert!(
        seen.starts_with("false") && seen.ends_with("check that the ai-gateway's pods run and are ready"),
        "{seen}"
    );
    let report = running.readiness.report();
    assert!(report.contains("waiting ai-gateway: the ai-gateway was not reached"), "{report}");

    world.ai_gateway.start_again().await;
    eventually("a probe that finds it again", async || running.readiness.is_ready().then_some(())).await;
    world.say("one", "And now?").await;
    assert_eq!(world.replies(2).await[1], "You said: And now?");
    assert!(world.wait_for_observation("ModelAnswered").await.starts_with("true"));
}

#[tokio::test]
async fn a_short_failure_of_the_ai_gateway_is_not_noticed() {
    let world = World::new().await;
    world.ai_gateway.set(Mood::Fails(StatusCode::SERVICE_UNAVAILABLE, "starting"));
    world.ai_gateway.close_gate();
    let patient =
        konstruct_runtime::Timing { model_patience: std::time::Duration::from_secs(20), ..timing() };
    let _running = world.start(patient);
    world.say("one", "Hello").await;
    world.ai_gateway.wait_for_calls(1).await;
    world.ai_gateway.open_gate();
    world.ai_gateway.wait_for_calls(2).await;
    world.ai_gateway.set(Mood::Echo("You said: "));
    assert_eq!(world.replies(1).await, [format!("{FIRST_CONTACT}You said: Hello")]);
}

#[tokio::test]
async fn failed_providers_are_not_tried_again_by_the_runtime() {
    let world = World::new().await;
    let running = world.start(timing());
    world.ai_gateway.set(Mood::Fails(StatusCode::BAD_GATEWAY, "all_providers_failed"));
    world.say("one", "Hello").await;
    world.replies(1).await;
    assert_eq!(world.ai_gateway.calls().len(), 1);
    let seen = world.wait_for_observation("AllProvidersFailed").await;
    assert!(seen.contains("demo: all_providers_failed") && seen.contains("check the LLMProviders"), "{seen}");
    assert!(running.readiness.report().contains("ok ai-gateway"), "the ai-gateway itself works");
    world.ai_gateway.set(Mood::Echo(""));
    world.say("one", "Again").await;
    world.replies(2).await;
    world.wait_for_observation("ModelAnswered").await;
}

#[tokio::test]
async fn a_month_that_is_used_up_gives_one_honest_answer_with_the_day_and_shows() {
    let world = World::new().await;
    let running = world.start(timing());
    world.ai_gateway.set(Mood::UsedUp);
    world.say("one", "Hello").await;
    let told = "Sorry, I can't answer right now: my company's monthly allowance for the language model I work with is used \
         up. I can answer again from 2026-12-01 (UTC) on, or earlier if the allowance is raised. Please write again then.";
    assert_eq!(world.replies(1).await, [format!("{FIRST_CONTACT}{told}")]);
    assert_eq!(
        (world.turns().await, world.inbox().await),
        (vec!["model_unavailable/1".into()], vec!["done".into()])
    );
    assert_eq!(world.ai_gateway.calls().len(), 1, "it is not tried again");
    let seen = world.wait_for_observation("TokensUsedUp").await;
    assert!(seen.contains("limits.tokensPerMonth is 5") && seen.contains("2026-12-01"), "{seen}");
    assert!(running.readiness.report().contains("ok ai-gateway"), "the ai-gateway itself works");

    world.ai_gateway.set(Mood::Echo("You said: "));
    world.say("one", "And now?").await;
    assert_eq!(world.replies(2).await[1], "You said: And now?");
    world.wait_for_observation("ModelAnswered").await;
}

#[tokio::test]
async fn a_replaced_token_is_read_again() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, TOKEN).unwrap();
    let _running = world.start_with_token_file(&path);
    world.ai_gateway.accept_token("rotated");
    world.say("one", "Hello").await;
    world.replies(1).await;
    let seen = world.wait_for_observation("RuntimeNotAuthorized").await;
    assert!(seen.contains("does not accept the runtime's token"), "{seen}");
    std::fs::write(&path, "rotated\n").unwrap();
    world.say("one", "Again").await;
    assert_eq!(world.replies(2).await[1], "You said: Again");
}
