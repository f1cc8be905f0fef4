"""Parameters that only this room obeys: the restriction lists and the codes of their replies."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST, RAW, STRING, TIME, TIME_DAYS, TIME_HOURS, choice
from postroad.base.params import Group

params = Group("policy")

#: Postfix's smtpd_relay_restrictions since compatibility_level 1.
RELAY_DEFAULT = "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"

# --- restriction lists
CLIENT_RESTRICTIONS = params.declare(
    "smtpd_client_restrictions", LIST, "", "What is asked about a client that connects."
)
HELO_RESTRICTIONS = params.declare(
    "smtpd_helo_restrictions", LIST, "", "What is asked about the name that a client gives in HELO or EHLO."
)
SENDER_RESTRICTIONS = params.declare(
    "smtpd_sender_restrictions", LIST, "", "What is asked about the address in MAIL FROM."
)
RELAY_RESTRICTIONS = params.declare(
    "smtpd_relay_restrictions",
    LIST,
    "${{$compatibility_level} <level {1} ? {} : {" + RELAY_DEFAULT + "}}",
    "Who may send where: the guard against being an open relay, asked for each RCPT TO.",
)
RECIPIENT_RESTRICTIONS = params.declare(
    "smtpd_recipient_restrictions", LIST, "", "What is asked about each RCPT TO besides relaying."
)
DATA_RESTRICTIONS = params.declare(
    "smtpd_data_restrictions", LIST, "", "What is asked before the content of a message is taken."
)
END_OF_DATA_RESTRICTIONS = params.declare(
    "smtpd_end_of_data_restrictions", LIST, "", "What is asked once the content of a message has arrived."
)
ETRN_RESTRICTIONS = params.declare(
    "smtpd_etrn_restrictions", LIST, "", "What is asked about a client that sends ETRN."
)
RESTRICTION_CLASSES = params.declare(
    "smtpd_restriction_classes",
    LIST,
    "",
    "The names of restriction lists of your own; each is a parameter of that name.",
)

# --- when they are asked
DELAY_REJECT = params.declare(
    "smtpd_delay_reject",
    BOOL,
    "yes",
    "Wait until RCPT TO (or ETRN) before the client, HELO and sender restrictions are asked.",
)
RELAY_BEFORE_RECIPIENT = params.declare(
    "smtpd_relay_before_recipient_restrictions",
    BOOL,
    "${{$compatibility_level} <level {3.6} ? {no} : {yes}}",
    "Ask smtpd_relay_restrictions before smtpd_recipient_restrictions.",
)
REJECT_UNLISTED_RECIPIENT = params.declare(
    "smtpd_reject_unlisted_recipient",
    BOOL,
    "yes",
    "Refuse unknown recipients of our domains even where no restriction says so.",
)
REJECT_UNLISTED_SENDER = params.declare(
    "smtpd_reject_unlisted_sender",
    BOOL,
    "no",
    "Refuse unknown senders of our domains even where no restriction says so.",
)
ALLOW_UNTRUSTED_ROUTING = params.declare(
    "allow_untrusted_routing",
    BOOL,
    "no",
    "Take addresses with routing in them (user%other@here) from strangers; opens a relay through others.",
)

# --- who may use which sender address
SENDER_LOGIN_MAPS = params.declare(
    "smtpd_sender_login_maps",
    LIST,
    "",
    "Tables of the logins that own a sender address, for reject_sender_login_mismatch and the like.",
)

# --- access tables
NULL_ACCESS_LOOKUP_KEY = params.declare(
    "smtpd_null_access_lookup_key",
    STRING,
    "<>",
    "What the null sender is looked up as in the tables of check_sender_access.",
)
ACCESS_MAP_REJECT_CODE = params.declare(
    "access_map_reject_code", INT, "554", "The reply code of REJECT in an access table."
)
ACCESS_MAP_DEFER_CODE = params.declare(
    "access_map_defer_code", INT, "450", "The reply code of DEFER and DEFER_IF_... in an access table."
)

# --- when the DNS cannot be asked
_ACTION = choice("defer_if_permit", "defer")
REJECT_TEMPFAIL_ACTION = params.declare(
    "reject_tempfail_action",
    _ACTION,
    "defer_if_permit",
    "What a reject_unknown_... restriction does when it could not look; see the three below.",
)
UNKNOWN_HELO_TEMPFAIL_ACTION = params.declare(
    "unknown_helo_hostname_tempfail_action",
    _ACTION,
    "$reject_tempfail_action",
    "What reject_unknown_helo_hostname does when it could not look.",
)
UNKNOWN_ADDRESS_TEMPFAIL_ACTION = params.declare(
    "unknown_address_tempfail_action",
    _ACTION,
    "$reject_tempfail_action",
    "What reject_unknown_sender_domain and reject_unknown_recipient_domain do when they could not look.",
)

# --- lists in the DNS
DEFAULT_RBL_REPLY = params.declare(
    "default_rbl_reply",
    RAW,
    "$rbl_code Service unavailable; $rbl_class [$rbl_what] blocked using $rbl_domain"
    "${rbl_reason?; $rbl_reason}",
    "The reply to what a list in the DNS names; $rbl_code, $client and the like are filled in.",
)
RBL_REPLY_MAPS = params.declare(
    "rbl_reply_maps", LIST, "", "Tables with a reply for each list in the DNS, instead of default_rbl_reply."
)
MAPS_RBL_DOMAINS = params.declare(
    "maps_rbl_domains", LIST, "", "The lists in the DNS that reject_maps_rbl asks."
)
EXPANSION_FILTER = params.declare(
    "smtpd_expansion_filter",
    RAW,
    "\\t\\40!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`"
    "abcdefghijklmnopqrstuvwxyz{|}~",
    "The characters that a client's words may bring into a reply of default_rbl_reply; others become _.",
)

# --- policy servers
POLICY_SERVICE_TIMEOUT = params.declare(
    "smtpd_policy_service_timeout",
    TIME,
    "100s",
    "How long connecting to a policy server may take, and how long its answer.",
    low=1,
)
POLICY_SERVICE_MAX_IDLE = params.declare(
    "smtpd_policy_service_max_idle",
    TIME,
    "300s",
    "How long a connection to a policy server is kept without a question.",
    low=1,
)
POLICY_SERVICE_MAX_TTL = params.declare(
    "smtpd_policy_service_max_ttl",
    TIME,
    "1000s",
    "How old a connection to a policy server may become.",
    low=1,
)
POLICY_SERVICE_REQUEST_LIMIT = params.declare(
    "smtpd_policy_service_request_limit",
    INT,
    "0",
    "How many questions a connection to a policy server carries; 0 for any number.",
    low=0,
)
POLICY_SERVICE_TRY_LIMIT = params.declare(
    "smtpd_policy_service_try_limit", INT, "2", "How often a question to a policy server is tried.", low=1
)
POLICY_SERVICE_RETRY_DELAY = params.declare(
    "smtpd_policy_service_retry_delay",
    TIME,
    "1s",
    "How long to wait before a question to a policy server is tried again.",
    low=1,
)
POLICY_SERVICE_DEFAULT_ACTION = params.declare(
    "smtpd_policy_service_default_action",
    STRING,
    "451 4.3.5 Server configuration problem",
    "The action in place of a policy server's that gives none; as in an access table.",
)
POLICY_SERVICE_POLICY_CONTEXT = params.declare(
    "smtpd_policy_service_policy_context",
    STRING,
    "",
    "What a policy server is told as policy_context, so that one server can serve several lists.",
)

# --- addresses that are verified by a probe
VERIFY_MAP = params.declare(
    "address_verify_map",
    STRING,
    "btree:$data_directory/verify_cache",
    "Where the results of probes are kept; the type is passed over, the file gets the ending .sqlite. "
    "Empty: in memory, in each worker, until the next reload.",
)
VERIFY_SENDER = params.declare(
    "address_verify_sender",
    STRING,
    "$double_bounce_sender",
    "The sender of probes; empty or <> for the null sender.",
)
VERIFY_SENDER_TTL = params.declare(
    "address_verify_sender_ttl",
    TIME,
    "0s",
    "How long the sender of probes stays the same; 0 for ever.",
    low=0,
)
VERIFY_POLL_COUNT = params.declare(
    "address_verify_poll_count",
    INT,
    "${stress?{1}:{3}}",
    "How often to look for the result of a probe before the client hears to come again.",
    low=1,
)
VERIFY_POLL_DELAY = params.declare(
    "address_verify_poll_delay", TIME, "3s", "How long to wait between two looks for a result.", low=1
)
VERIFY_POSITIVE_EXPIRE = params.declare(
    "address_verify_positive_expire_time", TIME_DAYS, "31d", "How long a good address is one.", low=1
)
VERIFY_POSITIVE_REFRESH = params.declare(
    "address_verify_positive_refresh_time",
    TIME_DAYS,
    "7d",
    "When a good address is probed again; a failure then changes nothing.",
    low=1,
)
VERIFY_NEGATIVE_CACHE = params.declare(
    "address_verify_negative_cache", BOOL, "yes", "Keep the results of probes that failed."
)
VERIFY_NEGATIVE_EXPIRE = params.declare(
    "address_verify_negative_expire_time", TIME_DAYS, "3d", "How long a failed address is one.", low=1
)
VERIFY_NEGATIVE_REFRESH = params.declare(
    "address_verify_negative_refresh_time",
    TIME_HOURS,
    "3h",
    "When a failed address is probed again.",
    low=1,
)
VERIFY_CLEANUP_INTERVAL = params.declare(
    "address_verify_cache_cleanup_interval",
    TIME_HOURS,
    "12h",
    "How often old results are removed; 0 for never.",
    low=0,
)
VERIFY_PENDING_LIMIT = params.declare(
    "address_verify_pending_request_limit",
    INT,
    "5000",
    "How many probes may be under way, in each worker; a quarter of Postfix's default active limit.",
    low=1,
)
UNVERIFIED_RECIPIENT_DEFER_CODE = params.declare(
    "unverified_recipient_defer_code",
    INT,
    "450",
    "The reply code while a recipient could not be verified; 250 lets it pass.",
    low=200,
    high=599,
)
UNVERIFIED_RECIPIENT_REJECT_CODE = params.declare(
    "unverified_recipient_reject_code",
    INT,
    "450",
    "The reply code of reject_unverified_recipient for a recipient that would bounce.",
    low=200,
    high=599,
)
UNVERIFIED_RECIPIENT_REJECT_REASON = params.declare(
    "unverified_recipient_reject_reason",
    STRING,
    "",
    "What clients are told instead of what the probe found.",
)
UNVERIFIED_RECIPIENT_TEMPFAIL_ACTION = params.declare(
    "unverified_recipient_tempfail_action",
    _ACTION,
    "$reject_tempfail_action",
    "What reject_unverified_recipient does while it does not know.",
)
UNVERIFIED_SENDER_DEFER_CODE = params.declare(
    "unverified_sender_defer_code",
    INT,
    "450",
    "The reply code while a sender could not be verified; 250 lets it pass.",
    low=200,
    high=599,
)
UNVERIFIED_SENDER_REJECT_CODE = params.declare(
    "unverified_sender_reject_code",
    INT,
    "450",
    "The reply code of reject_unverified_sender for a sender whose bounces would bounce.",
    low=200,
    high=599,
)
UNVERIFIED_SENDER_REJECT_REASON = params.declare(
    "unverified_sender_reject_reason",
    STRING,
    "",
    "What clients are told instead of what the probe found.",
)
UNVERIFIED_SENDER_TEMPFAIL_ACTION = params.declare(
    "unverified_sender_tempfail_action",
    _ACTION,
    "$reject_tempfail_action",
    "What reject_unverified_sender does while it does not know.",
)

# --- greylisting
GREYLIST_DELAY = params.declare(
    "greylist_delay",
    TIME,
    "300s",
    "How long greylist keeps away a client network, sender and recipient that it has not seen together.",
    low=1,
    own=True,
)
GREYLIST_WINDOW = params.declare(
    "greylist_window",
    TIME_DAYS,
    "2d",
    "How long greylist waits for somebody to come again; who comes later begins anew.",
    low=1,
    own=True,
)
GREYLIST_EXPIRE = params.declare(
    "greylist_expire",
    TIME_DAYS,
    "35d",
    "How long greylist remembers those who came again, counted from their last mail.",
    low=1,
    own=True,
)
GREYLIST_AUTO_ALLOW = params.declare(
    "greylist_auto_allow",
    INT,
    "5",
    "How often a network must have come again before greylist lets all its mail pass; 0 for never.",
    low=0,
    own=True,
)
GREYLIST_LIMIT = params.declare(
    "greylist_limit",
    INT,
    "1000000",
    "How many triples greylist remembers, about; the oldest of those who did not come again go first.",
    low=1000,
    own=True,
)

# --- functions in Python
PYTHON_HOOK_TIMEOUT = params.declare(
    "python_hook_timeout",
    TIME,
    "10s",
    "How long a function of check_python may take; the client then hears 451.",
    low=1,
    own=True,
)

# --- the codes of replies
REJECT_CODE = params.declare("reject_code", INT, "554", "The reply code of reject.")
DEFER_CODE = params.declare("defer_code", INT, "450", "The reply code of defer.")
RELAY_DOMAINS_REJECT_CODE = params.declare(
    "relay_domains_reject_code",
    INT,
    "554",
    "The reply code of reject_unauth_destination; defer_unauth_destination uses this minus 100.",
)
UNKNOWN_CLIENT_REJECT_CODE = params.declare(
    "unknown_client_reject_code",
    INT,
    "450",
    "The reply code to a client that has no host name; 450 while the DNS cannot be asked.",
)
PLAINTEXT_REJECT_CODE = params.declare(
    "plaintext_reject_code", INT, "450", "The reply code of reject_plaintext_session."
)
MULTI_RECIPIENT_BOUNCE_REJECT_CODE = params.declare(
    "multi_recipient_bounce_reject_code", INT, "550", "The reply code of reject_multi_recipient_bounce."
)
INVALID_HOSTNAME_REJECT_CODE = params.declare(
    "invalid_hostname_reject_code", INT, "501", "The reply code of reject_invalid_helo_hostname."
)
NON_FQDN_REJECT_CODE = params.declare(
    "non_fqdn_reject_code", INT, "504", "The reply code of the reject_non_fqdn_... restrictions."
)
UNKNOWN_HOSTNAME_REJECT_CODE = params.declare(
    "unknown_hostname_reject_code", INT, "450", "The reply code of reject_unknown_helo_hostname."
)
UNKNOWN_ADDRESS_REJECT_CODE = params.declare(
    "unknown_address_reject_code",
    INT,
    "450",
    "The reply code of reject_unknown_sender_domain and reject_unknown_recipient_domain.",
)
MAPS_RBL_REJECT_CODE = params.declare(
    "maps_rbl_reject_code", INT, "554", "The reply code for what a list in the DNS names ($rbl_code)."
)
