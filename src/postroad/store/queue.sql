-- The statements of a shard.  "keys" is a JSON list of queue ids as numbers.

-- name: accept
INSERT INTO message (key, due, owner, held, envelope) VALUES (?, ?, ?, ?, ?)

-- name: store_body
INSERT INTO body (key, content) VALUES (?, ?)

-- name: done
DELETE FROM message WHERE key IN (SELECT value FROM json_each(:keys))

-- name: drop_bodies
DELETE FROM body WHERE key IN (SELECT value FROM json_each(:keys))

-- name: retry
UPDATE message SET due = ?, owner = '', envelope = ? WHERE key = ?

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

-- name: content
SELECT content FROM body WHERE key = :key

-- name: hold
UPDATE message SET held = 1
 WHERE held = 0 AND deleted = 0 AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
RETURNING key

-- name: release
UPDATE message SET held = 0
 WHERE held = 1 AND deleted = 0 AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
RETURNING key

-- name: requeue
UPDATE message SET held = 0, due = CASE owner WHEN '' THEN :now ELSE due END
 WHERE deleted = 0 AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
RETURNING key, owner <> ''

-- name: expire
UPDATE message SET expired = 1
 WHERE expired = 0 AND deleted = 0 AND (:keys IS NULL OR key IN (SELECT value FROM json_each(:keys)))
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

-- name: find_all
SELECT key, due, owner, held, expired, envelope FROM message WHERE deleted = 0 ORDER BY key

-- name: find
SELECT key, due, owner, held, expired, envelope FROM message
 WHERE deleted = 0 AND key IN (SELECT value FROM json_each(:keys)) ORDER BY key

-- name: count
SELECT count(*) FROM message WHERE deleted = 0

-- name: keys
SELECT key FROM message

-- name: bodyless
SELECT key FROM message WHERE key NOT IN (SELECT key FROM body)

-- name: quarantine
INSERT INTO corrupt (key, seen, reason, envelope, content)
SELECT m.key, :now, :reason, m.envelope, b.content
  FROM message m LEFT JOIN body b ON b.key = m.key WHERE m.key = :key

-- name: rows_after
SELECT m.key, m.due, m.held, m.expired, m.envelope, b.content
  FROM message m LEFT JOIN body b ON b.key = m.key
 WHERE m.deleted = 0 AND m.key > :after ORDER BY m.key LIMIT :most

-- name: adopt
INSERT OR IGNORE INTO message (key, due, owner, held, expired, envelope) VALUES (?, ?, ?, ?, ?, ?)

-- name: adopt_body
INSERT OR IGNORE INTO body (key, content) VALUES (?, ?)

-- name: newest
SELECT max(key) FROM message

-- name: left
SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM corrupt)
