-- What turns add to the roll-ups, written together with these turns and added to the roll-ups some thousands of turns
-- later: a roll-up is read and written once for many of its turns. Whoever reads roll-ups reads the parts too.
CREATE TABLE rollup_parts (
    turns INTEGER PRIMARY KEY NOT NULL, -- in this part and those before it
    counts BLOB NOT NULL                -- frontdesk_store::sqlite::rollup_parts
) STRICT;
