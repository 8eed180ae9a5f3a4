use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use konstruct_ai_gateway::{Identity, LocalTokens};
use konstruct_domain::TenantId;
use konstruct_domain::snapshot::ProviderOwner;
use konstruct_testkit::llm::LlmDouble;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::world::{Setup, Tenant, World, choice, eventually, hello, provider, scripted, text};

const AUDIENCE: &str = "konstruct-ai-gateway";

/// The part of the Kubernetes API that reviews tokens: `<namespace>/<service account>/<audience>` is a valid token.
#[derive(Default)]
struct Api {
    reviews: AtomicUsize,
    /// A status to answer with instead; 0 for none.
    failing: AtomicU16,
}

async fn review(State(api): State<Arc<Api>>, Json(review): Json<Value>) -> Response {
    api.reviews.fetch_add(1, Ordering::SeqCst);
    let failing = api.failing.load(Ordering::SeqCst);
    if failing != 0 {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": failing,
            "reason": "Forbidden", "message": "no"});
        return (StatusCode::from_u16(failing).unwrap(), Json(status)).into_response();
    }
    let token = review["spec"]["token"].as_str().unwrap();
    let parts: Vec<&str> = token.split('/').collect();
    let asked = review["spec"]["audiences"].as_array().unwrap();
    let status = match parts[..] {
        [namespace, account, audience] if asked.contains(&json!(audience)) => json!({
            "authenticated": true, "audiences": [audience],
            "user": {"username": format!("system:serviceaccount:{namespace}:{account}"), "uid": "u"},
        }),
        _ => json!({"authenticated": false, "error": "token is not valid"}),
    };
    let answer = json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": {},
        "spec": review["spec"], "status": status});
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn with_kubernetes() -> (World, Arc<Api>) {
    let api = Arc::new(Api::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/apis/authentication.k8s.io/v1/tokenreviews", post(review))
        .with_state(Arc::clone(&api));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    let client = kube::Client::try_from(config).unwrap();
    let identity = Some(Identity::TokenReview { client, audience: AUDIENCE.into() });
    (Setup { identity, ..Setup::usual().await }.start().await, api)
}

/// A tenant whose agent `ada` answers with the text.
async fn answering(world: &World, reply: &str) -> Tenant {
    let tenant = world.tenant().await;
    world.load_provider(tenant.id(), &provider("demo", scripted(reply)), "").await;
    world.publish_agent(&tenant, "ada", vec![choice("demo", ProviderOwner::Tenant)]).await;
    tenant
}

async fn ask_as(world: &World, tenant: &Tenant, token: &str) -> (u16, Value) {
    let caller = Tenant { record: tenant.record.clone(), token: SecretString::from(token) };
    world.ask_ada(&caller).await
}

#[tokio::test]
async fn a_runtimes_token_is_reviewed_once_a_minute_and_names_its_tenant() {
    let (world, api) = with_kubernetes().await;
    let (one, other) = (answering(&world, "One.").await, answering(&world, "Other.").await);
    eventually("the readiness check's own review", async || world.readiness.is_ready().then_some(())).await;
    let before = api.reviews.load(Ordering::SeqCst);
    for (tenant, reply) in [(&one, "One."), (&other, "Other.")] {
        let token = format!("{}/konstruct-runtime/{AUDIENCE}", tenant.record.namespace);
        for _ in 0..5 {
            let (status, body) = ask_as(&world, tenant, &token).await;
            assert_eq!(status, 200, "{body}");
            assert!(text(&body).starts_with(reply));
        }
    }
    let reviews = api.reviews.load(Ordering::SeqCst) - before;
    // The readiness check may have come in between.
    assert!((2..=3).contains(&reviews), "{reviews} reviews");
}

#[tokio::test]
async fn nobody_else_gets_in() {
    let (world, api) = with_kubernetes().await;
    let tenant = answering(&world, "One.").await;
    let namespace = tenant.record.namespace.as_str();
    let cases: HashMap<String, u16> = [
        (format!("{namespace}/konstruct-runtime/another-audience"), 401),
        ("garbage".to_owned(), 401),
        (format!("{namespace}/default/{AUDIENCE}"), 403),
        (format!("kt-nobody/konstruct-runtime/{AUDIENCE}"), 403),
    ]
    .into();
    for (token, expected) in cases {
        let (status, body) = ask_as(&world, &tenant, &token).await;
        assert_eq!(status, expected, "{token}: {body}");
        assert!(!body.to_string().contains(&token), "{body}");
    }
    // Naming a tenant in the request changes nothing.
    let token = format!("kt-nobody/konstruct-runtime/{AUDIENCE}");
    let request = world.client.post(format!("{}/v1/chat/completions", world.url)).bearer_auth(&token);
    let request = request.header("x-tenant-id", tenant.id().to_string()).json(&hello());
    assert_eq!(request.send().await.unwrap().status(), 403);
    let anonymous = world.client.post(format!("{}/v1/chat/completions", world.url)).json(&hello());
    assert_eq!(anonymous.send().await.unwrap().status(), 401);

    // A refused token is remembered too: it cannot be used to flood the Kubernetes API.
    let before = api.reviews.load(Ordering::SeqCst);
    for _ in 0..20 {
        assert_eq!(ask_as(&world, &tenant, "flood").await.0, 401);
    }
    assert!(api.reviews.load(Ordering::SeqCst) - before <= 2);
}

#[tokio::test]
async fn when_the_kubernetes_api_fails_it_is_said_and_nobody_is_called_invalid() {
    let (world, api) = with_kubernetes().await;
    let tenant = answering(&world, "One.").await;
    let token = format!("{}/konstruct-runtime/{AUDIENCE}", tenant.record.namespace);
    api.failing.store(403, Ordering::SeqCst);
    let (status, body) = ask_as(&world, &tenant, &token).await;
    assert_eq!((status, &body["error"]["code"]), (503, &json!("identity_unavailable")));
    eventually("readiness to say so", async || {
        world.readiness.report().contains("create tokenreviews.authentication.k8s.io").then_some(())
    })
    .await;
    api.failing.store(0, Ordering::SeqCst);
    assert_eq!(ask_as(&world, &tenant, &token).await.0, 200);
    // What has been reviewed goes on working for a while.
    api.failing.store(500, Ordering::SeqCst);
    assert_eq!(ask_as(&world, &tenant, &token).await.0, 200);
}

#[tokio::test]
async fn two_tenants_with_agents_and_providers_of_the_same_names_never_meet() {
    let world = World::start().await;
    let (one, other) = (answering(&world, "One.").await, answering(&world, "Other.").await);
    for (tenant, reply) in [(&one, "One."), (&other, "Other.")] {
        let (status, body) = world.ask_ada(tenant).await;
        assert_eq!(status, 200, "{body}");
        assert!(text(&body).starts_with(reply), "{body}");
    }
    // The other one's agent is not even there.
    let double = LlmDouble::openai().await;
    let third = world.with_chain(&[&double]).await;
    world.publish_agent(&third, "only-mine", vec![choice("p0", ProviderOwner::Tenant)]).await;
    let mut body = hello();
    body["model"] = json!("agent/only-mine");
    eventually("the agent", async || (world.ask(&third, &body).await.0 == 200).then_some(())).await;
    assert_eq!(world.ask(&one, &body).await.0, 404);
}

#[tokio::test]
async fn a_local_token_of_another_key_or_an_unknown_tenant_is_refused() {
    let world = World::start().await;
    let tenant = answering(&world, "One.").await;
    let forged = LocalTokens::new([9; 32]).issue(tenant.id());
    assert_eq!(ask_as(&world, &tenant, forged.expose_secret()).await.0, 401);
    let nobody = LocalTokens::new([3; 32]).issue(TenantId::from_slug(&"nobody".parse().unwrap()));
    assert_eq!(ask_as(&world, &tenant, nobody.expose_secret()).await.0, 403);
    let platform = LocalTokens::new([3; 32]).issue(TenantId::PLATFORM);
    assert_eq!(ask_as(&world, &tenant, platform.expose_secret()).await.0, 403);
}
