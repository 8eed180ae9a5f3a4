//! A count of tokens for when nobody else counts.

/// One token for every four characters, rounded up. Used for scripted models, which have no tokeniser, and for
/// answers whose provider reported no usage: a stream that was cut off, or an endpoint that does not count.
pub fn estimate(characters: usize) -> u64 {
    u64::try_from(characters.div_ceil(4)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::estimate;

    #[test]
    fn four_characters_are_a_token_and_so_is_a_rest() {
        assert_eq!([0, 1, 4, 5, 8].map(estimate), [0, 1, 1, 2, 2]);
    }
}
