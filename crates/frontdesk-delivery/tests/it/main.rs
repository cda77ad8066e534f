//! Telling contacts, against servers that listen: webhooks with faults, and mail servers.

#[cfg(test)]
mod courier;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod sink;
#[cfg(test)]
mod webhooks;
