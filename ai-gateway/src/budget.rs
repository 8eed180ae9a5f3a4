//! How much of its month's allowance a tenant has left.
//!
//! PostgreSQL is asked now and then what the month came to; in between this process adds what it has metered itself, and
//! what its running calls may come to. A call is made while anything is left, so one call for each replica of the
//! ai-gateway goes above the limit, and what other replicas have metered since the last count comes on top.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use konstruct_domain::TenantId;
use konstruct_store::{Error, MonthlyUse, Store};
use tokio::sync::Notify;

use crate::allowance::{Allowance, Amount, Reached};

/// For how long a count is good: what other replicas meter, and a new month, show after this time.
const FRESH: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Budgets {
    tenants: Mutex<HashMap<TenantId, Arc<Account>>>,
}

#[derive(Debug, Default)]
struct Account {
    book: Mutex<Book>,
    /// One count at a time.
    counting: tokio::sync::Mutex<()>,
    /// A call has ended.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Book {
    counted: Option<(MonthlyUse, Instant)>,
    /// Metered here and perhaps not in the count.
    metered: Amount,
    /// Metered here and not written yet.
    unwritten: Amount,
    /// What running calls may come to.
    reserved: Amount,
}

/// The month's allowance is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedUp {
    pub(crate) reached: Reached,
    pub(crate) resets_on: String,
}

/// Why a call is not made.
#[derive(Debug)]
pub(crate) enum Refused {
    UsedUp(UsedUp),
    /// Nothing is known of the month yet, and PostgreSQL does not say.
    Unknown(Error),
}

/// What a running call may come to, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    account: Arc<Account>,
    amount: Amount,
}

impl Budgets {
    /// Reserves `amount` if anything is left of the month. Where the running calls may come to all that is left, this waits
    /// for one of them to end: nobody is told that a month is used up before it is.
    pub(crate) async fn reserve(
        &self,
        store: &Store,
        tenant: TenantId,
        allowance: Allowance,
        amount: Amount,
    ) -> Result<Reservation, Refused> {
        let account = self.account(tenant);
        loop {
            // Made before the look at the book, so an end in between is not missed.
            let freed = account.freed.notified();
            account.count(store, tenant, FRESH).await?;
            if account.book().is_in_doubt(allowance) {
                account.count(store, tenant, Duration::ZERO).await?;
            }
            if let Some(reservation) = account.reserve(allowance, amount).map_err(Refused::UsedUp)? {
                return Ok(reservation);
            }
            freed.await;
        }
    }

    /// A call was metered and is going to be written.
    pub(crate) fn metered(&self, tenant: TenantId, amount: Amount) {
        self.account(tenant).book().unwritten += amount;
    }

    /// It is written, or never will be.
    pub(crate) fn written(&self, tenant: TenantId, amount: Amount) {
        let account = self.account(tenant);
        let mut book = account.book();
        book.unwritten -= amount;
        book.metered += amount;
    }

    fn account(&self, tenant: TenantId) -> Arc<Account> {
        Arc::clone(self.lock().entry(tenant).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Account>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn counted(&self) -> Amount {
        let amount = |(month, _): &(MonthlyUse, Instant)| Amount {
            tokens: month.tokens.into(),
            micros: month.cost_micros.into(),
        };
        self.counted.as_ref().map_or_else(Amount::default, amount)
    }

    fn used(&self) -> Amount {
        self.counted() + self.metered + self.unwritten
    }

    /// Above the limit by additions only, which may be in the count already.
    fn is_in_doubt(&self, allowance: Allowance) -> bool {
        allowance.reached(self.counted()).is_none() && allowance.reached(self.used()).is_some()
    }
}

impl Account {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a count alone that is not older than `age`. A database that is away leaves the last one.
    async fn count(&self, store: &Store, tenant: TenantId, age: Duration) -> Result<(), Refused> {
        let asked = Instant::now();
        let is_good = || self.book().counted.as_ref().is_some_and(|(_, at)| *at + age >= asked);
        if is_good() {
            return Ok(());
        }
        let _one_at_a_time = self.counting.lock().await;
        if is_good() {
            return Ok(());
        }
        let (before, at) = (self.book().metered, Instant::now());
        match store.monthly_use(tenant).await {
            Ok(month) => {
                let mut book = self.book();
                // What was written while it was counted may be in the count or not: it is taken as if it was not.
                book.metered -= before;
                book.counted = Some((month, at));
                Ok(())
            }
            Err(error) => {
                let mut book = self.book();
                let Some((_, counted_at)) = &mut book.counted else { return Err(Refused::Unknown(error)) };
                // As good as a new one: not every call is to wait until PostgreSQL has not answered.
                *counted_at = Instant::now();
                tracing::warn!(%tenant, %error, "cannot count a tenant's month; going on from the last count");
                Ok(())
            }
        }
    }

    /// None when running calls may come to all that is left.
    fn reserve(
        self: &Arc<Self>,
        allowance: Allowance,
        amount: Amount,
    ) -> Result<Option<Reservation>, UsedUp> {
        let mut book = self.book();
        let used = book.used();
        if let Some(reached) = allowance.reached(used) {
            let resets_on =
                book.counted.as_ref().map_or_else(String::new, |(month, _)| month.resets_on.clone());
            return Err(UsedUp { reached, resets_on });
        }
        if allowance.reached(used + book.reserved).is_some() {
            return Ok(None);
        }
        book.reserved += amount;
        Ok(Some(Reservation { account: Arc::clone(self), amount }))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.account.book().reserved -= self.amount;
        self.account.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use konstruct_domain::Money;
    use konstruct_store::Keyring;

    use super::*;
    use crate::allowance::Kind;

    fn tokens(tokens: u64) -> Amount {
        Amount::new(tokens, Money::default())
    }

    fn at_most(tokens: u64) -> Allowance {
        Allowance { tokens: Some(tokens), spend: None }
    }

    fn account(tokens: i64) -> Arc<Account> {
        let account = Account::default();
        let month = MonthlyUse { tokens, cost_micros: 7, resets_on: "2026-12-01".to_owned() };
        account.book().counted = Some((month, Instant::now()));
        Arc::new(account)
    }

    #[test]
    fn what_is_used_up_is_told_with_its_day() {
        let refused = account(101).reserve(at_most(100), tokens(1)).unwrap_err();
        let reached = Reached { kind: Kind::Tokens, limit: 100, used: 101 };
        assert_eq!(refused, UsedUp { reached, resets_on: "2026-12-01".to_owned() });
        let allowance = Allowance { tokens: None, spend: Some(Money::from_micros(7)) };
        assert_eq!(account(0).reserve(allowance, tokens(1)).unwrap_err().reached.kind, Kind::Spend);
    }

    #[test]
    fn running_calls_hold_what_they_may_come_to_and_give_it_back() {
        let account = account(90);
        let running = account.reserve(at_most(100), tokens(50)).unwrap();
        assert!(running.is_some() && account.reserve(at_most(100), tokens(1)).unwrap().is_none());
        drop(running);
        assert!(account.reserve(at_most(100), tokens(50)).unwrap().is_some(), "it came to less");
    }

    #[test]
    fn what_was_metered_counts_before_and_after_it_is_written() {
        let budgets = Budgets::default();
        let tenant = TenantId::from_slug(&"acme".parse().unwrap());
        budgets.lock().insert(tenant, account(90));
        budgets.metered(tenant, tokens(10));
        let used_up = || budgets.account(tenant).reserve(at_most(100), tokens(1)).is_err();
        assert!(used_up() && budgets.account(tenant).book().is_in_doubt(at_most(100)));
        budgets.written(tenant, tokens(10));
        assert!(used_up() && budgets.account(tenant).book().unwritten == tokens(0));
    }

    #[test]
    fn absurd_claims_add_up() {
        let account = account(i64::MAX);
        account.book().metered.tokens += 2 * i128::from(u64::MAX);
        assert_eq!(account.reserve(at_most(u64::MAX), tokens(1)).unwrap_err().reached.used, u64::MAX);
    }

    #[tokio::test]
    async fn without_postgres_the_last_count_holds_and_no_count_is_no_permission() {
        let nowhere = "postgres://konstruct_ai_gateway@127.0.0.1:1/none".to_owned().into();
        let store = Store::connect(&nowhere, 1, Keyring::new(None, None)).unwrap();
        let tenant = TenantId::from_slug(&"acme".parse().unwrap());
        let budgets = Budgets::default();
        assert!(matches!(
            budgets.reserve(&store, tenant, at_most(100), tokens(1)).await,
            Err(Refused::Unknown(_))
        ));

        let known = account(90);
        known.book().metered = tokens(5);
        known.book().counted.as_mut().unwrap().1 -= FRESH;
        budgets.lock().insert(tenant, Arc::clone(&known));
        assert!(budgets.reserve(&store, tenant, at_most(100), tokens(1)).await.is_ok());
        assert_eq!(known.book().used().tokens, 95);
        let asked = Instant::now();
        assert!(
            known.book().counted.as_ref().unwrap().1 + FRESH > asked,
            "the next call does not wait for it"
        );
    }
}
