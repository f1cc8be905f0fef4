"""Parameters that only this room obeys."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST, RAW, STRING, TIME, choice
from postroad.base.params import Group

params = Group("smtpd")

# --- the greeting and the commands
BANNER = params.declare(
    "smtpd_banner",
    STRING,
    "$myhostname ESMTP $mail_name",
    "The text behind 220 when a client connects; it has to begin with $myhostname.",
)
HELO_REQUIRED = params.declare("smtpd_helo_required", BOOL, "no", "Demand HELO or EHLO before MAIL and ETRN.")
DISABLE_VRFY = params.declare(
    "disable_vrfy_command", BOOL, "no", "Refuse VRFY, which address harvesters use."
)
STRICT_ENVELOPES = params.declare(
    "strict_rfc821_envelopes",
    BOOL,
    "no",
    "Demand <> around addresses in MAIL and RCPT, and nothing else within.",
)
DELAY_OPEN = params.declare(
    "smtpd_delay_open_until_valid_rcpt",
    BOOL,
    "yes",
    "Give a mail transaction its queue id with its first valid recipient, not with its sender.",
)
DISCARD_EHLO = params.declare(
    "smtpd_discard_ehlo_keywords",
    LIST,
    "",
    "Keywords that the reply to EHLO leaves out; silent-discard keeps that out of the log.",
)
DISCARD_EHLO_MAPS = params.declare(
    "smtpd_discard_ehlo_keyword_address_maps",
    LIST,
    "",
    "Tables of client addresses with the keywords to leave out for them, in place of the list for all.",
)
NOOP_COMMANDS = params.declare("smtpd_noop_commands", LIST, "", "Commands that are answered like NOOP.")
FORBIDDEN_COMMANDS = params.declare(
    "smtpd_forbidden_commands",
    LIST,
    "CONNECT GET POST regexp:{{/^[^A-Z]/ Thrash}}",
    "Commands of other protocols: the session ends at once.",
)

# --- clients that speak for others
XCLIENT_HOSTS = params.declare(
    "smtpd_authorized_xclient_hosts",
    LIST,
    "",
    "Clients that may say with XCLIENT for whom they speak: all that is decided is about that client then.",
)
XFORWARD_HOSTS = params.declare(
    "smtpd_authorized_xforward_hosts",
    LIST,
    "",
    "Clients that may say with XFORWARD where their mail comes from: for the log, and for hosts farther on.",
)

PROXY_PROTOCOL = params.declare(
    "smtpd_upstream_proxy_protocol",
    choice("", "haproxy"),
    "",
    "How each connection says whose it is, if a proxy passes them on: haproxy is the PROXY protocol, version"
    " 1 or 2.  Nobody but the proxy may be able to reach the port.",
)
PROXY_TIMEOUT = params.declare(
    "smtpd_upstream_proxy_timeout",
    TIME,
    "5s",
    "How long the proxy may take to say whose a connection is.",
    low=1,
)

# --- limits
RECIPIENT_LIMIT = params.declare(
    "smtpd_recipient_limit", INT, "1000", "The most recipients of one message; further ones get 452.", low=1
)
RECIPIENT_OVERSHOOT = params.declare(
    "smtpd_recipient_overshoot_limit",
    INT,
    "1000",
    "How many recipients over the limit a client may name before each is counted as an error.",
    low=1,
)
ERROR_SLEEP = params.declare(
    "smtpd_error_sleep_time",
    TIME,
    "1s",
    "The pause before each reply once a client has made smtpd_soft_error_limit errors.",
    low=0,
)
SOFT_ERRORS = params.declare(
    "smtpd_soft_error_limit",
    INT,
    "10",
    "The errors, since the last message, from which on replies are delayed.",
    low=1,
)
HARD_ERRORS = params.declare(
    "smtpd_hard_error_limit",
    INT,
    "${stress?{1}:{20}}",
    "The errors, since the last message, at which the client is disconnected.",
    low=1,
)
JUNK_LIMIT = params.declare(
    "smtpd_junk_command_limit",
    INT,
    "${stress?{1}:{100}}",
    "How many NOOP, VRFY, ETRN, RSET, HELO and EHLO are let pass before each is counted as an error.",
    low=1,
)
CONNECTION_COUNT = params.declare(
    "smtpd_client_connection_count_limit",
    INT,
    "50",
    "The most sessions of one client address at one time; 0 for no limit.",
    low=0,
)
CONNECTION_RATE = params.declare(
    "smtpd_client_connection_rate_limit",
    INT,
    "0",
    "The most sessions that a client may begin in anvil_rate_time_unit; 0 for no limit.",
    low=0,
)
MESSAGE_RATE = params.declare(
    "smtpd_client_message_rate_limit",
    INT,
    "0",
    "The most MAIL commands of a client in anvil_rate_time_unit, taken or not; 0 for no limit.",
    low=0,
)
RECIPIENT_RATE = params.declare(
    "smtpd_client_recipient_rate_limit",
    INT,
    "0",
    "The most RCPT commands of a client in anvil_rate_time_unit, taken or not; 0 for no limit.",
    low=0,
)
IPV4_PREFIX = params.declare(
    "smtpd_client_ipv4_prefix_length",
    INT,
    "32",
    "The bits of an IPv4 address by which clients are counted: shorter ones make a network one client.",
    low=0,
    high=32,
)
IPV6_PREFIX = params.declare(
    "smtpd_client_ipv6_prefix_length",
    INT,
    "84",
    "The bits of an IPv6 address by which clients are counted; one host has many addresses.",
    low=0,
    high=128,
)
LIMIT_EXCEPTIONS = params.declare(
    "smtpd_client_event_limit_exceptions",
    LIST,
    "${smtpd_client_connection_limit_exceptions:$mynetworks}",
    "Clients whose sessions, mail, handshakes and logins are not counted.",
)
NEW_TLS_RATE = params.declare(
    "smtpd_client_new_tls_session_rate_limit",
    INT,
    "0",
    "The most TLS sessions, those gone on with apart, that a client may begin in anvil_rate_time_unit; 0 for"
    " no limit.",
    low=0,
)
AUTH_RATE = params.declare(
    "smtpd_client_auth_rate_limit",
    INT,
    "0",
    "The most AUTH commands of a client in anvil_rate_time_unit; 0 for no limit.",
    low=0,
)
RATE_TIME_UNIT = params.declare(
    "anvil_rate_time_unit",
    TIME,
    "60s",
    "The time to which rate limits refer; main.cf's value counts, for all services.",
    low=1,
)

LOGIN_MESSAGE_RATE = params.declare(
    "smtpd_login_message_rate",
    LIST,
    "",
    "The most MAIL commands of each user who has logged in, as 100/1h or 100/1h 1000/1d: counted for all"
    " services and workers together, and across restarts.  A time begins with its first message, so two that"
    " follow each other can have twice as many close together.",
    own=True,
)
LOGIN_RECIPIENT_RATE = params.declare(
    "smtpd_login_recipient_rate",
    LIST,
    "",
    "The most RCPT commands of each user who has logged in: see smtpd_login_message_rate.",
    own=True,
)
LOGIN_RATE_MAPS = params.declare(
    "smtpd_login_rate_maps",
    LIST,
    "",
    "Tables of users with limits of their own, as messages=50/1h,500/1d recipients=1000/1d; unlimited, alone"
    " or in place of a limit, is none.",
    own=True,
)

# --- time
TIMEOUT = params.declare(
    "smtpd_timeout",
    TIME,
    "${stress?{10}:{300}}s",
    "How long the server waits for the client, when it reads and when it writes.",
    low=1,
)
PER_REQUEST_DEADLINE = params.declare(
    "smtpd_per_request_deadline",
    BOOL,
    "${smtpd_per_record_deadline?{$smtpd_per_record_deadline}:{${stress?{yes}:{no}}}}",
    "Make smtpd_timeout the limit for a whole command or reply, not for each piece of it.",
)
MIN_DATA_RATE = params.declare(
    "smtpd_min_data_rate",
    INT,
    "500",
    "The bytes a second at which content must come while smtpd_per_request_deadline is in force.",
    low=1,
)

# --- TLS
TLS_LEVEL = params.declare(
    "smtpd_tls_security_level",
    choice("", "none", "may", "encrypt", "fingerprint", "verify", "secure"),
    "",
    "Whether TLS is offered (may) or demanded before anything else (encrypt; fingerprint, verify and secure"
    " mean the same here).  Empty: as smtpd_use_tls and smtpd_enforce_tls say.",
)
USE_TLS = params.declare(
    "smtpd_use_tls", BOOL, "no", "The old way to say smtpd_tls_security_level = may, which overrides it."
)
ENFORCE_TLS = params.declare(
    "smtpd_enforce_tls",
    BOOL,
    "no",
    "The old way to say smtpd_tls_security_level = encrypt, which overrides it.",
)
TLS_WRAPPERMODE = params.declare(
    "smtpd_tls_wrappermode",
    BOOL,
    "no",
    "Begin each session with TLS (port 465): no STARTTLS, and nothing in plain text.",
)
TLS_AUTH_ONLY = params.declare(
    "smtpd_tls_auth_only", BOOL, "no", "Offer and take AUTH under TLS only; so it is where TLS is demanded."
)
STARTTLS_TIMEOUT = params.declare(
    "smtpd_starttls_timeout",
    TIME,
    "${stress?{10}:{300}}s",
    "How long a client may take to shake hands.",
    low=1,
)
TLS_LOGLEVEL = params.declare(
    "smtpd_tls_loglevel",
    INT,
    "0",
    "What the log has of TLS: 0 failures only, 1 one line for each session, 2 its beginning as well.",
    low=0,
    high=4,
)

# --- AUTH
AUTH_HIDDEN_FROM = params.declare(
    "smtpd_sasl_exceptions_networks",
    LIST,
    "",
    "Clients that are not offered AUTH, because they cannot cope with it; they may use it nevertheless.",
)
RESPONSE_LIMIT = params.declare(
    "smtpd_sasl_response_limit",
    INT,
    "12288",
    "The bytes of a client's response to a challenge, in base64; an initial response is a part of the AUTH"
    " command and cannot be longer than line_length_limit.",
    low=1,
)
BROKEN_AUTH_CLIENTS = params.declare(
    "broken_sasl_auth_clients",
    BOOL,
    "no",
    "Offer AUTH a second time as AUTH=, for clients from before its standard.",
)

# --- smuggling
FORBID_PIPELINING = params.declare(
    "smtpd_forbid_unauth_pipelining",
    BOOL,
    "no",
    "Disconnect a client that sends commands before it may.",
)
FORBID_BARE_NEWLINE = params.declare(
    "smtpd_forbid_bare_newline",
    choice("normalize", "yes", "note", "reject", "no"),
    "normalize",
    "Lines that end with a line feed alone: never part of the end of a message (normalize or yes; note logs"
    " it too), refused (reject), or taken as they are (no).",
)
STRICT_END = params.declare(
    "smtpd_strict_end_of_data",
    BOOL,
    lambda facts: "yes" if "smtpd_forbid_bare_newline" in facts.main else "no",
    "A dot with more than one carriage return behind it ends no message (yes, the default where main.cf has"
    " smtpd_forbid_bare_newline), or does, as Postfix 3.7 has it where that is not set (no).  Not asked where"
    " bare line feeds are noted, refused or allowed: the first two are strict, the last is not.",
    own=True,
)
BARE_NEWLINE_EXCLUSIONS = params.declare(
    "smtpd_forbid_bare_newline_exclusions",
    LIST,
    "$mynetworks",
    "Clients to whom smtpd_forbid_bare_newline does not apply.",
)
BARE_NEWLINE_CODE = params.declare(
    "smtpd_forbid_bare_newline_reject_code",
    INT,
    "550",
    "The code that refuses a line feed on its own; 521 ends the session as well.",
    low=400,
    high=599,
)
REPLACE_STRAY = params.declare(
    "cleanup_replace_stray_cr_lf",
    BOOL,
    "yes",
    "Replace a carriage return that ends no line by a space, so that no other server takes it for one.",
)

# --- refusals
COMMAND_FILTER = params.declare(
    "smtpd_command_filter",
    STRING,
    "",
    "A table, regexp: or pcre: most often, that is asked for each command line; its answer is carried out in"
    " place of the command.",
)
REJECT_FOOTER_MAPS = params.declare(
    "smtpd_reject_footer_maps",
    LIST,
    "",
    "Tables that are asked for each 4xx and 5xx reply, whole; the answer is used in place of"
    " smtpd_reject_footer.",
)
REJECT_FOOTER = params.declare(
    "smtpd_reject_footer",
    RAW,
    "",
    "Text behind each 4xx and 5xx reply; $client_address, $client_port, $localtime and $server_name are"
    " replaced, \\n is a line break, \\c in front keeps the text in the reply's last line.",
)
