"""Parameters that only this room obeys: postscreen(8)'s tests, and what becomes of those who fail them."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST, RAW, STRING, TIME, TIME_DAYS, TIME_HOURS, choice
from postroad.base.params import Group, Param

params = Group("listener")

_ACTION = choice("ignore", "enforce", "drop", "continue")  # the last is an old name of the first


def _action(name: str, default: str, doc: str) -> Param[str]:
    tail = " ignore: log it; enforce: refuse all mail with 550; drop: hang up with 521."
    return params.declare(name, _ACTION, default, doc + tail)


# --- who is tested
ACCESS_LIST = params.declare(
    "postscreen_access_list",
    LIST,
    "permit_mynetworks",
    "Clients that are let through (permit) or fail (reject) without a test: permit_mynetworks, and tables of"
    " addresses with permit, reject or dunno.",
)
DENYLIST_ACTION = _action(
    "postscreen_denylist_action",
    "${postscreen_blacklist_action?{$postscreen_blacklist_action}:{ignore}}",
    "What is done with a client that postscreen_access_list rejects.",
)
ALLOWLIST_INTERFACES = params.declare(
    "postscreen_allowlist_interfaces",
    LIST,
    "${postscreen_whitelist_interfaces?{$postscreen_whitelist_interfaces}:{static:all}}",
    "The own addresses at which a client can pass the tests; at others it is tested and gets no further.",
)
RESPECTFUL_LOGGING = params.declare(
    "respectful_logging",
    BOOL,
    "${{$compatibility_level} <level {3.6} ? {no} : {yes}}",
    "Log ALLOWLISTED and DENYLISTED in place of the older words.",
)
SMTPD_SERVICE = params.declare(
    "smtpd_service_name", STRING, "smtpd", "The pass service of master.cf that gets the clients that passed."
)

for _old, _new in (
    ("postscreen_blacklist_action", "postscreen_denylist_action"),
    ("postscreen_whitelist_interfaces", "postscreen_allowlist_interfaces"),
    ("postscreen_dnsbl_whitelist_threshold", "postscreen_dnsbl_allowlist_threshold"),
    ("postscreen_dnsbl_ttl", "postscreen_dnsbl_max_ttl"),
):
    params.declare(_old, STRING, "", f"The old name of {_new}, which overrides it.")

# --- before the greeting
GREET_WAIT = params.declare(
    "postscreen_greet_wait",
    TIME,
    "${stress?{2}:{6}}s",
    "How long a new client waits for the greeting: whoever speaks before it fails the test.",
    low=1,
)
GREET_BANNER = params.declare(
    "postscreen_greet_banner",
    STRING,
    "$smtpd_banner",
    "The first line of a greeting of two, sent before the wait; empty turns the test off.",
)
GREET_ACTION = _action(
    "postscreen_greet_action", "ignore", "What is done with a client that speaks too early."
)
GREET_TTL = params.declare(
    "postscreen_greet_ttl", TIME_DAYS, "1d", "How long a client that has waited need not wait again.", low=1
)
DNSBL_SITES = params.declare(
    "postscreen_dnsbl_sites",
    LIST,
    "",
    "Lists in the DNS that are asked for the client: domain=pattern*weight; a negative weight speaks for it.",
)
DNSBL_THRESHOLD = params.declare(
    "postscreen_dnsbl_threshold", INT, "1", "The sum of weights with which a client fails.", low=1
)
DNSBL_ALLOW_THRESHOLD = params.declare(
    "postscreen_dnsbl_allowlist_threshold",
    INT,
    "${postscreen_dnsbl_whitelist_threshold?{$postscreen_dnsbl_whitelist_threshold}:{0}}",
    "The sum of weights, below zero, with which a client is let off all other tests; 0 for none.",
)
DNSBL_ACTION = _action(
    "postscreen_dnsbl_action", "ignore", "What is done with a client that the lists speak against."
)
DNSBL_REPLY_MAP = params.declare(
    "postscreen_dnsbl_reply_map",
    STRING,
    "",
    "A table with the name to tell a client in place of a list's own.",
)
DNSBL_MIN_TTL = params.declare(
    "postscreen_dnsbl_min_ttl", TIME, "60s", "How long the lists' verdict counts, at least.", low=1
)
DNSBL_MAX_TTL = params.declare(
    "postscreen_dnsbl_max_ttl",
    TIME_HOURS,
    "${postscreen_dnsbl_ttl?{$postscreen_dnsbl_ttl}:{1}}h",
    "How long the lists' verdict counts, at most; between the two it is what the DNS says.",
    low=1,
)
DNSBL_TIMEOUT = params.declare(
    "postscreen_dnsbl_timeout", TIME, "10s", "How long a list is waited for; then it has no say.", low=1
)

# --- after the greeting
PIPELINING_ENABLE = params.declare(
    "postscreen_pipelining_enable", BOOL, "no", "Test whether a client waits for the answer to each command."
)
PIPELINING_ACTION = _action(
    "postscreen_pipelining_action", "enforce", "What is done with a client that does not wait for answers."
)
PIPELINING_TTL = params.declare(
    "postscreen_pipelining_ttl", TIME_DAYS, "30d", "How long that a client waits for answers counts.", low=1
)
NON_SMTP_ENABLE = params.declare(
    "postscreen_non_smtp_command_enable", BOOL, "no", "Test whether a client speaks another protocol."
)
NON_SMTP_ACTION = _action(
    "postscreen_non_smtp_command_action", "drop", "What is done with a client that speaks another protocol."
)
NON_SMTP_TTL = params.declare(
    "postscreen_non_smtp_command_ttl", TIME_DAYS, "30d", "How long that a client speaks SMTP counts.", low=1
)
BARE_NEWLINE_ENABLE = params.declare(
    "postscreen_bare_newline_enable", BOOL, "no", "Test whether a client ends lines with a line feed alone."
)
BARE_NEWLINE_ACTION = _action(
    "postscreen_bare_newline_action", "ignore", "What is done with a client whose lines end so."
)
BARE_NEWLINE_TTL = params.declare(
    "postscreen_bare_newline_ttl",
    TIME_DAYS,
    "30d",
    "How long that a client ends its lines well counts.",
    low=1,
)
FORBIDDEN_COMMANDS = params.declare(
    "postscreen_forbidden_commands", LIST, "$smtpd_forbidden_commands", "Commands of other protocols."
)
HELO_REQUIRED = params.declare(
    "postscreen_helo_required", BOOL, "$smtpd_helo_required", "Demand HELO or EHLO before MAIL."
)
DISABLE_VRFY = params.declare(
    "postscreen_disable_vrfy_command", BOOL, "$disable_vrfy_command", "Refuse VRFY while a client is tested."
)
DISCARD_EHLO = params.declare(
    "postscreen_discard_ehlo_keywords",
    LIST,
    "$smtpd_discard_ehlo_keywords",
    "Keywords that a client under test is not told.",
)
DISCARD_EHLO_MAPS = params.declare(
    "postscreen_discard_ehlo_keyword_address_maps",
    LIST,
    "$smtpd_discard_ehlo_keyword_address_maps",
    "Tables of client addresses with such keywords, in place of the list for all.",
)
TLS_LEVEL = params.declare(
    "postscreen_tls_security_level",
    choice("", "none", "may", "encrypt", "fingerprint", "verify", "secure"),
    "$smtpd_tls_security_level",
    "Whether a client under test is offered TLS (may) or has to use it (encrypt).",
)
USE_TLS = params.declare(
    "postscreen_use_tls", BOOL, "$smtpd_use_tls", "The old way to say postscreen_tls_security_level = may."
)
ENFORCE_TLS = params.declare(
    "postscreen_enforce_tls",
    BOOL,
    "$smtpd_enforce_tls",
    "The old way to say postscreen_tls_security_level = encrypt.",
)
REJECT_FOOTER = params.declare(
    "postscreen_reject_footer",
    RAW,
    "$smtpd_reject_footer",
    "Text behind each 4xx and 5xx reply to a client under test; see smtpd_reject_footer.",
)
REJECT_FOOTER_MAPS = params.declare(
    "postscreen_reject_footer_maps",
    LIST,
    "$smtpd_reject_footer_maps",
    "Tables that are asked for each 4xx and 5xx reply to a client under test, whole; the answer is used in"
    " place of postscreen_reject_footer.",
)
EXPANSION_FILTER = params.declare(
    "postscreen_expansion_filter",
    RAW,
    "$smtpd_expansion_filter",
    "The characters that names in postscreen's footers may bring in; others become _.",
)
COMMAND_FILTER = params.declare(
    "postscreen_command_filter",
    STRING,
    "",
    "A table, regexp: or pcre: most often, that is asked for each command line of a client under test; its"
    " answer is carried out in place of the command.",
)

# --- limits
CONNECTION_COUNT = params.declare(
    "postscreen_client_connection_count_limit",
    INT,
    "$smtpd_client_connection_count_limit",
    "The most connections under test of one client address; 0 for no limit.",
    low=0,
)
PRE_QUEUE_LIMIT = params.declare(
    "postscreen_pre_queue_limit",
    INT,
    "$default_process_limit",
    "The most clients under test at one time, in all workers; further ones get 421.  From nine tenths of it"
    " until there are no more than seven tenths, postscreen_greet_wait and postscreen_command_time_limit are"
    " those of stress=yes.",
    low=1,
)
POST_QUEUE_LIMIT = params.declare(
    "postscreen_post_queue_limit",
    INT,
    "$default_process_limit",
    "The most clients that have passed and wait for a session, in all workers; when there are so many, all"
    " get 421.",
    low=1,
)
COMMAND_COUNT = params.declare(
    "postscreen_command_count_limit",
    INT,
    "20",
    "The commands of a client under test; then it gets 421.",
    low=1,
)
COMMAND_TIME = params.declare(
    "postscreen_command_time_limit",
    TIME,
    "${stress?{10}:{300}}s",
    "How long a client under test may take for a command.",
    low=1,
)

# --- a proxy in front
PROXY_PROTOCOL = params.declare(
    "postscreen_upstream_proxy_protocol",
    choice("", "haproxy"),
    "",
    "haproxy: a proxy in front says who the client is, in the PROXY protocol, version 1 or 2.",
)
PROXY_TIMEOUT = params.declare(
    "postscreen_upstream_proxy_timeout", TIME, "5s", "How long the proxy may take to say it.", low=1
)

# --- what is remembered
CACHE_MAP = params.declare(
    "postscreen_cache_map",
    STRING,
    "btree:$data_directory/postscreen_cache",
    "Where it is kept which clients have passed; the type is passed over, the file gets the ending .sqlite."
    "  Empty: nothing is remembered.",
)
CACHE_CLEANUP = params.declare(
    "postscreen_cache_cleanup_interval",
    TIME_HOURS,
    "12h",
    "How often clients are forgotten; 0: never.",
    low=0,
)
CACHE_RETENTION = params.declare(
    "postscreen_cache_retention_time",
    TIME_DAYS,
    "7d",
    "How long a client whose tests no longer count is remembered as one that is not new.",
    low=1,
)
