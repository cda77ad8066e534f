//! The encoder from outside: the installed model, and folders that are none.

#[cfg(test)]
mod damaged;
#[cfg(test)]
mod installed;
