-- Counts of each quarter of an hour, of a company or (scope '') of all together, written together with the turns they
-- count. They hold nothing of a caller and stay when the turns are deleted.
CREATE TABLE rollups (
    scope TEXT NOT NULL,
    slot INTEGER NOT NULL,              -- quarters of an hour since 1970 UTC
    thinned INTEGER NOT NULL DEFAULT 0, -- 1: some of its turns are deleted, so that it cannot be counted again
    counts BLOB NOT NULL,               -- frontdesk_domain::analytics::Rollup
    PRIMARY KEY (scope, slot)
) STRICT, WITHOUT ROWID;

-- Turns that no scripted match answered, short. They hold the caller's words and go with their turn.
CREATE TABLE misses (
    turn INTEGER PRIMARY KEY NOT NULL REFERENCES turns (number) ON DELETE CASCADE,
    company_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    miss TEXT NOT NULL
) STRICT;
CREATE INDEX misses_by_time ON misses (company_id, at DESC);
