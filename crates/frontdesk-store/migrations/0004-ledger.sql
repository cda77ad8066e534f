-- An entry for each attempt of a turn: held before the provider is asked, closed by its bill.
ALTER TABLE ledger ADD COLUMN attempt INTEGER;              -- from 1
ALTER TABLE ledger ADD COLUMN cached_tokens INTEGER;        -- of prompt_tokens
ALTER TABLE ledger ADD COLUMN cache_write_tokens INTEGER;   -- of prompt_tokens
ALTER TABLE ledger ADD COLUMN hold INTEGER;                 -- pico-USD, as held at first
ALTER TABLE ledger ADD COLUMN closed_at INTEGER;
ALTER TABLE ledger ADD COLUMN lease_until INTEGER;          -- from then on a hold is charged in full

-- A turn pays once an attempt, and what it is billed beyond a hold is noted once.
CREATE UNIQUE INDEX ledger_by_turn ON ledger (account, turn_id, attempt)
    WHERE turn_id IS NOT NULL AND kind <> 'overrun';
CREATE UNIQUE INDEX ledger_overrun ON ledger (account, turn_id, attempt) WHERE kind = 'overrun';
CREATE INDEX ledger_by_lease ON ledger (lease_until) WHERE kind = 'held';

-- Entries are listed by their ids, which grow with time.
DROP INDEX ledger_by_month;
CREATE INDEX ledger_by_month ON ledger (account, month, id);
CREATE INDEX ledger_by_account ON ledger (account, id);

-- What the entries of a month add up to, in pico-USD; written together with each entry.
CREATE TABLE ledger_months (
    account TEXT NOT NULL,
    month TEXT NOT NULL,
    spent INTEGER NOT NULL,             -- of settled, orphan, overrun and imported entries
    held INTEGER NOT NULL,              -- of held entries
    PRIMARY KEY (account, month)
) STRICT, WITHOUT ROWID;
INSERT INTO ledger_months (account, month, spent, held)
    SELECT account, month, sum(amount), 0 FROM ledger WHERE kind = 'imported' GROUP BY account, month;
