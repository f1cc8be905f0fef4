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
    "For dovecot its auth socket (private/auth, unix:path, inet:host:port); for postroad a users file "
    "/path, tables type:name, or pam:service. PAM is asked by workers, which are not root: pam_unix cannot "
    "be used with it.",
)
SASL_SERVICE = params.declare(
    "smtpd_sasl_service", STRING, "smtp", "The name of the service that Dovecot is told."
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
FAILURE_LIMIT = params.declare(
    "smtpd_sasl_failure_limit",
    INT,
    "20",
    "After so many failed logins from one address (five times as many for one user, from addresses where "
    "the user has not been before) further ones are refused at once; 0 for no limit and no delay.",
    low=0,
    own=True,
)
FAILURE_TIME = params.declare(
    "smtpd_sasl_failure_time",
    TIME,
    "10m",
    "How long failed logins count, from the last one on.",
    low=1,
    own=True,
)
FAILURE_DELAY = params.declare(
    "smtpd_sasl_failure_delay",
    TIME,
    "15s",
    "The longest that the reply to a failed login waits: one second first, then twice as long each time.",
    low=0,
    high=300,
    own=True,
)

EXTERNAL_MAPS = params.declare(
    "smtpd_sasl_external_maps",
    LIST,
    "",
    "Tables of certificate and public key fingerprints with the user whose they are, for the mechanism "
    "EXTERNAL; smtpd_tls_ask_ccert and smtpd_sasl_mechanism_filter have to allow it as well.",
    own=True,
)
OAUTH_KEYS = params.declare(
    "smtpd_oauth_keys",
    STRING,
    "",
    "A file with the issuer's public keys (JWKS), for the mechanisms XOAUTH2 and OAUTHBEARER.",
    own=True,
)
OAUTH_ISSUER = params.declare(
    "smtpd_oauth_issuer", STRING, "", "The issuer (iss) that tokens have to be from.", own=True
)
OAUTH_AUDIENCE = params.declare(
    "smtpd_oauth_audience", STRING, "", "The audience (aud) that tokens have to be for.", own=True
)
OAUTH_CLAIM = params.declare(
    "smtpd_oauth_username_claim", STRING, "email", "The claim of a token that is the user's name.", own=True
)
