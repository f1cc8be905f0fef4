-- The statements of a shard.  "keys" is a JSON list of queue ids as numbers.
-- "expired" holds two marks: 1 expired by force, 2 requeued and not tried since.

-- name: accept
INSERT OR IGNORE INTO message (key, due, owner, held, envelope, in_file) VALUES (?, ?, ?, ?, ?, ?)

-- name: store_body
INSERT OR IGNORE INTO body (key, content, checksum) VALUES (?, ?, ?)

-- name: settled
SELECT file, generation FROM journal

-- name: settle_file
INSERT INTO journal (file, generation) VALUES (?, ?)
ON CONFLICT (file) DO UPDATE SET generation = excluded.generation

-- name: done
DELETE FROM message WHERE key IN (SELECT value FROM json_each(:keys))

-- name: drop_bodies
DELETE FROM body WHERE key IN (SELECT value FROM json_each(:keys))

-- name: retry
UPDATE message SET due = ?, owner = '', envelope = ?, expired = expired & 1 WHERE key = ?

-- name: again
UPDATE message SET expired = expired | 2 WHERE key IN (SELECT value FROM json_each(:keys))

-- name: progress
UPDATE message SET envelope = ? WHERE key = ? AND owner <> ''

-- name: buried
DELETE FROM message WHERE deleted = 1 AND owner = '' RETURNING key

-- name: due
SELECT key, due, owner, held, expired, envelope FROM message
 WHERE owner = '' AND held = 0 AND due <= :now
 ORDER BY due LIMIT :most

-- name: lease
UPDATE message SET owner = :owner, due = :until WHERE key IN (SELECT value FROM json_each(:keys))

-- name: return_leases
UPDATE message SET owner = '', due = :now WHERE owner <> ''

-- name: give_back
UPDATE message SET owner = '', due = :now WHERE owner <> '' AND key IN (SELECT value FROM json_each(:keys))

-- name: content
SELECT content, checksum FROM body WHERE key = :key

-- name: hold
UPDATE message SET held = 1
 WHERE held = 0 AND deleted = 0 AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
RETURNING key

-- name: release
UPDATE message SET held = 0
 WHERE held = 1 AND deleted = 0 AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
RETURNING key

-- name: requeue
UPDATE message SET held = 0, expired = expired | 2, due = CASE owner WHEN '' THEN :now ELSE due END
 WHERE deleted = 0 AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
RETURNING key, owner <> ''

-- name: expire
UPDATE message SET expired = expired | 1
 WHERE expired & 1 = 0 AND deleted = 0 AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
RETURNING key

-- name: flush
UPDATE message SET due = :now
 WHERE owner = '' AND held = 0 AND deleted = 0 AND due > :now
   AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
RETURNING key

-- name: bury
UPDATE message SET deleted = 1
 WHERE owner <> '' AND deleted = 0 AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
RETURNING key

-- name: delete
DELETE FROM message
 WHERE owner = '' AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
RETURNING key

-- name: page_all
SELECT key, due, owner, held, expired, envelope FROM message
 WHERE deleted = 0 AND key > :after ORDER BY key LIMIT :most

-- name: page_active
SELECT key, due, owner, held, expired, envelope FROM message
 WHERE owner <> '' AND held = 0 AND deleted = 0 AND key > :after ORDER BY key LIMIT :most

-- name: page_waiting
SELECT key, due, owner, held, expired, envelope FROM message
 WHERE owner = '' AND held = 0 AND deleted = 0 AND key > :after ORDER BY key LIMIT :most

-- name: page_held
SELECT key, due, owner, held, expired, envelope FROM message
 WHERE held = 1 AND deleted = 0 AND key > :after ORDER BY key LIMIT :most

-- name: find
SELECT key, due, owner, held, expired, envelope FROM message
 WHERE deleted = 0 AND key IN (SELECT value FROM json_each(:keys)) ORDER BY key

-- name: count
SELECT count(*) FROM message WHERE deleted = 0

-- name: keys_after
SELECT key FROM message WHERE deleted = 0 AND key > :after ORDER BY key LIMIT :most

-- name: in_files
SELECT key FROM message WHERE in_file = 1

-- name: quarantine
INSERT INTO corrupt (key, seen, reason, envelope, content)
SELECT m.key, :now, :reason, m.envelope, b.content
  FROM message m LEFT JOIN body b ON b.key = m.key WHERE m.key = :key

-- name: rows_after
SELECT m.key, m.due, m.held, m.expired, m.envelope, m.in_file, b.content, b.checksum
  FROM message m LEFT JOIN body b ON b.key = m.key
 WHERE m.deleted = 0 AND m.key > :after ORDER BY m.key LIMIT :most

-- name: adopt
INSERT OR IGNORE INTO message (key, due, owner, held, expired, envelope, in_file)
VALUES (?, ?, ?, ?, ?, ?, ?)

-- name: newest
SELECT max(key) FROM message

-- name: left
SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM corrupt)
