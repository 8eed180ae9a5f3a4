//! Destinations outside the platform that a tenant's pods may reach, and the addresses that nobody may name.

use konstruct_domain::addresses::REFUSED_BLOCKS;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::scalars;

/// Longest block in text: an IPv6 address in full and its prefix length.
const CIDR_MAX: usize = 43;

/// One destination: a host or a block of addresses, and one TCP port.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.host) != has(self.cidr)",
    "message": "name either host or cidr",
}]))]
pub struct EgressDestination {
    /// A DNS name. The operator looks its addresses up, again every minute, and refuses those that are not public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "host_name")]
    pub host: Option<String>,
    /// Public addresses, such as 8.8.8.0/24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "public_block")]
    pub cidr: Option<String>,
    /// TCP port.
    #[schemars(with = "i32", range(min = 1, max = 65535))]
    pub port: u16,
}

fn host_name(_: &mut SchemaGenerator) -> Schema {
    scalars::string(
        1,
        253,
        &[
            (
                r"self.matches('^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')",
                "write a full DNS name in lower case, such as api.example.com; an address belongs into cidr",
            ),
            (
                "!self.endsWith('.local') && !self.endsWith('.internal') && !self.endsWith('.localhost')",
                "names of the cluster and of private networks are refused: extra egress leads to public addresses only",
            ),
        ],
    )
}

fn public_block(_: &mut SchemaGenerator) -> Schema {
    let blocks: Vec<String> = REFUSED_BLOCKS.iter().map(|(block, _)| format!("'{block}'")).collect();
    let public = format!(
        "!isCIDR(self) || [{}].all(refused, !cidr(refused).containsCIDR(self) && !cidr(self).containsCIDR(refused))",
        blocks.join(", ")
    );
    scalars::string(
        1,
        CIDR_MAX,
        &[
            (
                "isCIDR(self) && cidr(self).masked() == cidr(self)",
                "write a block of addresses without host bits, such as 8.8.8.0/24 or 8.8.8.8/32",
            ),
            (
                &public,
                "private, loopback, link-local, shared, multicast and other special addresses are refused: name public ones \
                 only",
            ),
        ],
    )
}
