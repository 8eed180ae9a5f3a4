//! Destinations outside the platform that a tenant's pods may reach, and the addresses that nobody may name.

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

/// Addresses that lead into the cluster, the network around it or the cloud's own services, or to nobody: blocks of the
/// IANA special-purpose registries, and what clouds added.
pub const REFUSED_BLOCKS: &[(&str, &str)] = &[
    ("0.0.0.0/8", "this network"),
    ("10.0.0.0/8", "private addresses"),
    ("100.64.0.0/10", "addresses shared behind a carrier's NAT"),
    ("127.0.0.0/8", "loopback"),
    ("168.63.129.16/32", "Azure's platform services"),
    ("169.254.0.0/16", "link-local addresses with the metadata services of clouds"),
    ("172.16.0.0/12", "private addresses"),
    ("192.0.0.0/24", "protocol assignments"),
    ("192.0.2.0/24", "addresses for documentation"),
    ("192.88.99.0/24", "6to4 relays"),
    ("192.168.0.0/16", "private addresses"),
    ("198.18.0.0/15", "addresses for benchmarks"),
    ("198.51.100.0/24", "addresses for documentation"),
    ("203.0.113.0/24", "addresses for documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved addresses and broadcast"),
    // Only 2000::/3 is routed in the internet; the rest of IPv6 in three blocks.
    ("::/3", "loopback, IPv4-mapped, translated and unassigned addresses"),
    ("4000::/2", "unassigned addresses"),
    ("8000::/1", "unique local, link-local, multicast and unassigned addresses"),
    ("2001::/23", "protocol assignments and Teredo"),
    ("2001:db8::/32", "addresses for documentation"),
    ("2002::/16", "6to4"),
    ("3fff::/20", "addresses for documentation"),
];

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
