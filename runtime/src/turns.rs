//! How the turns that a tenant may have at one time are shared out between its runtimes. Pure.

/// A runtime's part of the tenant's limit. Each has one turn at least: with more runtimes than turns the tenant has as many
/// turns as runtimes.
pub(crate) fn part_of(limit: usize, dedicated: usize, is_dedicated: bool) -> usize {
    let each = (limit / (dedicated + 1)).max(1);
    if is_dedicated { each } else { limit.saturating_sub(dedicated * each).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_come_to_the_limit_or_to_one_each() {
        for limit in 1..40 {
            assert_eq!(part_of(limit, 0, false), limit);
            for dedicated in 0..10 {
                let all = part_of(limit, dedicated, false) + dedicated * part_of(limit, dedicated, true);
                assert_eq!(all, limit.max(dedicated + 1), "{limit} turns, {dedicated} dedicated");
            }
        }
    }
}
