//! The frontdesk binary.

use std::process::ExitCode;

use clap::Parser as _;
use frontdesk::{
    cli::Cli,
    commands, exit_code,
    output::{Colour, Terminal},
};

/// What says where a user's caches are.
const CACHES: [&str; 2] = ["XDG_CACHE_HOME", "HOME"];

fn main() -> ExitCode {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_plain = is_set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    let colour = if is_plain { Colour::Never } else { Colour::OnTerminals };
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        // Only our own variables are read, and where caches are; what is no text cannot be a setting and is refused as such.
        let is_read = |name: &String| name.starts_with("FRONTDESK_") || CACHES.contains(&name.as_str());
        let name = name.into_string().ok().filter(is_read)?;
        Some((name, value.to_string_lossy().into_owned()))
    });
    exit_code(commands::run(
        Cli::parse(),
        variables.collect(),
        Terminal::of_process(colour),
    ))
}
