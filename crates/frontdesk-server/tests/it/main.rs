//! The server from outside: real router, real `SQLite` file.

#[cfg(test)]
mod budget;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod companies;
mod contacts;
#[cfg(test)]
mod health;
#[cfg(test)]
mod import_export;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod notifications;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod qna;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod support;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod voice;
#[cfg(test)]
mod voice_routes;
