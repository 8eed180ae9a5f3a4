//! What a tenant's models may read, write and cost in a month.

use std::ops::{Add, AddAssign, Sub, SubAssign};

use konstruct_domain::Money;

/// What models read and wrote, and what that costs in millionths of the currency. A provider may claim any number of
/// tokens, so the sums are wider than what it claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) tokens: i128,
    pub(crate) micros: i128,
}

impl Amount {
    pub(crate) fn new(tokens: u64, cost: Money) -> Self {
        Self { tokens: tokens.into(), micros: cost.micros().into() }
    }

    fn of(self, what: Kind) -> i128 {
        match what {
            Kind::Tokens => self.tokens,
            Kind::Spend => self.micros,
        }
    }
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { tokens: self.tokens + other.tokens, micros: self.micros + other.micros }
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { tokens: self.tokens - other.tokens, micros: self.micros - other.micros }
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tokens,
    /// In millionths of the currency.
    Spend,
}

/// What is absent is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) tokens: Option<u64>,
    pub(crate) spend: Option<Money>,
}

/// A limit that is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    pub(crate) kind: Kind,
    pub(crate) limit: u64,
    pub(crate) used: u64,
}

impl Allowance {
    pub(crate) const fn is_unlimited(self) -> bool {
        self.tokens.is_none() && self.spend.is_none()
    }

    /// The first limit that `used` reaches. The limit itself is the first number that does.
    pub(crate) fn reached(self, used: Amount) -> Option<Reached> {
        let limits = [(Kind::Tokens, self.tokens), (Kind::Spend, self.spend.map(Money::micros))];
        limits.into_iter().find_map(|(kind, limit)| {
            let (limit, used) = (limit?, used.of(kind));
            let saturated = u64::try_from(used.max(0)).unwrap_or(u64::MAX);
            (used >= i128::from(limit)).then_some(Reached { kind, limit, used: saturated })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(tokens: u64, micros: u64) -> Amount {
        Amount::new(tokens, Money::from_micros(micros))
    }

    #[test]
    fn the_limit_itself_is_the_first_number_that_is_refused() {
        for (tokens, limit, refused) in
            [(0, 0, true), (0, 1, false), (99, 100, false), (100, 100, true), (101, 100, true)]
        {
            let allowance = Allowance { tokens: Some(limit), spend: None };
            assert_eq!(allowance.reached(used(tokens, 0)).is_some(), refused, "{tokens} of {limit} tokens");
            let allowance = Allowance { tokens: None, spend: Some(Money::from_micros(limit)) };
            assert_eq!(allowance.reached(used(0, tokens)).is_some(), refused, "{tokens} of {limit} micros");
        }
    }

    #[test]
    fn each_limit_is_looked_at_and_an_absent_one_is_none() {
        let both = Allowance { tokens: Some(10), spend: Some(Money::from_micros(20)) };
        assert_eq!(both.reached(used(9, 19)), None);
        assert_eq!(both.reached(used(10, 0)), Some(Reached { kind: Kind::Tokens, limit: 10, used: 10 }));
        assert_eq!(both.reached(used(0, 21)), Some(Reached { kind: Kind::Spend, limit: 20, used: 21 }));
        assert_eq!(Allowance::default().reached(used(u64::MAX, u64::MAX)), None);
    }
}
