//! frontdesk-matching
