"""Parameters that only this room obeys: who may log in, and how."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST, STRING, TIME
from postroad.base.params import Group

params = Group("auth")

# --- Postfix's
AUTH_ENABLE = params.declare(
    "smtpd_sasl_auth_enable", BOOL, "no", "Offer AUTH to clients; by default nobody can log in."
)
SASL_TYPE = params.declare(
    "smtpd_sasl_type",
    STRING,
    "cyrus",
    "Who knows the users: dovecot, or postroad for a users file, tables, or PAM; cyrus is not supported.",
)
SASL_PATH = params.declare(
    "smtpd_sasl_path",
    STRING,
    "smtpd",
    "For dovecot its auth socket (private/auth, unix:path, inet:host:port); for postroad a users file, "
    "type:table, or pam:service.",
)
SASL_SERVICE = params.declare(
    "smtpd_sasl_service", STRING, "smtp", "The name of the service that Dovecot and PAM are told."
)
SECURITY_OPTIONS = params.declare(
    "smtpd_sasl_security_options",
    LIST,
    "noanonymous",
    "Which mechanisms are not offered: noplaintext, noactive, nodictionary, noanonymous, forward_secrecy, "
    "mutual_auth.",
)
TLS_SECURITY_OPTIONS = params.declare(
    "smtpd_sasl_tls_security_options",
    LIST,
    "$smtpd_sasl_security_options",
    "The same for sessions that are encrypted.",
)
LOCAL_DOMAIN = params.declare(
    "smtpd_sasl_local_domain",
    STRING,
    "",
    "What is put behind an @ to the name of a user who logs in without a domain.",
)
MECHANISM_FILTER = params.declare(
    "smtpd_sasl_mechanism_filter",
    LIST,
    "!external, static:rest",
    "Which of the mechanisms there are may be offered.",
)

# --- our own
MECHANISMS = params.declare(
    "smtpd_sasl_mechanisms",
    LIST,
    "PLAIN LOGIN",
    "The mechanisms of smtpd_sasl_type = postroad, in the order of the offer.",
    own=True,
)
CACHE_TIME = params.declare(
    "smtpd_sasl_cache_time",
    TIME,
    "60s",
    "How long a password that was right is known to be, so that it is not hashed anew; 0 for never.",
    low=0,
    high=3600,
    own=True,
)
VERIFY_THREADS = params.declare(
    "smtpd_sasl_verify_threads",
    INT,
    "2",
    "How many passwords a worker hashes at one time.",
    low=1,
    high=64,
    own=True,
)
VERIFY_QUEUE = params.declare(
    "smtpd_sasl_verify_queue",
    INT,
    "100",
    "How many passwords may wait in a worker to be hashed; further clients are asked to come again.",
    low=1,
    high=100000,
    own=True,
)
