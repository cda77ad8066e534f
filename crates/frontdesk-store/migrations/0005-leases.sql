-- Who does the work that only one process may do (ADR 0014). No time is stored: who waits watches for changes.
CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    fence INTEGER NOT NULL,             -- grows with each holding
    renewals INTEGER NOT NULL,          -- of this holding
    holder TEXT                         -- NULL: given up
) STRICT, WITHOUT ROWID;
