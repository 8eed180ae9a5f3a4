//! Which addresses nobody may open, or have us ask for anything: one definition for admission, network policies and every
//! request to an address that somebody else named. Pure.

use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

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

static REFUSED: LazyLock<Vec<(IpNet, &'static str)>> = LazyLock::new(|| {
    REFUSED_BLOCKS.iter().filter_map(|(block, what)| Some((block.parse().ok()?, *what))).collect()
});

/// What a block has that is not public, if anything: lying inside a refused block counts as much as lying around one.
pub fn refused(block: &IpNet) -> Option<&'static str> {
    REFUSED
        .iter()
        .find(|(refused, _)| refused.contains(block) || block.contains(refused))
        .map(|(_, what)| *what)
}

/// What an address has that is not public, if anything.
pub fn refused_address(address: IpAddr) -> Option<&'static str> {
    refused(&IpNet::from(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(block: &str) -> Option<&'static str> {
        refused(&block.parse().unwrap())
    }

    #[test]
    fn every_block_of_the_list_is_refused_with_its_edges_and_surroundings() {
        assert_eq!(REFUSED.len(), REFUSED_BLOCKS.len(), "every block of the list is one");
        for (block, _) in REFUSED.iter() {
            let edges = [IpNet::from(block.network()), IpNet::from(block.broadcast())];
            let around = block.supernet().unwrap_or(*block);
            for inside in edges.into_iter().chain([*block, around]) {
                assert!(refused(&inside).is_some(), "{inside} of {block}");
            }
        }
    }

    #[test]
    fn addresses_by_which_others_were_attacked_are_refused() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "::1",
            "::",
            "::ffff:10.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "0.0.0.0",
            "127.0.0.53",
            "255.255.255.255",
            "239.255.255.250",
        ] {
            let address: std::net::IpAddr = address.parse().unwrap();
            assert!(refused(&IpNet::from(address)).is_some(), "{address}");
        }
        assert!(what("0.0.0.0/0").is_some() && what("::/0").is_some());
    }

    #[test]
    fn public_addresses_beside_refused_ones_are_not() {
        for public in [
            "9.255.255.255/32",
            "11.0.0.0/8",
            "100.63.255.255/32",
            "100.128.0.0/32",
            "168.63.129.17/32",
            "172.15.255.255/32",
            "172.32.0.0/32",
            "192.167.255.255/32",
            "223.255.255.255/32",
            "2606:4700::/32",
            "2a00::/16",
        ] {
            assert_eq!(what(public), None, "{public}");
        }
    }
}
