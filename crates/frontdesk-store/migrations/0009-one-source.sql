-- The fallback rate is read from the roll-ups: the index that was for it alone cost the writer something with each turn.
DROP INDEX turns_by_time;
ALTER TABLE turns DROP COLUMN counted;
