//! Amounts of money, in millionths of the one currency that an installation reckons in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const MICROS: u64 = 1_000_000;
const FRACTION_DIGITS: usize = 6;
const WHOLE_DIGITS: usize = 9;

/// Written as a decimal number: `25`, `0.15`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(u64);

/// Not an amount.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no amount: write a decimal number with at most {WHOLE_DIGITS} digits before the point and {FRACTION_DIGITS} after it, such as 25 or 0.15"
)]
pub struct InvalidMoney;

impl Money {
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    pub const fn micros(self) -> u64 {
        self.0
    }
}

impl FromStr for Money {
    type Err = InvalidMoney;

    fn from_str(text: &str) -> Result<Self, InvalidMoney> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(InvalidMoney),
            None => (text, ""),
        };
        let fits = (1..=WHOLE_DIGITS).contains(&whole.len()) && fraction.len() <= FRACTION_DIGITS;
        if !fits || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(InvalidMoney);
        }
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| InvalidMoney);
        Ok(Self(number(whole)? * MICROS + number(&format!("{fraction:0<FRACTION_DIGITS$}"))?))
    }
}

/// With two digits after the point, or as many as it takes.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:06}", self.0 % MICROS);
        let fraction = fraction.trim_end_matches('0');
        write!(f, "{}.{fraction:0<2}", self.0 / MICROS)
    }
}

/// What a model costs for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    pub input: Money,
    pub output: Money,
}

impl Price {
    /// Rounded up to the millionth, so that nothing that costs is free.
    pub fn of(self, tokens_in: u64, tokens_out: u64) -> Money {
        let cost = |tokens: u64, price: Money| u128::from(tokens) * u128::from(price.0);
        let cost = cost(tokens_in, self.input).saturating_add(cost(tokens_out, self.output));
        Money(u64::try_from(cost.div_ceil(u128::from(MICROS))).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_read_exactly_and_written_back() {
        for (text, micros, shown) in [
            ("0", 0, "0.00"),
            ("25", 25_000_000, "25.00"),
            ("0.15", 150_000, "0.15"),
            ("3.5", 3_500_000, "3.50"),
            ("0.000001", 1, "0.000001"),
            ("999999999.999999", 999_999_999_999_999, "999999999.999999"),
        ] {
            assert_eq!((money(text).micros(), money(text).to_string().as_str()), (micros, shown));
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in
            ["", ".", "1.", ".5", "-1", "+1", "1e3", "1,5", " 1", "1.2.3", "0.0000001", "1000000000", "٣"]
        {
            assert_eq!(text.parse::<Money>(), Err(InvalidMoney), "{text:?}");
        }
    }

    #[test]
    fn a_price_is_for_a_million_tokens_and_nothing_that_costs_is_free() {
        let price = Price { input: money("3"), output: money("15") };
        assert_eq!(price.of(1_000_000, 0), money("3"));
        assert_eq!(price.of(1000, 200), money("0.006"));
        assert_eq!(Price { input: Money(1), output: Money(0) }.of(1, 0), Money(1));
        assert_eq!(price.of(0, 0), Money(0));
        let absurd = Price { input: Money(u64::MAX), output: Money(u64::MAX) };
        assert_eq!(absurd.of(u64::MAX, u64::MAX), Money(u64::MAX));
    }
}
