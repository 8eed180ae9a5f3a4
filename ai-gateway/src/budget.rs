//! How much of its month's tokens a tenant has left.
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

/// All in tokens. A provider may claim any number of them, so the sums are wider than what it claims.
#[derive(Debug, Default)]
struct Book {
    counted: Option<(MonthlyUse, Instant)>,
    /// Metered here and perhaps not in the count.
    metered: i128,
    /// Metered here and not written yet.
    unwritten: i128,
    /// What running calls may come to.
    reserved: i128,
}

/// The month's tokens are used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsedUp {
    pub(crate) limit: u64,
    pub(crate) used: u64,
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
    tokens: u64,
}

impl Budgets {
    /// Reserves `tokens` if anything is left of the month. Where the running calls may come to all that is left, this waits
    /// for one of them to end: nobody is told that a month is used up before it is.
    pub(crate) async fn reserve(
        &self,
        store: &Store,
        tenant: TenantId,
        limit: u64,
        tokens: u64,
    ) -> Result<Reservation, Refused> {
        let account = self.account(tenant);
        loop {
            // Made before the look at the book, so an end in between is not missed.
            let freed = account.freed.notified();
            account.count(store, tenant, FRESH).await?;
            if account.book().is_in_doubt(limit) {
                account.count(store, tenant, Duration::ZERO).await?;
            }
            if let Some(reservation) = account.reserve(limit, tokens).map_err(Refused::UsedUp)? {
                return Ok(reservation);
            }
            freed.await;
        }
    }

    /// A call was metered and is going to be written.
    pub(crate) fn metered(&self, tenant: TenantId, tokens: u64) {
        self.account(tenant).book().unwritten += i128::from(tokens);
    }

    /// It is written, or never will be.
    pub(crate) fn written(&self, tenant: TenantId, tokens: u64) {
        let account = self.account(tenant);
        let mut book = account.book();
        book.unwritten -= i128::from(tokens);
        book.metered += i128::from(tokens);
    }

    fn account(&self, tenant: TenantId) -> Arc<Account> {
        Arc::clone(self.lock().entry(tenant).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Account>>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn counted(&self) -> i128 {
        self.counted.as_ref().map_or(0, |(month, _)| i128::from(month.tokens))
    }

    fn used(&self) -> i128 {
        self.counted() + self.metered + self.unwritten
    }

    /// Above the limit by additions only, which may be in the count already.
    fn is_in_doubt(&self, limit: u64) -> bool {
        self.counted() < i128::from(limit) && i128::from(limit) <= self.used()
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
                tracing::warn!(%tenant, %error, "cannot count a tenant's tokens; going on from the last count");
                Ok(())
            }
        }
    }

    /// None when running calls may come to all that is left.
    fn reserve(self: &Arc<Self>, limit: u64, tokens: u64) -> Result<Option<Reservation>, UsedUp> {
        let mut book = self.book();
        let (used, most) = (book.used(), i128::from(limit));
        if used >= most {
            let resets_on =
                book.counted.as_ref().map_or_else(String::new, |(month, _)| month.resets_on.clone());
            return Err(UsedUp { limit, used: u64::try_from(used).unwrap_or(u64::MAX), resets_on });
        }
        if used + book.reserved >= most {
            return Ok(None);
        }
        book.reserved += i128::from(tokens);
        Ok(Some(Reservation { account: Arc::clone(self), tokens }))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.account.book().reserved -= i128::from(self.tokens);
        self.account.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use konstruct_store::Keyring;

    use super::*;

    fn account(tokens: i64) -> Arc<Account> {
        let account = Account::default();
        let month = MonthlyUse { tokens, resets_on: "2026-12-01".to_owned() };
        account.book().counted = Some((month, Instant::now()));
        Arc::new(account)
    }

    #[test]
    fn the_limit_itself_is_the_first_number_that_is_refused() {
        for (used, limit, refused) in
            [(0, 0, true), (0, 1, false), (99, 100, false), (100, 100, true), (101, 100, true)]
        {
            assert_eq!(account(used).reserve(limit, 1).is_err(), refused, "{used} of {limit}");
        }
        let refused = account(101).reserve(100, 1).unwrap_err();
        assert_eq!(refused, UsedUp { limit: 100, used: 101, resets_on: "2026-12-01".to_owned() });
    }

    #[test]
    fn running_calls_hold_what_they_may_come_to_and_give_it_back() {
        let account = account(90);
        let running = account.reserve(100, 50).unwrap();
        assert!(running.is_some() && account.reserve(100, 1).unwrap().is_none());
        drop(running);
        assert!(account.reserve(100, 50).unwrap().is_some(), "it came to less");
    }

    #[test]
    fn what_was_metered_counts_before_and_after_it_is_written() {
        let budgets = Budgets::default();
        let tenant = TenantId::from_slug(&"acme".parse().unwrap());
        budgets.lock().insert(tenant, account(90));
        budgets.metered(tenant, 10);
        let used_up = || budgets.account(tenant).reserve(100, 1).is_err();
        assert!(used_up() && budgets.account(tenant).book().is_in_doubt(100));
        budgets.written(tenant, 10);
        assert!(used_up() && budgets.account(tenant).book().unwritten == 0);
    }

    #[test]
    fn absurd_claims_add_up() {
        let account = account(i64::MAX);
        account.book().metered += 2 * i128::from(u64::MAX);
        assert_eq!(account.reserve(u64::MAX, 1).unwrap_err().used, u64::MAX);
    }

    #[tokio::test]
    async fn without_postgres_the_last_count_holds_and_no_count_is_no_permission() {
        let nowhere = "postgres://konstruct_ai_gateway@127.0.0.1:1/none".to_owned().into();
        let store = Store::connect(&nowhere, 1, Keyring::new(None, None)).unwrap();
        let tenant = TenantId::from_slug(&"acme".parse().unwrap());
        let budgets = Budgets::default();
        assert!(matches!(budgets.reserve(&store, tenant, 100, 1).await, Err(Refused::Unknown(_))));

        let known = account(90);
        known.book().metered = 5;
        known.book().counted.as_mut().unwrap().1 -= FRESH;
        budgets.lock().insert(tenant, Arc::clone(&known));
        assert!(budgets.reserve(&store, tenant, 100, 1).await.is_ok());
        assert_eq!(known.book().used(), 95);
        let asked = Instant::now();
        assert!(
            known.book().counted.as_ref().unwrap().1 + FRESH > asked,
            "the next call does not wait for it"
        );
    }
}
