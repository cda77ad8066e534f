//! The double from outside: a real listener, and every byte of its responses.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod bills;
#[cfg(test)]
mod client;
#[cfg(test)]
mod control;
#[cfg(test)]
mod wire;
