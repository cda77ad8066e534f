-- The ledger of the LLM: what was held and what became of it. An entry's amount is what it takes of the month now.
ALTER TABLE ledger ADD COLUMN attempt INTEGER;
ALTER TABLE ledger ADD COLUMN cached_tokens INTEGER;
ALTER TABLE ledger ADD COLUMN cache_write_tokens INTEGER;
ALTER TABLE ledger ADD COLUMN hold INTEGER;             -- pico-USD
ALTER TABLE ledger ADD COLUMN closed_at INTEGER;
ALTER TABLE ledger ADD COLUMN lease_until INTEGER;
-- A turn holds once an attempt, and its overrun is posted once.
CREATE UNIQUE INDEX ledger_by_attempt ON ledger (account, turn_id, attempt, kind = 'overrun') WHERE turn_id IS NOT NULL;
CREATE INDEX ledger_by_lease ON ledger (lease_until) WHERE kind = 'held';

-- What the entries of a month add up to, moved in the transaction that moves an entry.
CREATE TABLE ledger_months (
    account TEXT NOT NULL,
    month TEXT NOT NULL,
    spent INTEGER NOT NULL DEFAULT 0,   -- pico-USD
    held INTEGER NOT NULL DEFAULT 0,    -- pico-USD
    PRIMARY KEY (account, month)
) STRICT, WITHOUT ROWID;
INSERT INTO ledger_months (account, month, spent) SELECT account, month, sum(amount) FROM ledger GROUP BY account, month;
