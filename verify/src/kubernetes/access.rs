//! The can-i matrix of the multi-tenancy benchmark (MTB-PL1-CC-CPI-1, BC-CPI-2, CC-TI-1, CC-TI-2, PL2-CC-TI-1,
//! PL2-BC-OPS-3 and -4): every verb that the API server
//! serves of every kind, asked for the tenant's service account.

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::core::discovery::Scope as Reach;
use kube::discovery::{ApiGroup, Discovery};
use kube::{Api, Client};

use super::Scene;
use crate::error::Obstacle;
use crate::family::{Family, Findings};
use crate::subject::Subject;

/// Verbs that give rights away, and what they are about.
const GIVING: [(&str, &str, &str); 7] = [
    ("escalate", "rbac.authorization.k8s.io", "roles"),
    ("escalate", "rbac.authorization.k8s.io", "clusterroles"),
    ("bind", "rbac.authorization.k8s.io", "roles"),
    ("bind", "rbac.authorization.k8s.io", "clusterroles"),
    ("impersonate", "", "users"),
    ("impersonate", "", "groups"),
    ("impersonate", "", "serviceaccounts"),
];

/// What Kubernetes lets everybody do who is authenticated: ask about oneself, and read published authorities.
const EVERYBODY: [(&str, &str); 5] = [
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews/status"),
    ("authentication.k8s.io", "selfsubjectreviews"),
    ("certificates.k8s.io", "clustertrustbundles"),
];

const AT_ONCE: usize = 32;

/// Something that can be done with a kind.
struct Deed {
    group: String,
    resource: String,
    verb: String,
}

pub(super) async fn claims(family: &mut Family<Scene<'_>>) {
    family
        .claim("k8s-cluster", "may do nothing with any kind of the cluster", async |scene| {
            allowed(scene, Reach::Cluster, &[None]).await
        })
        .await;
    family
        .claim("k8s-own", "may do nothing in its own namespace, its walls included", async |scene| {
            let own = scene.subject.namespace();
            allowed(scene, Reach::Namespaced, &[Some(&own)]).await
        })
        .await;
    family
        .claim("k8s-others", "may do nothing in namespaces of others", async |scene| {
            let elsewhere: Vec<Option<&str>> =
                scene.elsewhere.iter().map(|name| Some(name.as_str())).collect();
            allowed(scene, Reach::Namespaced, &elsewhere).await
        })
        .await;
    family
        .claim("k8s-giving", "may not bind, escalate or impersonate", async |scene| {
            let own = scene.subject.namespace();
            let questions = [Some(own.as_str()), None].into_iter().flat_map(|namespace| {
                GIVING.map(|(verb, group, resource)| question(verb, group, resource, namespace))
            });
            ask(scene.client, scene.subject, questions.collect()).await
        })
        .await;
}

/// Everything that the service account may do with kinds of one reach.
async fn allowed(scene: &Scene<'_>, reach: Reach, namespaces: &[Option<&str>]) -> Result<Findings, Obstacle> {
    let deeds = deeds(scene.client, &reach).await?;
    let questions = namespaces.iter().flat_map(|namespace| {
        deeds.iter().map(move |deed| question(&deed.verb, &deed.group, &deed.resource, *namespace))
    });
    ask(scene.client, scene.subject, questions.collect()).await
}

/// What the API server can do with kinds of one reach, subresources such as `pods/exec` included.
async fn deeds(client: &Client, reach: &Reach) -> Result<Vec<Deed>, Obstacle> {
    let discovery = Discovery::new(client.clone());
    let discovery = discovery.run_aggregated().await.map_err(Obstacle::of("cannot ask for the kinds"))?;
    let mut deeds = Vec::new();
    for (kind, capabilities) in discovery.groups().flat_map(ApiGroup::recommended_resources) {
        if capabilities.scope != *reach || EVERYBODY.contains(&(kind.group.as_str(), kind.plural.as_str())) {
            continue;
        }
        let mut add = |resource: String, verbs: &[String]| {
            let deed = |verb: &String| Deed {
                group: kind.group.clone(),
                resource: resource.clone(),
                verb: verb.clone(),
            };
            deeds.extend(verbs.iter().map(deed));
        };
        add(kind.plural.clone(), &capabilities.operations);
        for (subresource, of_it) in &capabilities.subresources {
            let part = subresource.plural.rsplit(['_', '/']).next().unwrap_or_default();
            add(format!("{}/{part}", kind.plural), &of_it.operations);
        }
    }
    if deeds.is_empty() {
        return Err(Obstacle::Missing("the API server lists no kinds: allow discovery".to_owned()));
    }
    Ok(deeds)
}

fn question(verb: &str, group: &str, resource: &str, namespace: Option<&str>) -> ResourceAttributes {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (resource, None),
    };
    ResourceAttributes {
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource,
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    }
}

/// Those that are answered with yes.
async fn ask(
    client: &Client,
    subject: &Subject,
    questions: Vec<ResourceAttributes>,
) -> Result<Findings, Obstacle> {
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let answers = stream::iter(questions).map(|question| {
        let reviews = &reviews;
        async move {
            let review = review(subject, &question);
            let answer = reviews.create(&PostParams::default(), &review).await;
            let answer = answer.map_err(Obstacle::of(
                "cannot ask what the tenant may do: allow create of subjectaccessreviews",
            ))?;
            let allowed = answer.status.is_some_and(|status| status.allowed);
            Ok(allowed.then(|| sentence(&question)))
        }
    });
    let answers: Vec<Option<String>> = answers.buffered(AT_ONCE).try_collect().await?;
    Ok(answers.into_iter().flatten().collect())
}

fn review(subject: &Subject, question: &ResourceAttributes) -> SubjectAccessReview {
    let groups = [
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{}", subject.namespace()),
        "system:authenticated".to_owned(),
    ];
    let spec = SubjectAccessReviewSpec {
        user: Some(subject.user()),
        groups: Some(groups.to_vec()),
        resource_attributes: Some(question.clone()),
        ..SubjectAccessReviewSpec::default()
    };
    SubjectAccessReview { spec, ..SubjectAccessReview::default() }
}

fn sentence(question: &ResourceAttributes) -> String {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    let part = question.subresource.as_ref().map(|part| format!("/{part}")).unwrap_or_default();
    let group = question.group.as_deref().filter(|group| !group.is_empty());
    let group = group.map(|group| format!(".{group}")).unwrap_or_default();
    let place = question.namespace.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
    format!("{} {}{part}{group}{place}", text(&question.verb), text(&question.resource))
}
