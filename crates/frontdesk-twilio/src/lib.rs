//! frontdesk-twilio
