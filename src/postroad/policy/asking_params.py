"""Parameters of restrictions that ask somebody else; joined to the room's own in ``params``."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, STRING, TIME, TIME_DAYS, TIME_HOURS, choice
from postroad.base.params import Group

#: Handed over to the room's group by ``params``.
group = Group("policy")

_ACTION = choice("defer_if_permit", "defer")

# --- policy servers
POLICY_SERVICE_TIMEOUT = group.declare(
    "smtpd_policy_service_timeout",
    TIME,
    "100s",
    "How long connecting to a policy server may take, and how long its answer.",
    low=1,
)
POLICY_SERVICE_MAX_IDLE = group.declare(
    "smtpd_policy_service_max_idle",
    TIME,
    "300s",
    "How long a connection to a policy server is kept without a question.",
    low=1,
)
POLICY_SERVICE_MAX_TTL = group.declare(
    "smtpd_policy_service_max_ttl",
    TIME,
    "1000s",
    "How old a connection to a policy server may become.",
    low=1,
)
POLICY_SERVICE_REQUEST_LIMIT = group.declare(
    "smtpd_policy_service_request_limit",
    INT,
    "0",
    "How many questions a connection to a policy server carries; 0 for any number.",
    low=0,
)
POLICY_SERVICE_TRY_LIMIT = group.declare(
    "smtpd_policy_service_try_limit", INT, "2", "How often a question to a policy server is tried.", low=1
)
POLICY_SERVICE_RETRY_DELAY = group.declare(
    "smtpd_policy_service_retry_delay",
    TIME,
    "1s",
    "How long to wait before a question to a policy server is tried again.",
    low=1,
)
POLICY_SERVICE_DEFAULT_ACTION = group.declare(
    "smtpd_policy_service_default_action",
    STRING,
    "451 4.3.5 Server configuration problem",
    "The action in place of a policy server's that gives none; as in an access table.",
)
POLICY_SERVICE_POLICY_CONTEXT = group.declare(
    "smtpd_policy_service_policy_context",
    STRING,
    "",
    "What a policy server is told as policy_context, so that one server can serve several lists.",
)

# --- addresses that are verified by a probe
VERIFY_MAP = group.declare(
    "address_verify_map",
    STRING,
    "btree:$data_directory/verify_cache",
    "Where the results of probes are kept; the type is passed over, the file gets the ending .sqlite. "
    "Empty: in memory, in each worker, until the next reload.",
)
VERIFY_SENDER = group.declare(
    "address_verify_sender",
    STRING,
    "$double_bounce_sender",
    "The sender of probes; empty or <> for the null sender.",
)
VERIFY_SENDER_TTL = group.declare(
    "address_verify_sender_ttl",
    TIME,
    "0s",
    "How long the sender of probes stays the same; 0 for ever.",
    low=0,
)
VERIFY_POLL_COUNT = group.declare(
    "address_verify_poll_count",
    INT,
    "${stress?{1}:{3}}",
    "How often to look for the result of a probe before the client hears to come again.",
    low=1,
)
VERIFY_POLL_DELAY = group.declare(
    "address_verify_poll_delay", TIME, "3s", "How long to wait between two looks for a result.", low=1
)
VERIFY_POSITIVE_EXPIRE = group.declare(
    "address_verify_positive_expire_time", TIME_DAYS, "31d", "How long a good address is one.", low=1
)
VERIFY_POSITIVE_REFRESH = group.declare(
    "address_verify_positive_refresh_time",
    TIME_DAYS,
    "7d",
    "When a good address is probed again; a failure then changes nothing.",
    low=1,
)
VERIFY_NEGATIVE_CACHE = group.declare(
    "address_verify_negative_cache", BOOL, "yes", "Keep the results of probes that failed."
)
VERIFY_NEGATIVE_EXPIRE = group.declare(
    "address_verify_negative_expire_time", TIME_DAYS, "3d", "How long a failed address is one.", low=1
)
VERIFY_NEGATIVE_REFRESH = group.declare(
    "address_verify_negative_refresh_time",
    TIME_HOURS,
    "3h",
    "When a failed address is probed again.",
    low=1,
)
VERIFY_CLEANUP_INTERVAL = group.declare(
    "address_verify_cache_cleanup_interval",
    TIME_HOURS,
    "12h",
    "How often old results are removed; 0 for never.",
    low=0,
)
VERIFY_PENDING_LIMIT = group.declare(
    "address_verify_pending_request_limit",
    INT,
    "5000",
    "How many probes may be under way, in each worker; a quarter of Postfix's default active limit.",
    low=1,
)
UNVERIFIED_RECIPIENT_DEFER_CODE = group.declare(
    "unverified_recipient_defer_code",
    INT,
    "450",
    "The reply code while a recipient could not be verified; 250 lets it pass.",
    low=200,
    high=599,
)
UNVERIFIED_RECIPIENT_REJECT_CODE = group.declare(
    "unverified_recipient_reject_code",
    INT,
    "450",
    "The reply code of reject_unverified_recipient for a recipient that would bounce.",
    low=200,
    high=599,
)
UNVERIFIED_RECIPIENT_REJECT_REASON = group.declare(
    "unverified_recipient_reject_reason",
    STRING,
    "",
    "What clients are told instead of what the probe found.",
)
UNVERIFIED_RECIPIENT_TEMPFAIL_ACTION = group.declare(
    "unverified_recipient_tempfail_action",
    _ACTION,
    "$reject_tempfail_action",
    "What reject_unverified_recipient does while it does not know.",
)
UNVERIFIED_SENDER_DEFER_CODE = group.declare(
    "unverified_sender_defer_code",
    INT,
    "450",
    "The reply code while a sender could not be verified; 250 lets it pass.",
    low=200,
    high=599,
)
UNVERIFIED_SENDER_REJECT_CODE = group.declare(
    "unverified_sender_reject_code",
    INT,
    "450",
    "The reply code of reject_unverified_sender for a sender whose bounces would bounce.",
    low=200,
    high=599,
)
UNVERIFIED_SENDER_REJECT_REASON = group.declare(
    "unverified_sender_reject_reason",
    STRING,
    "",
    "What clients are told instead of what the probe found.",
)
UNVERIFIED_SENDER_TEMPFAIL_ACTION = group.declare(
    "unverified_sender_tempfail_action",
    _ACTION,
    "$reject_tempfail_action",
    "What reject_unverified_sender does while it does not know.",
)

# --- greylisting
GREYLIST_DELAY = group.declare(
    "greylist_delay",
    TIME,
    "300s",
    "How long greylist keeps away a client network, sender and recipient that it has not seen together.",
    low=1,
    own=True,
)
GREYLIST_WINDOW = group.declare(
    "greylist_window",
    TIME_DAYS,
    "2d",
    "How long greylist waits for somebody to come again; who comes later begins anew.",
    low=1,
    own=True,
)
GREYLIST_EXPIRE = group.declare(
    "greylist_expire",
    TIME_DAYS,
    "35d",
    "How long greylist remembers those who came again, counted from their last mail.",
    low=1,
    own=True,
)
GREYLIST_AUTO_ALLOW = group.declare(
    "greylist_auto_allow",
    INT,
    "5",
    "How often a network must have come again before greylist lets all its mail pass; 0 for never.",
    low=0,
    own=True,
)
GREYLIST_LIMIT = group.declare(
    "greylist_limit",
    INT,
    "1000000",
    "How many triples greylist remembers, about; the oldest of those who did not come again go first.",
    low=1000,
    own=True,
)

# --- functions in Python
PYTHON_HOOK_TIMEOUT = group.declare(
    "python_hook_timeout",
    TIME,
    "10s",
    "How long a function of check_python may take; the client then hears 451.",
    low=1,
    own=True,
)
