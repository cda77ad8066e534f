//! [`frontdesk_properties::form::holds`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| frontdesk_properties::form::holds(input));
