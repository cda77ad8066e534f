-- The audio of recorded messages: fetched from Twilio behind the call, kept as long as its message.
CREATE TABLE audio (
    message_id TEXT PRIMARY KEY NOT NULL REFERENCES messages (id) ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('due', 'stored', 'failed')),
    due_at INTEGER,                     -- when it is to be fetched; null once it is not due any more
    first_tried_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    content_type TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX audio_by_due ON audio (due_at) WHERE state = 'due';

-- In parts, so that no write of it keeps other writes waiting. Parts without a row in `audio` are left over.
CREATE TABLE audio_parts (
    part INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL,
    number INTEGER NOT NULL,            -- from 0
    bytes BLOB NOT NULL,
    UNIQUE (message_id, number)
) STRICT;

-- Recordings that were noted before their audio was kept.
INSERT INTO audio (message_id, state, due_at)
    SELECT id, 'due', at FROM messages WHERE json ->> '$.recordingUrl' IS NOT NULL;

-- How long the records of a company are kept that is no more.
CREATE TABLE deleted_companies (
    company_id TEXT PRIMARY KEY NOT NULL,
    retention_days INTEGER
) STRICT, WITHOUT ROWID;
