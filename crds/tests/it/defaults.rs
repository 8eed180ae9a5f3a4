//! A default means the same to the API server (from the schema) and to `konstruct dev` (from serde).

use konstruct_crds::admission::schema;
use konstruct_crds::{Agent, ChannelConnection, LLMProvider, Plan, Tenant};
use kube::core::cel::apply_defaults;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::corpus;

fn read_and_write<T: DeserializeOwned + Serialize>(object: &Value) -> Value {
    let typed: T = serde_json::from_value(object.clone()).unwrap();
    serde_json::to_value(typed).unwrap()["spec"].clone()
}

#[test]
fn serde_and_the_schema_fill_in_the_same_values() {
    for case in corpus::load("accepted") {
        let kind = case.object["kind"].as_str().unwrap();
        let from_serde = match kind {
            "Plan" => read_and_write::<Plan>(&case.object),
            "Tenant" => read_and_write::<Tenant>(&case.object),
            "Agent" => read_and_write::<Agent>(&case.object),
            "ChannelConnection" => read_and_write::<ChannelConnection>(&case.object),
            "LLMProvider" => read_and_write::<LLMProvider>(&case.object),
            other => panic!("{other}"),
        };
        let mut from_schema = apply_defaults(schema(kind).unwrap(), &case.object)["spec"].clone();
        from_schema.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(from_serde, from_schema, "{}", case.file);
    }
}
