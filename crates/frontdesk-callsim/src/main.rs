//! The `callsim` command.

fn main() {}
