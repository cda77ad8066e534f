//! frontdesk-testkit
