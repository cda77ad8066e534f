//! Runs a double until Ctrl-C and prints what it counted: `cargo run --example double -- 127.0.0.1:8089`.

use std::{env, io, net::SocketAddr};

use frontdesk_llm_double::{Double, Script, serve_until};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "what it prints is what it is for")]
async fn main() -> io::Result<()> {
    let listen = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listen: SocketAddr = listen.parse().map_err(io::Error::other)?;
    let started = |double: &Double| println!("{}", double.base_url());
    let stop = async { _ = tokio::signal::ctrl_c().await };
    let stats = serve_until(listen, Script::default(), started, stop).await?;
    println!("{} calls, {} pico-USD", stats.calls, stats.billed);
    Ok(())
}
