//! Tokens of the tenant's service account, at the Kubernetes API and at the ai-gateway.

use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use konstruct_controllers::framework::names::RUNTIME;
use konstruct_controllers::settings::TOKEN_AUDIENCE;
use kube::api::PostParams;
use kube::config::AuthInfo;
use kube::{Api, Client, Config};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::error::Obstacle;
use crate::family::{Family, Findings};
use crate::report::Probe;
use crate::subject::Subject;

/// The shortest lifetime that the API server grants.
const TOKEN_SECONDS: i64 = 600;
/// An audience that nobody of ours asks for.
const OTHER_AUDIENCE: &str = "konstruct-verify";
const TIMEOUT: Duration = Duration::from_secs(10);
/// How many other tenants are tried until one can show something.
const OTHERS: usize = 5;

struct Scene<'a> {
    config: &'a Config,
    client: Client,
    subject: &'a Subject,
    others: &'a [&'a Subject],
    http: reqwest::Client,
    /// The ai-gateway as it is reached from here.
    ai_gateway: Result<String, String>,
}

pub(crate) async fn probes(
    config: &Config,
    client: &Client,
    subject: &Subject,
    others: &[&Subject],
    ai_gateway: Result<String, String>,
) -> Vec<Probe> {
    let http = reqwest::Client::builder().no_proxy().timeout(TIMEOUT).build();
    let scene = http
        .map(|http| Scene { config, client: client.clone(), subject, others, http, ai_gateway })
        .map_err(|error| format!("cannot set up HTTP: {error}"));
    let mut family = Family::new(scene);
    family.claim("token-api", "the Kubernetes API refuses its runtime's token", refused_by_the_api).await;
    family.claim("token-missing", "the ai-gateway refuses a caller without a token", none_refused).await;
    family
        .claim("token-audience", "the ai-gateway refuses a token made for others", other_audience_refused)
        .await;
    family.claim("token-account", "the ai-gateway refuses its other accounts", other_account_refused).await;
    family.claim("token-own", "its token acts as this tenant, whatever a request says", acts_as_own).await;
    family.claim("token-others", "tokens of other tenants do not act as it", others_act_as_own).await;
    family.finish()
}

async fn token(
    scene: &Scene<'_>,
    of: &Subject,
    account: &str,
    audience: &str,
) -> Result<SecretString, Obstacle> {
    let accounts: Api<ServiceAccount> = Api::namespaced(scene.client.clone(), &of.namespace());
    let spec = TokenRequestSpec {
        audiences: vec![audience.to_owned()],
        expiration_seconds: Some(TOKEN_SECONDS),
        bound_object_ref: None,
    };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let made = accounts.create_token_request(account, &PostParams::default(), &request).await.map_err(
        Obstacle::of(format!(
            "no token of {account} in {}: allow create of serviceaccounts/token",
            of.namespace()
        )),
    )?;
    let token = made.status.map(|status| SecretString::from(status.token));
    token.ok_or_else(|| Obstacle::Missing("the API server made no token".to_owned()))
}

async fn refused_by_the_api(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let token = token(scene, scene.subject, RUNTIME, TOKEN_AUDIENCE).await?;
    let mut config = scene.config.clone();
    config.auth_info =
        AuthInfo { token: Some(token.expose_secret().to_owned().into()), ..AuthInfo::default() };
    let client = Client::try_from(config).map_err(Obstacle::of("cannot set up a client with the token"))?;
    match client.list_core_api_versions().await {
        Err(kube::Error::Api(status)) if status.code == 401 => Ok(Vec::new()),
        // Known to the API server, whatever it may do there.
        Ok(_) => Ok(vec!["the token is accepted".to_owned()]),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(vec!["the token is recognised".to_owned()]),
        Err(error) => Err(Obstacle::of("the Kubernetes API did not answer")(error)),
    }
}

async fn none_refused(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let answer = models(scene, None, &[]).await?;
    Ok(unless_refused(&answer, "no token"))
}

async fn other_audience_refused(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let token = token(scene, scene.subject, RUNTIME, OTHER_AUDIENCE).await?;
    let answer = models(scene, Some(&token), &[]).await?;
    Ok(unless_refused(&answer, "a token for another audience"))
}

/// Only the runtime's own account speaks for the tenant.
async fn other_account_refused(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let token = token(scene, scene.subject, "default", TOKEN_AUDIENCE).await?;
    let answer = models(scene, Some(&token), &[]).await?;
    Ok(unless_refused(&answer, "a token of the account default"))
}

async fn acts_as_own(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let token = token(scene, scene.subject, RUNTIME, TOKEN_AUDIENCE).await?;
    let mut findings = owners_but(scene, &token, &[], scene.subject).await?;
    if let Some(other) = scene.others.first() {
        let (slug, id, namespace) = (other.slug.to_string(), other.id.to_string(), other.namespace());
        let headers = [
            ("x-tenant", slug.as_str()),
            ("x-tenant-id", &id),
            ("x-konstruct-tenant", &id),
            ("x-forwarded-namespace", &namespace),
        ];
        findings.extend(owners_but(scene, &token, &headers, scene.subject).await?);
    }
    Ok(findings)
}

/// One other tenant suffices. One that is not ready yet or leaves meanwhile shows nothing; the next one may.
async fn others_act_as_own(scene: &mut Scene<'_>) -> Result<Findings, Obstacle> {
    let id = scene.subject.id.to_string();
    let headers =
        [("x-tenant", scene.subject.slug.as_str()), ("x-tenant-id", &id), ("x-konstruct-tenant", &id)];
    let mut obstacle =
        Obstacle::Missing("there is no other tenant: create a second Tenant with an Agent".to_owned());
    for other in scene.others.iter().filter(|other| !other.leaves()).take(OTHERS) {
        let attempt = async {
            owners_but(scene, &token(scene, other, RUNTIME, TOKEN_AUDIENCE).await?, &headers, other).await
        };
        match attempt.await {
            Ok(findings) => return Ok(findings),
            Err(why) => obstacle = why,
        }
    }
    Err(obstacle)
}

/// Whose employees the ai-gateway offers besides those of `expected`.
async fn owners_but(
    scene: &Scene<'_>,
    token: &SecretString,
    headers: &[(&'static str, &str)],
    expected: &Subject,
) -> Result<Findings, Obstacle> {
    let (status, body) = models(scene, Some(token), headers).await?;
    if status != StatusCode::OK {
        return Err(Obstacle::Missing(format!(
            "the ai-gateway answers {status} to the runtime of {}: see the Tenant's condition Ready and the \
             ai-gateway's log",
            expected.name
        )));
    }
    let owners = body["data"].as_array().into_iter().flatten().filter_map(|model| model["owned_by"].as_str());
    let owners: Vec<&str> = owners.collect();
    if owners.is_empty() {
        return Err(Obstacle::Missing(format!(
            "tenant {} has no Agent, so nothing shows whom its token acts for: create one",
            expected.name
        )));
    }
    let foreign = owners.into_iter().filter(|owner| *owner != expected.slug.as_str());
    Ok(foreign.map(|owner| format!("the runtime of {} gets an employee of {owner}", expected.name)).collect())
}

async fn models(
    scene: &Scene<'_>,
    token: Option<&SecretString>,
    headers: &[(&'static str, &str)],
) -> Result<(StatusCode, Value), Obstacle> {
    let address = scene.ai_gateway.as_ref().map_err(|why| Obstacle::Missing(why.clone()))?;
    let mut request = scene.http.get(format!("{}/v1/models", address.trim_end_matches('/')));
    if let Some(token) = token {
        request = request.bearer_auth(token.expose_secret());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let unreachable = |error: reqwest::Error| {
        Obstacle::Missing(format!(
            "the ai-gateway was not reached at {address}: forward its port and give --ai-gateway-url ({error})"
        ))
    };
    let answer = request.send().await.map_err(unreachable)?;
    let status = answer.status();
    Ok((status, answer.json().await.unwrap_or_default()))
}

fn unless_refused((status, _): &(StatusCode, Value), what: &str) -> Findings {
    let refused = matches!(*status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    if refused { Vec::new() } else { vec![format!("{what} is answered with {status}")] }
}
