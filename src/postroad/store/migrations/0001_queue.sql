-- One row a message.  "due" is the next attempt; of a leased message, when its lease runs out.
CREATE TABLE message (
    key      INTEGER PRIMARY KEY,
    due      REAL    NOT NULL,
    owner    TEXT    NOT NULL,            -- who has the lease; '' nobody
    held     INTEGER NOT NULL DEFAULT 0,
    expired  INTEGER NOT NULL DEFAULT 0,  -- by force: the next attempt returns it
    deleted  INTEGER NOT NULL DEFAULT 0,  -- while leased: it goes when it is settled
    envelope BLOB    NOT NULL
) STRICT;

-- A message that goes straight through is leased from its first moment to its last and is never
-- in this index.
CREATE INDEX message_due ON message (due) WHERE owner = '' AND held = 0;

-- Contents that are not files.
CREATE TABLE body (
    key     INTEGER PRIMARY KEY,
    content BLOB NOT NULL
) STRICT;

-- What could not be read, for a person to look at.
CREATE TABLE corrupt (
    key      INTEGER NOT NULL,
    seen     REAL    NOT NULL,
    reason   TEXT    NOT NULL,
    envelope BLOB,
    content  BLOB
) STRICT;
