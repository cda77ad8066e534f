//! Tests of the store through its public API.

#[cfg(test)]
mod cache;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod ledger;
#[cfg(feature = "mongo")]
#[cfg(test)]
mod mongo;
#[cfg(test)]
mod moving;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod support;
