//! How many updates of one account's document this process has under way.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use frontdesk_domain::ledger::Account;
use tokio::sync::Semaphore;

/// An account is one document. Updates of it that come at once get in each other's way at the server, which does all but
/// one of them again; so many at once keep it busy without that.
const AT_ONCE: usize = 2;

/// Accounts of which nobody is updating are forgotten when there are so many.
const CLEAR_AT: usize = 1_024;

/// The accounts that are being updated.
#[derive(Debug, Default)]
pub(in crate::mongo) struct Turnstiles(Mutex<HashMap<Account, Weak<Semaphore>>>);

impl Turnstiles {
    /// The places of an account: whoever updates it holds one.
    pub(super) fn of(&self, account: Account) -> Arc<Semaphore> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = known.get(&account).and_then(Weak::upgrade) {
            return places;
        }
        if known.len() >= CLEAR_AT {
            known.retain(|_, places| places.strong_count() > 0);
        }
        let places = Arc::new(Semaphore::new(AT_ONCE));
        known.insert(account, Arc::downgrade(&places));
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_the_same_places_while_somebody_holds_them() {
        let turnstiles = Turnstiles::default();
        let places = turnstiles.of(Account::Platform);
        let taken = places.try_acquire_many(2).unwrap();
        assert!(turnstiles.of(Account::Platform).try_acquire().is_err());
        let other = Account::Company("507f1f77bcf86cd799439011".parse().unwrap());
        assert!(turnstiles.of(other).try_acquire().is_ok());
        drop(taken);
        drop(places);
        assert!(turnstiles.of(Account::Platform).try_acquire_many(2).is_ok());
    }
}
