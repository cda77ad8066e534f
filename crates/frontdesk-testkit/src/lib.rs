//! Test support: the real binary as a process of its own, and those who talk to it.
//!
//! - [`server::Server`] starts the binary on a free port and an own store, kills it, stops it, starts it again.
//! - [`redis_server::RedisServer`] is a cache server that can be killed, stopped and started again.
//! - [`mongo_server::MongoServer`] is a database server that can be killed, stopped and started again.
//! - [`twilio::Caller`] signs webhooks as Twilio does and reads the answers with a reader of its own.
//! - [`operator::Operator`] speaks to the admin API.
//! - [`world::World`] makes companies to call, and knows what a right answer of theirs is.
//! - [`shapes::collect`] plays calls that bring out a document of every shape.
//! - [`crash::run`] kills a server under load, again and again, and looks for what it had acknowledged.
//! - [`money`] races turns for a budget, kills servers that hold money, hangs the provider, and looks at every cent.
//! - [`capacity`] measures how much one process answers on each store, and how it goes on when more is asked of it.
//! - [`instances`] keeps hundreds of calls in progress over several instances while parts of them fail.
//!
//! Nothing here knows how Frontdesk works inside: it speaks HTTP and reads documents. The one exception is
//! [`store_file`], which asks `SQLite` whether the store's file is sound.

pub mod capacity;
pub mod connection;
pub mod crash;
pub mod instances;
pub mod line;
pub mod money;
pub mod mongo_server;
pub mod operator;
pub mod redis_server;
pub mod report;
pub mod server;
mod server_process;
pub mod shapes;
mod signal;
pub mod store_file;
pub mod twilio;
pub mod twiml;
pub mod world;
