//! What must hold whatever was done to the operator. Judged by what the API server was asked and answered.

use axum::http::Method;

use crate::proxy::Write;
use crate::scenario::Subject;

/// Everything that is wrong with the history of one run.
pub(crate) fn judge(writes: &[Write], subject: &Subject) -> Vec<String> {
    let done: Vec<&Write> = writes
        .iter()
        .filter(|write| write.about_subject && write.status.is_some_and(|code| code < 300))
        .collect();
    [walls_first(&done, subject), once(&done, subject), stable_secret(&done, subject), own_ground(writes)]
        .concat()
}

fn path_of(write: &Write) -> &str {
    write.path.split('?').next().unwrap_or_default()
}

/// In every prefix of the history, nothing of a tenant runs and no credential exists before its walls.
fn walls_first(done: &[&Write], subject: &Subject) -> Vec<String> {
    let namespace = subject.namespace();
    let is = |write: &&&Write, resource: &str, name: &str| {
        path_of(write).ends_with(&format!("/namespaces/{namespace}/{resource}/{name}"))
            && write.method == Method::PATCH
    };
    let first = |resource: &str, name: &str| done.iter().position(|write| is(&write, resource, name));
    let made_here =
        done.iter().any(|write| write.method == Method::POST && path_of(write) == "/api/v1/namespaces");
    if !made_here {
        return Vec::new();
    }
    let inside = [("secrets", "konstruct-runtime"), ("deployments", "konstruct-runtime")]
        .map(|(kind, name)| first(kind, name));
    let Some(inside) = inside.into_iter().flatten().min() else { return Vec::new() };
    let walls = [
        ("networkpolicies", "default-deny"),
        ("resourcequotas", "konstruct-tenant"),
        ("limitranges", "konstruct-tenant"),
    ];
    walls
        .into_iter()
        .filter(|(kind, name)| first(kind, name).is_none_or(|wall| wall > inside))
        .map(|(kind, name)| format!("{kind}/{name} was not there when something was put inside"))
        .collect()
}

/// What cannot be repeated happens once.
fn once(done: &[&Write], subject: &Subject) -> Vec<String> {
    let namespace = subject.namespace();
    let count = |method: Method, path: &str| {
        done.iter().filter(|write| write.method == method && path_of(write) == path).count()
    };
    let mut wrong = Vec::new();
    if count(Method::POST, "/api/v1/namespaces") > 1 {
        wrong.push("the namespace was created more than once".to_owned());
    }
    // Asking again for a deletion that goes on is allowed; a deleted namespace is not deleted once more.
    if count(Method::DELETE, &format!("/api/v1/namespaces/{namespace}")) > 2 {
        wrong.push("the namespace was deleted again and again".to_owned());
    }
    wrong
}

/// Passwords are made once, however often the operator was killed.
fn stable_secret(done: &[&Write], subject: &Subject) -> Vec<String> {
    let path = format!("/api/v1/namespaces/{}/secrets/konstruct-runtime", subject.namespace());
    let mut digests: Vec<&str> =
        done.iter().filter(|write| path_of(write) == path).map(|write| write.digest.as_str()).collect();
    digests.dedup();
    if digests.len() > 1 {
        vec![format!("the credentials were changed {} times", digests.len() - 1)]
    } else {
        Vec::new()
    }
}

/// No write outside of tenants' namespaces, but to the kinds of ours, tenants' namespaces themselves and events.
fn own_ground(writes: &[Write]) -> Vec<String> {
    let allowed = |path: &str| {
        path == "/api/v1/namespaces"
            || path.starts_with("/api/v1/namespaces/kt-")
            || path.contains("/namespaces/kt-")
            || path.starts_with("/apis/konstruct.dev/")
            || path.starts_with("/apis/events.k8s.io/")
    };
    writes
        .iter()
        .map(path_of)
        .filter(|path| !allowed(path))
        .map(|path| format!("wrote to {path}, which is nobody's business of ours"))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn write(method: Method, path: &str, digest: &str) -> Write {
        Write {
            method,
            path: path.to_owned(),
            digest: digest.to_owned(),
            status: Some(200),
            at: Instant::now(),
            about_subject: true,
        }
    }

    fn subject() -> Subject {
        Subject::new()
    }

    fn history(subject: &Subject) -> Vec<Write> {
        let inside =
            |kind: &str, name: &str| format!("/api/v1/namespaces/{}/{kind}/{name}?x=y", subject.namespace());
        vec![
            write(Method::POST, "/api/v1/namespaces?fieldManager=a", "n"),
            write(Method::PATCH, &inside("networkpolicies", "default-deny"), "p"),
            write(Method::PATCH, &inside("resourcequotas", "konstruct-tenant"), "q"),
            write(Method::PATCH, &inside("limitranges", "konstruct-tenant"), "l"),
            write(Method::PATCH, &inside("secrets", "konstruct-runtime"), "s"),
        ]
    }

    #[test]
    fn a_good_history_has_nothing_wrong() {
        let subject = subject();
        assert_eq!(judge(&history(&subject), &subject), Vec::<String>::new());
    }

    #[test]
    fn each_wrong_history_is_found() {
        let subject = subject();
        let mut wrong = history(&subject);
        wrong.swap(1, 4);
        assert!(judge(&wrong, &subject).iter().any(|why| why.contains("default-deny")));

        let mut wrong = history(&subject);
        wrong.push(wrong[0].clone());
        assert!(judge(&wrong, &subject).iter().any(|why| why.contains("more than once")));

        let mut wrong = history(&subject);
        wrong.push(Write { digest: "other".to_owned(), ..wrong[4].clone() });
        assert!(judge(&wrong, &subject).iter().any(|why| why.contains("credentials")));

        let mut wrong = history(&subject);
        wrong.push(write(Method::PATCH, "/api/v1/namespaces/default/configmaps/x", "c"));
        assert!(judge(&wrong, &subject).iter().any(|why| why.contains("nobody's business")));
    }
}
