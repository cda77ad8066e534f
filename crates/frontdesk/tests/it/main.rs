//! The binary as a process, seen from outside.

#[cfg(test)]
mod cache_server;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod courier;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod database_server;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod evaluation;
#[cfg(test)]
mod existing;
#[cfg(test)]
mod health;
#[cfg(test)]
mod leader;
#[cfg(test)]
mod process;
#[cfg(test)]
mod store_trouble;
#[cfg(test)]
mod telemetry;
#[cfg(test)]
mod trouble;
