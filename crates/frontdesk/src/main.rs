//! The frontdesk binary.

use std::process::ExitCode;

use clap::Parser as _;
use frontdesk::{
    cli::Cli,
    commands, exit_code,
    output::{Colour, Terminal},
};

/// What is read of others' variables: where a user's caches are, and the LLM's key as `OpenAI`'s own tools know it.
const OF_OTHERS: [&str; 3] = ["XDG_CACHE_HOME", "HOME", "OPENAI_API_KEY"];

/// Lets memory be shared by as many arenas as there are cores, in place of eight times as many: what thousands of loads on
/// changing threads leave in between takes a fifth of the memory otherwise.
#[cfg(target_env = "gnu")]
fn share_arenas() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arenas = i32::try_from(cores).unwrap_or(i32::MAX);
    #[expect(
        unsafe_code,
        reason = "glibc takes it by this call alone, or from a variable that it has read before the program begins"
    )]
    // SAFETY: it takes two numbers, and no other thread is there yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, arenas);
    }
}

#[cfg(not(target_env = "gnu"))]
const fn share_arenas() {}

fn main() -> ExitCode {
    share_arenas();
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_plain = is_set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    let colour = if is_plain { Colour::Never } else { Colour::OnTerminals };
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        // What is no text cannot be a setting and is refused as such.
        let is_read = |name: &String| name.starts_with("FRONTDESK_") || OF_OTHERS.contains(&name.as_str());
        let name = name.into_string().ok().filter(is_read)?;
        Some((name, value.to_string_lossy().into_owned()))
    });
    exit_code(commands::run(
        Cli::parse(),
        variables.collect(),
        Terminal::of_process(colour),
    ))
}
