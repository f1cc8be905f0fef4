-- Which batches of the journal's two files no longer count: all up to this generation.
CREATE TABLE journal (
    file       INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL
) STRICT;

-- Whether the content is a file.
ALTER TABLE message ADD COLUMN in_file INTEGER NOT NULL DEFAULT 0;
UPDATE message SET in_file = 1 WHERE key NOT IN (SELECT key FROM body);

-- What a start and a list look for, however deep the queue is.
CREATE INDEX message_file ON message (key) WHERE in_file = 1;
CREATE INDEX message_leased ON message (key) WHERE owner <> '';
CREATE INDEX message_held ON message (key) WHERE held = 1;
CREATE INDEX message_deleted ON message (key) WHERE deleted = 1;

-- CRC-32 of the content; NULL where none was kept.
ALTER TABLE body ADD COLUMN checksum INTEGER;
