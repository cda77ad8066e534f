-- Times are microseconds since 1970 UTC. Documents rest as their canonical JSON, without secrets.

CREATE TABLE companies (
    id TEXT PRIMARY KEY NOT NULL,
    json TEXT NOT NULL,
    secrets BLOB,                       -- sealed; none if there are none
    trades TEXT NOT NULL,               -- a JSON list of their names
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE company_numbers (
    number TEXT PRIMARY KEY NOT NULL,   -- every number belongs to one company
    company_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX company_numbers_by_company ON company_numbers (company_id);

CREATE TABLE company_templates (
    template_id TEXT NOT NULL,
    company_id TEXT NOT NULL,
    PRIMARY KEY (template_id, company_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX company_templates_by_company ON company_templates (company_id);

CREATE TABLE templates (
    id TEXT PRIMARY KEY NOT NULL,
    json TEXT NOT NULL,
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE qnas (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,                -- company:{id} or trade:{name in lower case}
    id TEXT NOT NULL,
    json TEXT NOT NULL,
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (owner, id)
) STRICT;

-- Where a deleted Q&A stood, so that a list can go on after it.
CREATE TABLE deleted_qnas (
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;

-- One more with each change to an owner's Q&As. Never deleted, so that it never falls.
CREATE TABLE qna_sets (
    owner TEXT PRIMARY KEY NOT NULL,
    rev INTEGER NOT NULL,
    trade TEXT                          -- the trade's name as it was first written
) STRICT, WITHOUT ROWID;

CREATE TABLE singletons (
    kind TEXT NOT NULL,                 -- overlay, safety or prompts
    id TEXT NOT NULL,                   -- the company, nothing, or the language
    json TEXT NOT NULL,
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT;

CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    id TEXT NOT NULL
) STRICT;

-- Twilio's ids come in no order, and an index of them is what a log costs most: with each call another page. So there is
-- one such index only, of eight bytes an entry, and turns hang on the number of their call: what is written at the same
-- time stands together.
CREATE TABLE calls (
    number INTEGER PRIMARY KEY,
    key INTEGER NOT NULL,               -- a hash of company and call; two calls may have the same
    company_id TEXT NOT NULL,
    call_id TEXT NOT NULL,              -- unique within the company: written only after a look under the key
    started_at INTEGER NOT NULL,
    caller TEXT,
    ending TEXT NOT NULL,
    last_turn INTEGER NOT NULL          -- the turn that `ending` is of
) STRICT;
CREATE INDEX calls_by_key ON calls (key);
CREATE INDEX calls_by_start ON calls (company_id, started_at DESC, call_id DESC);

CREATE TABLE turns (
    number INTEGER PRIMARY KEY,
    call INTEGER NOT NULL,              -- number of its call
    turn_id TEXT NOT NULL,
    turn INTEGER NOT NULL,
    company_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    source TEXT NOT NULL,
    words TEXT NOT NULL,                -- what was said by both, in lower case, for searching
    record TEXT NOT NULL,
    UNIQUE (call, turn_id)
) STRICT;

CREATE TABLE messages (
    id TEXT PRIMARY KEY NOT NULL,
    company_id TEXT NOT NULL,
    recording_sid TEXT,
    state TEXT NOT NULL,
    at INTEGER NOT NULL,
    json TEXT NOT NULL                  -- its state is in the column
) STRICT;
CREATE UNIQUE INDEX messages_by_recording ON messages (company_id, recording_sid) WHERE recording_sid IS NOT NULL;
CREATE INDEX messages_by_time ON messages (company_id, at DESC, id DESC);

CREATE TABLE notifications (
    id TEXT PRIMARY KEY NOT NULL,
    code TEXT NOT NULL,
    company_id TEXT,
    severity TEXT NOT NULL,
    message TEXT NOT NULL,
    details TEXT NOT NULL,
    count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
    snoozed_until INTEGER,
    deliveries TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE UNIQUE INDEX notifications_unresolved ON notifications (code, ifnull(company_id, '')) WHERE state <> 'resolved';

CREATE TABLE rotations (
    company_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    next INTEGER NOT NULL,
    last_spoken INTEGER,
    PRIMARY KEY (company_id, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    id TEXT PRIMARY KEY NOT NULL,
    account TEXT NOT NULL,              -- a company's id, or platform
    month TEXT NOT NULL,                -- such as 2026-11, in the company's zone
    turn_id TEXT,
    call_id TEXT,
    kind TEXT NOT NULL CHECK (kind IN ('settled', 'held', 'void', 'orphan', 'overrun', 'imported')),
    model TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    price_row TEXT,
    amount INTEGER NOT NULL,            -- pico-USD
    at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX ledger_imported ON ledger (account, month) WHERE kind = 'imported';
CREATE INDEX ledger_by_month ON ledger (account, month, at);

-- Written to find out whether the store takes writes.
CREATE TABLE pings (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    at INTEGER NOT NULL
) STRICT;
