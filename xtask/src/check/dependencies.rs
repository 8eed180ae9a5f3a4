//! Which package may depend on which: `konstruct → roles → crates → domain`, `controllers → crds`.

use crate::report::Finding;
use crate::workspace::Member;

/// Every package of ours with the packages of ours that it may use outside its tests.
const ALLOWED: &[(&str, &[&str])] = &[
    ("konstruct-domain", &[]),
    ("konstruct-crds", &["domain"]),
    ("konstruct-telemetry", &[]),
    ("konstruct-faults", &[]),
    ("konstruct-local-services", &[]),
    ("konstruct-channels", &["domain", "guard"]),
    // Beside the domain the one library that others may use: what may be reached is decided in one place.
    ("konstruct-guard", &["domain"]),
    ("konstruct-llm", &["domain", "guard"]),
    ("konstruct-media", &["domain"]),
    ("konstruct-queue", &["domain"]),
    ("konstruct-store", &["domain"]),
    ("konstruct-testkit", &["domain", "local-services"]),
    ("konstruct-controllers", &["crds", "domain", "store", "queue"]),
    ("konstruct-operator", &["controllers", "crds", "domain", "store", "queue", "telemetry"]),
    ("konstruct-gateway", &["channels", "domain", "faults", "media", "store", "queue", "telemetry"]),
    ("konstruct-ai-gateway", &["guard", "llm", "media", "domain", "store", "queue", "telemetry"]),
    ("konstruct-runtime", &["domain", "faults", "store", "queue", "telemetry"]),
    // The operator, because what it renders is what must be found.
    ("konstruct-verify", &["controllers", "crds", "domain", "operator", "queue", "store"]),
    (
        "konstruct-konstruct",
        &[
            "ai-gateway",
            "channels",
            "controllers",
            "crds",
            "domain",
            "gateway",
            "llm",
            "local-services",
            "media",
            "operator",
            "queue",
            "runtime",
            "store",
            "telemetry",
            "verify",
        ],
    ),
    ("konstruct-chaos", &["domain", "faults", "local-services", "store", "testkit"]),
    ("konstruct-kind-tests", &["crds", "domain", "testkit"]),
    // Not the store: its queries do not compile before `generate` has written their metadata.
    ("konstruct-xtask", &["crds", "local-services"]),
];

/// What tests may use on top.
const ALLOWED_IN_TESTS: &[&str] = &["domain", "testkit", "local-services"];

/// Packages of others that only some of ours may use, each with the reason.
const RESERVED: &[Reserved] = &[
    Reserved {
        package: "prometheus",
        users: &["konstruct-telemetry"],
        reason: "one place decides names and labels of metrics",
    },
    Reserved {
        package: "sqlx",
        users: &["konstruct-store", "konstruct-testkit", "konstruct-xtask", "konstruct-kind-tests"],
        reason: "a query outside the store would not be under its tenant scope",
    },
    Reserved {
        package: "redis",
        users: &["konstruct-queue", "konstruct-testkit", "konstruct-kind-tests"],
        reason: "one place knows the keys and their tenant prefix",
    },
    Reserved {
        package: "kube",
        users: &[
            "konstruct-crds",
            "konstruct-controllers",
            "konstruct-operator",
            "konstruct-ai-gateway",
            "konstruct-verify",
            "konstruct-konstruct",
            "konstruct-kind-tests",
        ],
        reason: "gateway and runtime never call the Kubernetes API",
    },
    Reserved {
        package: "reqwest",
        users: &[
            "konstruct-channels",
            "konstruct-guard",
            "konstruct-llm",
            "konstruct-runtime",
            "konstruct-verify",
            "konstruct-konstruct",
            "konstruct-testkit",
            "konstruct-chaos",
            "konstruct-kind-tests",
        ],
        reason: "requests leave through channels, guard, llm and clients of the ai-gateway only",
    },
    Reserved {
        package: "anyhow",
        users: &["konstruct-konstruct", "konstruct-xtask", "konstruct-chaos", "konstruct-kind-tests"],
        reason: "a library names what failed in an error type of its own",
    },
];

/// Packages that make something asynchronous or do I/O.
const IO: &[&str] =
    &["tokio", "tokio-util", "futures", "axum", "reqwest", "sqlx", "redis", "kube", "notify", "tempfile"];

struct Reserved {
    package: &'static str,
    users: &'static [&'static str],
    reason: &'static str,
}

fn is_ours(name: &str) -> bool {
    name.starts_with("konstruct-")
}

fn short(name: &str) -> &str {
    name.strip_prefix("konstruct-").unwrap_or(name)
}

pub(super) fn direction(members: &[Member]) -> Vec<Finding> {
    members.iter().flat_map(direction_of).collect()
}

fn direction_of(member: &Member) -> Vec<Finding> {
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == member.name) else {
        let message = "is not in the table of xtask/src/check/dependencies.rs: add it with what it may use";
        return vec![Finding::new(&member.name, message)];
    };
    let normal = member.dependencies.iter().filter(|name| !allowed.contains(&short(name)));
    let in_tests = member
        .dev_dependencies
        .iter()
        .filter(|name| !allowed.contains(&short(name)) && !ALLOWED_IN_TESTS.contains(&short(name)));
    normal
        .chain(in_tests)
        .filter(|name| is_ours(name))
        .map(|name| Finding::new(&member.name, format!("may not depend on {name}")))
        .collect()
}

/// Tests may use anything of others.
pub(super) fn reserved(members: &[Member]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        for rule in RESERVED.iter().filter(|rule| member.dependencies.contains(rule.package)) {
            if !rule.users.contains(&member.name.as_str()) {
                findings.push(Finding::new(
                    &member.name,
                    format!("may not use {}: {}", rule.package, rule.reason),
                ));
            }
        }
        if member.name == "konstruct-domain" {
            for package in IO.iter().filter(|package| member.dependencies.contains(**package)) {
                findings
                    .push(Finding::new(&member.name, format!("may not use {package}: no I/O and no async")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::packages::tests::member;

    #[test]
    fn the_allowed_direction_is_fine() {
        let store = member("konstruct-store", "crates/store", &["konstruct-domain", "sqlx"]);
        assert_eq!(direction(std::slice::from_ref(&store)), []);
        assert_eq!(reserved(&[store]), []);
    }

    #[test]
    fn a_leaf_may_not_use_a_leaf() {
        let store = member("konstruct-store", "crates/store", &["konstruct-queue"]);
        assert_eq!(
            direction(&[store]),
            [Finding::new("konstruct-store", "may not depend on konstruct-queue")]
        );
    }

    #[test]
    fn nothing_may_use_what_is_above_it() {
        let domain = member("konstruct-domain", "crates/domain", &["konstruct-store"]);
        let gateway = member("konstruct-gateway", "gateway", &["konstruct-konstruct"]);
        assert_eq!(direction(&[domain, gateway]).len(), 2);
    }

    #[test]
    fn tests_may_use_the_testkit_and_nothing_above() {
        let mut queue = member("konstruct-queue", "crates/queue", &[]);
        queue.dev_dependencies = ["konstruct-testkit".to_owned(), "konstruct-store".to_owned()].into();
        assert_eq!(
            direction(&[queue]),
            [Finding::new("konstruct-queue", "may not depend on konstruct-store")]
        );
    }

    #[test]
    fn a_new_package_must_be_entered() {
        assert_eq!(direction(&[member("konstruct-new", "new", &[])]).len(), 1);
    }

    #[test]
    fn the_table_names_only_packages_that_it_has() {
        let known: Vec<&str> = ALLOWED.iter().map(|(name, _)| short(name)).collect();
        for (package, allowed) in ALLOWED {
            for name in *allowed {
                assert!(known.contains(name), "{package} may use {name}, which is in no row");
            }
        }
    }

    #[test]
    fn reserved_packages_stay_where_they_are() {
        let runtime =
            member("konstruct-runtime", "runtime", &["kube", "prometheus", "sqlx", "redis", "anyhow"]);
        assert_eq!(reserved(&[runtime]).len(), 5);
        let domain = member("konstruct-domain", "crates/domain", &["tokio"]);
        assert_eq!(reserved(&[domain]).len(), 1);
    }
}
