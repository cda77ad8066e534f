//! A ledger that adds up all its entries whenever it is asked.

use frontdesk_domain::{
    ids::{LedgerEntryId, TurnId},
    ledger::{Account, EntryKind, Spend},
    money::PicoUsd,
    time::{MonthKey, TimeZone, Timestamp},
};
use frontdesk_store::ports::{Bill, Hold, Reserved};

use crate::support::id;

/// Companies 1 to 3.
pub(super) const COMPANIES: u32 = 3;

#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// None where the store makes it.
    pub(super) id: Option<LedgerEntryId>,
    pub(super) account: Account,
    pub(super) month: MonthKey,
    pub(super) kind: EntryKind,
    pub(super) amount: PicoUsd,
    attempt: Option<(TurnId, u32)>,
    lease_until: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) entries: Vec<Entry>,
    /// By company.
    pub(super) limits: [Option<i64>; COMPANIES as usize],
}

pub(super) fn accounts() -> impl Iterator<Item = Account> {
    let companies = (1..=COMPANIES).map(|number| Account::Company(id(number)));
    companies.chain([Account::Platform])
}

impl Model {
    pub(super) fn limit(&self, account: Account) -> Option<i64> {
        let at = accounts().position(|one| one == account)?;
        self.limits.get(at).copied().flatten()
    }

    fn sum(&self, account: Account, month: MonthKey, counts: impl Fn(EntryKind) -> bool) -> PicoUsd {
        let of_month = |entry: &&Entry| entry.account == account && entry.month == month && counts(entry.kind);
        let amounts = self.entries.iter().filter(of_month).map(|entry| entry.amount.pico());
        PicoUsd::from_pico(amounts.sum())
    }

    pub(super) fn spend(&self, account: Account, month: MonthKey) -> Spend {
        Spend {
            spent: self.sum(account, month, EntryKind::is_spent),
            held: self.sum(account, month, |kind| kind == EntryKind::Held),
        }
    }

    pub(super) fn reserve(&mut self, hold: &Hold) -> Reserved {
        let attempt = Some((hold.turn.clone(), hold.attempt));
        let known = self.entries.iter().find(|entry| {
            entry.account == hold.account && entry.attempt == attempt && entry.kind != EntryKind::Overrun
        });
        if let Some(known) = known {
            return Reserved::Known(known.kind);
        }
        let limit = match hold.account {
            Account::Platform => hold.cap.pico(),
            company @ Account::Company(_) => self.limit(company).unwrap_or(0),
        };
        let before = self.spend(hold.account, hold.month);
        let taken = before.spent.pico() + before.held.pico();
        if limit <= 0 || taken + hold.amount.pico() > limit {
            return Reserved::Refused(before, PicoUsd::from_pico(limit));
        }
        self.entries.push(Entry {
            id: Some(hold.id),
            account: hold.account,
            month: hold.month,
            kind: EntryKind::Held,
            amount: hold.amount,
            attempt,
            lease_until: Some(hold.lease_until),
        });
        let after = self.spend(hold.account, hold.month);
        Reserved::Granted(after, PicoUsd::from_pico(limit))
    }

    fn find(&mut self, id: LedgerEntryId) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.id == Some(id))
    }

    /// Closes an entry, if it is held.
    fn close(&mut self, id: LedgerEntryId, kind: EntryKind, amount: PicoUsd) -> bool {
        let Some(entry) = self.find(id).filter(|entry| entry.kind == EntryKind::Held) else {
            return false;
        };
        entry.kind = kind;
        entry.amount = amount;
        true
    }

    pub(super) fn settle(&mut self, id: LedgerEntryId, bill: &Bill) -> bool {
        let was_held = self.close(id, EntryKind::Settled, bill.amount);
        let attempt = self.find(id).and_then(|entry| entry.attempt.clone());
        let mut overruns = self.entries.iter().filter(|entry| entry.kind == EntryKind::Overrun);
        let is_new = attempt.is_some() && overruns.all(|overrun| overrun.attempt != attempt);
        if bill.overrun > PicoUsd::ZERO && is_new {
            self.entries.push(Entry {
                id: None,
                account: Account::Platform,
                month: MonthKey::of(bill.at, &TimeZone::UTC),
                kind: EntryKind::Overrun,
                amount: bill.overrun,
                attempt,
                lease_until: None,
            });
        }
        was_held
    }

    pub(super) fn void(&mut self, id: LedgerEntryId) -> bool {
        self.close(id, EntryKind::Void, PicoUsd::ZERO)
    }

    /// Those that are charged in full, in the order of their ids.
    pub(super) fn reap(&mut self, now: Timestamp) -> Vec<(Account, LedgerEntryId)> {
        let due = self.entries.iter_mut().filter(|entry| {
            let has_ended = entry.lease_until.is_some_and(|end| end < now);
            entry.kind == EntryKind::Held && has_ended
        });
        let mut reaped: Vec<_> = due
            .filter_map(|entry| {
                entry.kind = EntryKind::Orphan;
                Some((entry.account, entry.id?))
            })
            .collect();
        reaped.sort_by_key(|(_, id)| *id);
        reaped
    }

    pub(super) fn import(&mut self, account: Account, month: MonthKey, amount: PicoUsd) {
        let is_open = self
            .entries
            .iter()
            .any(|entry| entry.account == account && entry.month == month && entry.kind == EntryKind::Imported);
        if !is_open {
            self.entries.push(Entry {
                id: None,
                account,
                month,
                kind: EntryKind::Imported,
                amount,
                attempt: None,
                lease_until: None,
            });
        }
    }
}
