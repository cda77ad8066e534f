//! The port of leases: which process does the work that only one may do (ADR 0014).

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;

/// The number of a holding: one higher with each that takes the lease, also with one that has had it before.
pub type Fence = u64;

/// A lease as the store has it. It knows no time: who wants it watches whether it changes, by a clock of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The holding, from 1.
    pub fence: Fence,
    /// How often it was renewed. A lease that does not change for long has lost its holder.
    pub renewals: u64,
    /// Who holds it; none: it was given up and may be taken at once.
    pub holder: Option<Arc<str>>,
}

/// Leases by name. Every operation is one atomic step on disk, over all processes that use the store.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// The lease as it is; none if nobody has ever taken it.
    async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError>;
    /// Takes a lease if it still is as `seen`; gives the fence of the new holding. `None` if it is not: somebody else
    /// was faster, or its holder lives.
    async fn take_lease(&self, name: &str, holder: &str, seen: Option<&Lease>) -> Result<Option<Fence>, StoreError>;
    /// Shows that the holder lives. `false` if the holding has ended: others have the lease, or it was given up.
    async fn renew_lease(&self, name: &str, fence: Fence) -> Result<bool, StoreError>;
    /// Ends a holding, so that the next one may begin at once. `false` if it has ended before.
    async fn give_up_lease(&self, name: &str, fence: Fence) -> Result<bool, StoreError>;
}
