-- The document that answered a turn, so that the same webhook gets the same bytes again (also after a restart), and
-- when a call ended. What a turn's record says already is no column of its own.
ALTER TABLE turns ADD COLUMN document TEXT;
ALTER TABLE turns DROP COLUMN company_id;
ALTER TABLE turns DROP COLUMN outcome;
ALTER TABLE turns DROP COLUMN source;

ALTER TABLE calls ADD COLUMN ended_at INTEGER;
ALTER TABLE calls ADD COLUMN ended_as TEXT;     -- as Twilio reported it: completed, busy, no-answer, failed, canceled
