//! Leases: one holder at a time, whoever was stopped is fenced off. No case waits: time is the candidates' own affair.

use frontdesk_store::ports::{Fence, Lease};
use futures_util::future::join_all;

use super::Given;

const NAME: &str = "work";

async fn seen(given: &Given) -> Lease {
    given.store.lease(NAME).await.unwrap().unwrap()
}

async fn take(given: &Given, holder: &str, seen: Option<&Lease>) -> Option<Fence> {
    given.store.take_lease(NAME, holder, seen).await.unwrap()
}

pub(crate) async fn a_free_lease_is_had_by_the_first_alone(given: &Given) {
    let other = (given.reopen)().await;
    assert_eq!(given.store.lease(NAME).await.unwrap(), None);
    assert_eq!(take(given, "a", None).await, Some(1));
    assert_eq!(other.take_lease(NAME, "b", None).await.unwrap(), None);
    let want = Lease {
        fence: 1,
        renewals: 0,
        holder: Some("a".into()),
    };
    assert_eq!(
        other.lease(NAME).await.unwrap(),
        Some(want),
        "the other process sees it"
    );
}

pub(crate) async fn a_lease_that_was_renewed_meanwhile_is_not_taken(given: &Given) {
    take(given, "a", None).await.unwrap();
    let before = seen(given).await;
    assert!(given.store.renew_lease(NAME, 1).await.unwrap());
    assert_eq!(take(given, "b", Some(&before)).await, None);
    let now = seen(given).await;
    assert_eq!((now.fence, now.renewals, now.holder.as_deref()), (1, 1, Some("a")));
}

pub(crate) async fn an_abandoned_lease_is_taken_over_and_its_holder_fenced_off(given: &Given) {
    let other = (given.reopen)().await;
    take(given, "a", None).await.unwrap();
    let abandoned = seen(given).await;
    assert_eq!(other.take_lease(NAME, "b", Some(&abandoned)).await.unwrap(), Some(2));
    assert!(
        !given.store.renew_lease(NAME, 1).await.unwrap(),
        "a stopped holder goes on"
    );
    assert_eq!(take(given, "a", Some(&abandoned)).await, None);
    assert!(other.renew_lease(NAME, 2).await.unwrap());
    // Who was here before gets a new fence as well.
    let abandoned = seen(given).await;
    assert_eq!(take(given, "a", Some(&abandoned)).await, Some(3));
    assert!(!other.renew_lease(NAME, 2).await.unwrap());
}

pub(crate) async fn a_lease_that_was_given_up_is_free_at_once(given: &Given) {
    take(given, "a", None).await.unwrap();
    assert!(given.store.give_up_lease(NAME, 1).await.unwrap());
    let free = seen(given).await;
    assert_eq!((free.fence, &free.holder), (1, &None));
    assert!(!given.store.renew_lease(NAME, 1).await.unwrap());
    assert!(!given.store.give_up_lease(NAME, 1).await.unwrap());
    assert_eq!(take(given, "b", Some(&free)).await, Some(2));
    assert_eq!(take(given, "c", Some(&free)).await, None);
}

pub(crate) async fn who_has_lost_a_lease_cannot_give_it_up(given: &Given) {
    take(given, "a", None).await.unwrap();
    let abandoned = seen(given).await;
    take(given, "b", Some(&abandoned)).await.unwrap();
    assert!(!given.store.give_up_lease(NAME, 1).await.unwrap());
    assert_eq!(seen(given).await.holder.as_deref(), Some("b"));
}

pub(crate) async fn leases_of_other_names_are_others(given: &Given) {
    take(given, "a", None).await.unwrap();
    assert_eq!(given.store.lease("other").await.unwrap(), None);
    assert_eq!(given.store.take_lease("other", "b", None).await.unwrap(), Some(1));
    assert!(given.store.give_up_lease("other", 1).await.unwrap());
    assert!(given.store.renew_lease(NAME, 1).await.unwrap());
}

pub(crate) async fn of_many_that_take_a_lease_at_once_one_has_it(given: &Given) {
    let stores = [given.store.clone(), (given.reopen)().await];
    let mut abandoned = None;
    for round in 1..=20 {
        let candidates: Vec<_> = (0..16)
            .map(|number| (&stores[number % 2], number.to_string()))
            .collect();
        let taking = candidates
            .iter()
            .map(|(store, holder)| store.take_lease(NAME, holder, abandoned.as_ref()));
        let taken: Vec<Fence> = join_all(taking).await.into_iter().filter_map(Result::unwrap).collect();
        assert_eq!(taken, [round]);
        abandoned = Some(seen(given).await);
    }
}
