//! The local check accepts and refuses what the corpus says.

use konstruct_crds::admission::{Refusal, review};
use serde_json::json;

use crate::corpus;

fn text(refusals: &[Refusal]) -> String {
    refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn accepted_manifests_are_accepted() {
    for case in corpus::load("accepted") {
        for (object, previous) in
            [(case.previous.as_ref(), None), (Some(&case.object), case.previous.as_ref())]
        {
            let Some(object) = object else { continue };
            let refusals = review(object, previous);
            assert!(refusals.is_empty(), "{}: {}", case.file, text(&refusals));
        }
    }
}

#[test]
fn refused_manifests_are_refused_for_the_reason_given_and_no_other() {
    for case in corpus::load("refused") {
        if let Some(previous) = &case.previous {
            assert_eq!(text(&review(previous, None)), "", "{}: the object before the update", case.file);
        }
        let refusals = review(&case.object, case.previous.as_ref());
        let found = text(&refusals);
        let expected = case.expectation.trim_start_matches("<root>");
        assert_eq!(refusals.len(), 1, "{}: {found}", case.file);
        assert!(found.starts_with(expected), "{}: expected {expected:?}, found {found:?}", case.file);
    }
}

#[test]
fn other_kinds_and_versions_are_named() {
    let refusals = review(&json!({"apiVersion": "konstruct.dev/v1", "kind": "Agent"}), None);
    assert_eq!(text(&refusals), "apiVersion: write konstruct.dev/v1alpha1");
    let refusals = review(&json!({"apiVersion": "konstruct.dev/v1alpha1", "kind": "Agnet"}), None);
    let kinds = "Agent, ChannelConnection, LLMProvider, Plan, Tenant";
    assert_eq!(text(&refusals), format!("kind: konstruct.dev/v1alpha1 has the kinds {kinds}"));
}

#[test]
fn anything_that_is_no_object_is_refused_without_a_panic() {
    for value in [json!(null), json!([]), json!("Agent"), json!({"spec": 1})] {
        assert!(!review(&value, None).is_empty(), "{value}");
    }
}
