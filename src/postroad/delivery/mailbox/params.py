"""Parameters that only this room obeys: mailboxes, their owners and locks, and aliases."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST, STRING, TIME
from postroad.base.params import Group

params = Group("delivery.mailbox")

# --- virtual(8)
VIRTUAL_MAILBOX_BASE = params.declare(
    "virtual_mailbox_base",
    STRING,
    "",
    "The directory that every virtual mailbox is below; nothing is written outside.",
)
VIRTUAL_UID_MAPS = params.declare(
    "virtual_uid_maps", LIST, "", "Tables of the user ID that owns a recipient's virtual mailbox."
)
VIRTUAL_GID_MAPS = params.declare(
    "virtual_gid_maps", LIST, "", "Tables of the group ID that owns a recipient's virtual mailbox."
)
VIRTUAL_MINIMUM_UID = params.declare(
    "virtual_minimum_uid",
    INT,
    "100",
    "The lowest user ID that virtual_uid_maps may give; mail for a lower one is deferred.",
    low=1,
)
VIRTUAL_MAILBOX_LIMIT = params.declare(
    "virtual_mailbox_limit",
    INT,
    "51200000",
    "The largest virtual mailbox file or Maildir message in bytes; 0 for no limit.",
    low=0,
)
VIRTUAL_MAILBOX_LOCK = params.declare(
    "virtual_mailbox_lock",
    LIST,
    "fcntl, dotlock",
    "How a virtual mailbox file is locked: fcntl, flock, dotlock; a Maildir needs no lock.",
)
STRICT_MAILBOX_OWNERSHIP = params.declare(
    "strict_mailbox_ownership",
    BOOL,
    "yes",
    "Defer mail for a mailbox file that its recipient does not own.",
)
DELIVER_LOCK_ATTEMPTS = params.declare(
    "deliver_lock_attempts", INT, "20", "How often a lock on a mailbox file is tried.", low=1
)
DELIVER_LOCK_DELAY = params.declare(
    "deliver_lock_delay", TIME, "1s", "The time between two attempts to lock a mailbox file.", low=1
)
STALE_LOCK_TIME = params.declare(
    "stale_lock_time", TIME, "500s", "The age at which a lock file beside a mailbox is removed.", low=1
)

# --- local(8): aliases
EXPAND_OWNER_ALIAS = params.declare(
    "expand_owner_alias",
    BOOL,
    "no",
    "Send list mail as the address that owner-NAME stands for, not as owner-NAME itself.",
)
PREPEND_DELIVERED_HEADER = params.declare(
    "prepend_delivered_header",
    LIST,
    "command, file, forward",
    "Where local delivery puts a Delivered-To field in front; without it loops of forwards are not seen.",
)
