//! Telling contacts, against servers that listen: webhooks with faults, and mail servers.

mod courier;
mod mail;
mod sink;
mod webhooks;
