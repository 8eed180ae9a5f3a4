//! What every kind has, so that kubectl and other tools treat them alike.

use konstruct_domain::Slug;
use konstruct_domain::ids::SLUG_MAX;
use serde_json::json;

#[test]
fn columns_end_in_age_and_show_why() {
    for crd in konstruct_crds::all() {
        let version = &crd.spec.versions[0];
        let columns = version.additional_printer_columns.as_ref().unwrap();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names.last(), Some(&"Age"), "{names:?}");
        if version.subresources.is_none() {
            continue;
        }
        for name in ["Ready", "Reason"] {
            let column = columns.iter().find(|column| column.name == name).unwrap();
            assert_eq!(column.priority.unwrap_or(0), 0);
        }
        for name in ["Message", "Revision"] {
            let column = columns.iter().find(|column| column.name == name).unwrap();
            assert_eq!(column.priority, Some(1));
        }
    }
}

#[test]
fn kinds_share_group_category_and_status_subresource() {
    let short_names: Vec<Vec<String>> = konstruct_crds::all()
        .into_iter()
        .map(|crd| {
            assert_eq!(crd.spec.group, konstruct_crds::GROUP);
            assert_eq!(crd.spec.names.categories.as_deref(), Some(&["konstruct".to_owned()][..]));
            assert_eq!(crd.spec.versions[0].name, konstruct_crds::VERSION);
            let has_status =
                crd.spec.versions[0].subresources.as_ref().is_some_and(|sub| sub.status.is_some());
            assert_eq!(has_status, crd.spec.names.kind != "Plan");
            crd.spec.names.short_names.unwrap()
        })
        .collect();
    assert_eq!(short_names, [["kplan"], ["kt"], ["kagent"], ["kchan"], ["kllm"]]);
}

/// The schema and the domain type must agree, or the operator would meet slugs that it cannot use.
#[test]
fn the_schema_and_the_domain_accept_the_same_slugs() {
    let longest = "a".repeat(SLUG_MAX);
    let too_long = "a".repeat(SLUG_MAX + 1);
    let slugs = [
        "a",
        "acme",
        "a-b",
        "0x",
        &longest,
        "",
        "-a",
        "a-",
        "A",
        "a_b",
        "ä",
        "a.b",
        "a/b",
        "a b",
        "a\n",
        &too_long,
        "default",
        "konstruct",
        "konstruct-system",
        "kube-system",
        "platform",
        "system",
        "systems",
    ];
    for slug in slugs {
        let tenant = json!({
            "apiVersion": konstruct_crds::API_VERSION,
            "kind": "Tenant",
            "metadata": {"name": "t"},
            "spec": {"displayName": "T", "slug": slug},
        });
        let accepted = konstruct_crds::admission::review(&tenant, None).is_empty();
        assert_eq!(accepted, slug.parse::<Slug>().is_ok(), "{slug:?}");
    }
}

#[test]
fn status_lists_are_merged_by_key() {
    for crd in konstruct_crds::all() {
        let schema = konstruct_crds::admission::schema(&crd.spec.names.kind).unwrap();
        if schema["properties"]["status"].is_null() {
            continue;
        }
        let conditions = &schema["properties"]["status"]["properties"]["conditions"];
        assert_eq!(conditions["x-kubernetes-list-type"], "map");
        assert_eq!(conditions["x-kubernetes-list-map-keys"], json!(["type"]));
    }
}
