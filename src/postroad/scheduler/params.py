"""Parameters of the scheduler: qmgr(8)'s."""

from __future__ import annotations

from postroad.base.kinds import INT, LIST, STRING, TIME
from postroad.base.params import Group

params = Group("scheduler")

ACTIVE_LIMIT = params.declare(
    "qmgr_message_active_limit",
    INT,
    "20000",
    "The most messages that are being delivered at one time.",
    low=1,
)
DEFER_TRANSPORTS = params.declare(
    "defer_transports", LIST, "", "Transports that deliver nothing now; their mail waits in the queue."
)
DEFAULT_FILTER_NEXTHOP = params.declare(
    "default_filter_nexthop",
    STRING,
    "",
    "The next hop of FILTER transport: without one; empty for each recipient's domain.",
)
DEFAULT_CONCURRENCY = params.declare(
    "default_destination_concurrency_limit",
    INT,
    "20",
    "The most deliveries at one time to one destination.",
    low=0,
)
DEFAULT_INITIAL = params.declare(
    "initial_destination_concurrency",
    INT,
    "5",
    "The deliveries at one time that a destination begins with.",
    low=1,
)
DEFAULT_POSITIVE = params.declare(
    "default_destination_concurrency_positive_feedback",
    STRING,
    "1",
    "How much a success widens the window: a number, 1/concurrency or 1/sqrt_concurrency.",
)
DEFAULT_NEGATIVE = params.declare(
    "default_destination_concurrency_negative_feedback",
    STRING,
    "1",
    "How much a failure narrows the window: a number, 1/concurrency or 1/sqrt_concurrency.",
)
DEFAULT_COHORTS = params.declare(
    "default_destination_concurrency_failed_cohort_limit",
    INT,
    "1",
    "How many pseudo-cohorts must fail before a destination is considered dead; 0 never.",
    low=0,
)
DEFAULT_RECIPIENTS = params.declare(
    "default_destination_recipient_limit", INT, "50", "The most recipients in one delivery.", low=0
)
DEFAULT_RATE_DELAY = params.declare(
    "default_destination_rate_delay", TIME, "0s", "The time between two deliveries to one destination.", low=0
)

CONCURRENCY = params.declare_family(
    "_destination_concurrency_limit",
    INT,
    "$default_destination_concurrency_limit",
    "The most deliveries at one time to one destination of this transport; 0 for no limit.",
    low=0,
)
INITIAL = params.declare_family(
    "_initial_destination_concurrency",
    INT,
    "$initial_destination_concurrency",
    "The deliveries at one time that a destination of this transport begins with.",
    low=1,
)
POSITIVE = params.declare_family(
    "_destination_concurrency_positive_feedback",
    STRING,
    "$default_destination_concurrency_positive_feedback",
    "How much a success widens the window of a destination of this transport.",
)
NEGATIVE = params.declare_family(
    "_destination_concurrency_negative_feedback",
    STRING,
    "$default_destination_concurrency_negative_feedback",
    "How much a failure narrows the window of a destination of this transport.",
)
COHORTS = params.declare_family(
    "_destination_concurrency_failed_cohort_limit",
    INT,
    "$default_destination_concurrency_failed_cohort_limit",
    "How many pseudo-cohorts must fail before a destination of this transport is considered dead.",
    low=0,
)
RECIPIENTS = params.declare_family(
    "_destination_recipient_limit",
    INT,
    "$default_destination_recipient_limit",
    "The most recipients in one delivery by this transport; 0 for no limit.",
    low=0,
)
RATE_DELAY = params.declare_family(
    "_destination_rate_delay",
    TIME,
    "$default_destination_rate_delay",
    "The time between two deliveries to one destination of this transport.",
    low=0,
)
# Postfix gives local(8) and virtual(8) values of their own: one message, one recipient, one user.
LOCAL_CONCURRENCY = params.declare(
    "local_destination_concurrency_limit",
    INT,
    "2",
    "The most local deliveries at one time to one user.",
    low=0,
)
LOCAL_RECIPIENTS = params.declare(
    "local_destination_recipient_limit", INT, "1", "The most recipients in one local delivery.", low=0
)
VIRTUAL_RECIPIENTS = params.declare(
    "virtual_destination_recipient_limit",
    INT,
    "1",
    "The most recipients in one delivery to virtual mailboxes.",
    low=0,
)
