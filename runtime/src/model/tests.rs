use super::*;

fn error(code: &str) -> Vec<u8> {
    serde_json::json!({"error": {"message": "demo: time-out", "type": "server_error", "code": code}})
        .to_string()
        .into()
}

#[test]
fn refusals_are_told_apart() {
    let all = refusal(StatusCode::BAD_GATEWAY, &error("all_providers_failed"));
    assert!(matches!(&all, Unavailable::AllProvidersFailed(why) if why == "demo: time-out"));
    assert!(!all.may_pass_soon() && !all.is_of_the_ai_gateway());
    let rejected = refusal(StatusCode::BAD_GATEWAY, &error("provider_rejected"));
    assert!(matches!(&rejected, Unavailable::ProviderRejected(_)) && !rejected.may_pass_soon());
    let proxy = refusal(StatusCode::BAD_GATEWAY, b"<html>");
    assert!(matches!(proxy, Unavailable::Failing(502)) && proxy.may_pass_soon());
    assert!(matches!(refusal(StatusCode::UNAUTHORIZED, b""), Unavailable::Unauthorized));
    assert!(refusal(StatusCode::NOT_FOUND, &error("agent_not_found")).may_pass_soon());
    assert!(refusal(StatusCode::TOO_MANY_REQUESTS, b"").may_pass_soon());
    let refused = refusal(StatusCode::PAYLOAD_TOO_LARGE, b"");
    assert!(matches!(refused, Unavailable::Refused { status: 413, .. }) && !refused.may_pass_soon());
}

#[test]
fn a_month_that_is_used_up_is_told_with_its_day_and_not_tried_again() {
    for (code, reason) in
        [("tokens_per_month_used_up", "TokensUsedUp"), ("spend_per_month_used_up", "SpendUsedUp")]
    {
        let body = serde_json::json!({"error": {"message": "used up", "code": code,
            "details": {"limit": 5, "used": 7, "resets_on": "2026-12-01"}}});
        let refused = refusal(StatusCode::TOO_MANY_REQUESTS, body.to_string().as_bytes());
        assert!(!refused.may_pass_soon() && !refused.is_of_the_ai_gateway());
        assert_eq!((refused.reason(), refused.advice().as_str()), (reason, "used up"));
        let Unavailable::UsedUp { resets_on, .. } = refused else { panic!("{refused}") };
        assert!(crate::reply::used_up(resets_on.as_deref()).contains("from 2026-12-01 (UTC) on"));
    }
}

#[test]
fn advice_is_bounded_and_says_what_to_do() {
    let advice = Unavailable::AllProvidersFailed("x".repeat(10_000)).advice();
    assert!(
        advice.len() < 800 && advice.ends_with("check the LLMProviders named in spec.models"),
        "{advice}"
    );
}

#[test]
fn an_answer_without_content_or_usage_is_read() {
    let body = r#"{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant",
        "content":null},"finish_reason":"stop"}],"konstruct":{"provider":"demo","revision":"abc"}}"#;
    let answer = answer(serde_json::from_str(body).unwrap());
    assert_eq!((answer.text.as_str(), answer.provider.as_str(), answer.tokens_in), ("", "demo", 0));
}
