//! The client from outside, against a server that does whatever servers do.

#[cfg(test)]
mod cuts;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod server;
