//! References. They name an object of the same namespace and cannot name another namespace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalars;

/// One key of a Secret in the same namespace.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(schema_with = "scalars::secret_name")]
    pub name: String,
    /// Key within the Secret.
    #[schemars(schema_with = "scalars::secret_key")]
    pub key: String,
}
