//! frontdesk-callflow
