"""Parameters that only this room obeys, and those of the commands that look at the queue."""

from __future__ import annotations

from postroad.base.kinds import LIST, SIZE, choice
from postroad.base.params import Group

params = Group("store")

QUEUE_STORE = params.declare(
    "queue_store",
    choice("sqlite"),
    "sqlite",
    "Where the queue is kept: sqlite is a journal and a database for each worker below $queue_directory.",
    own=True,
    live=False,
)
QUEUE_JOURNAL_SIZE = params.declare(
    "queue_journal_size",
    SIZE,
    "134217728",
    "How long each of the two files of a worker's journal grows before it is used again.",
    low=1 << 20,
    own=True,
    live=False,
)
REFUSAL_RECORD_SIZE = params.declare(
    "refusal_record_size",
    SIZE,
    "8m",
    "How much each worker keeps, in $data_directory/refusals-N.jsonl, of why it refused clients, for "
    "postroad trace; of a flood only a part, 0 keeps nothing.",
    own=True,
)
AUTHORIZED_MAILQ_USERS = params.declare(
    "authorized_mailq_users", LIST, "static:anyone", "The local users who may list the queue."
)
AUTHORIZED_FLUSH_USERS = params.declare(
    "authorized_flush_users", LIST, "static:anyone", "The local users who may flush the queue."
)
AUTHORIZED_SUBMIT_USERS = params.declare(
    "authorized_submit_users", LIST, "static:anyone", "The local users who may hand in mail with sendmail."
)
FAST_FLUSH_DOMAINS = params.declare(
    "fast_flush_domains", LIST, "$relay_domains", "The destinations that may be flushed by name."
)
