//! Which addresses nobody may open. Pure.

use std::sync::LazyLock;

use ipnet::IpNet;
use konstruct_crds::REFUSED_BLOCKS;

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
