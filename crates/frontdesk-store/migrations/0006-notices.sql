-- Who is told of notifications, and what became of it. Times are microseconds since 1970 UTC.

ALTER TABLE notifications DROP COLUMN deliveries;   -- they stand in the outbox
ALTER TABLE notifications ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE notifications ADD COLUMN rev INTEGER NOT NULL DEFAULT 1;            -- one more with each write
ALTER TABLE notifications ADD COLUMN round INTEGER NOT NULL DEFAULT 0;          -- telling begins anew with each one
ALTER TABLE notifications ADD COLUMN round_at INTEGER NOT NULL DEFAULT 0;       -- when this round begins
ALTER TABLE notifications ADD COLUMN due_at INTEGER;                          -- whom to tell is to be decided then
ALTER TABLE notifications ADD COLUMN next_count INTEGER NOT NULL DEFAULT 1;   -- and as soon as there are so many alerts
ALTER TABLE notifications ADD COLUMN groups TEXT NOT NULL DEFAULT '[]';       -- the last groups of alerts that are in it
CREATE INDEX notifications_by_change ON notifications (changed_at);
CREATE INDEX notifications_due ON notifications (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE contacts (
    id TEXT PRIMARY KEY NOT NULL,
    json TEXT NOT NULL,
    secrets BLOB,                       -- sealed; none if there are none
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE outbox (
    id TEXT PRIMARY KEY NOT NULL,
    notification_id TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    occasion TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'dead')),
    tries INTEGER NOT NULL DEFAULT 0,
    attempts TEXT NOT NULL DEFAULT '[]',
    created_at INTEGER NOT NULL,
    due_at INTEGER,                     -- of pending ones
    direct INTEGER NOT NULL DEFAULT 0,
    UNIQUE (notification_id, contact_id, channel_id, occasion)
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX outbox_by_state ON outbox (state, id);
