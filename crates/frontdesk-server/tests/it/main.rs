//! The admin API from outside: real router, real SQLite file.

mod calls;
mod companies;
mod import_export;
mod notifications;
mod openapi;
mod platform;
mod probes;
mod qna;
mod requests;
mod support;
mod templates;
mod voice;
