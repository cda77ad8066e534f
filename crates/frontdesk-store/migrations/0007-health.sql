-- What was found of the parts of the processes: changes, and a sample each ten minutes; kept 30 days.
CREATE TABLE health_history (
    id TEXT PRIMARY KEY NOT NULL,       -- grows with time
    instance TEXT NOT NULL,
    name TEXT NOT NULL,                 -- of the check
    at INTEGER NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    is_change INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX health_history_by_check ON health_history (name, id);
CREATE INDEX health_history_by_time ON health_history (at);

-- The processes that use the store, and how each is.
CREATE TABLE health_instances (
    instance TEXT PRIMARY KEY NOT NULL,
    beat INTEGER NOT NULL,
    at INTEGER NOT NULL,                -- by its own clock
    parts TEXT NOT NULL                 -- a JSON list
) STRICT, WITHOUT ROWID;

-- What the fallback rate of the last hour counts, in the order of time: 0 no answer to a caller (a greeting), 1 an
-- answer, 2 a fallback. Turns from before have none and are not counted.
ALTER TABLE turns ADD COLUMN counted INTEGER;
CREATE INDEX turns_by_time ON turns (at, counted, call) WHERE counted > 0;
