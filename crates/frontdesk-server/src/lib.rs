//! frontdesk-server
