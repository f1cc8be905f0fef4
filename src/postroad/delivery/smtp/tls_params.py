"""Parameters of TLS in the client; joined to the client's own in ``params``."""

from __future__ import annotations

from typing import Any, TypeVar

from postroad.base.kinds import BOOL, INT, LIST, STRING, TIME, choice
from postroad.base.params import Group, Kind, Param

T = TypeVar("T")
Pair = dict[str, Param[T]]  # by program: "smtp", "lmtp"

#: Handed over to the room's group by ``params``.
group = Group("delivery.smtp")

LEVELS = ("none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure")


def _pair(suffix: str, kind: Kind[T], default: str, doc: str, *, lmtp: str | None = None, **rest: Any) -> Pair[T]:  # fmt: skip  # noqa: E501
    """Declare ``smtp_`` + suffix and its ``lmtp_`` twin; ``{}`` in the default is the program."""
    return {
        program: group.declare(
            f"{program}_{suffix}",
            kind,
            default.replace("{}", program) if lmtp is None or program == "smtp" else lmtp,
            f"{name}: {doc}",
            **rest,
        )
        for program, name in (("smtp", "SMTP client"), ("lmtp", "LMTP client"))
    }


# --- whether
TLS_SECURITY_LEVEL = _pair(
    "tls_security_level",
    choice("", *LEVELS),
    "",
    "how sure a connection must be: none, may, encrypt, dane, dane-only, fingerprint, verify or secure;"
    " empty for what the older parameters say.",
)
USE_TLS = _pair("use_tls", BOOL, "no", "the old form of tls_security_level = may.")
ENFORCE_TLS = _pair("enforce_tls", BOOL, "no", "the old form of tls_security_level = verify.")
TLS_ENFORCE_PEERNAME = _pair(
    "tls_enforce_peername", BOOL, "yes", "with no, enforce_tls means tls_security_level = encrypt."
)
TLS_PER_SITE = _pair(
    "tls_per_site",
    LIST,
    "",
    "the tables of NONE, MAY, MUST_NOPEERMATCH or MUST by next hop and by host; not with tls_policy_maps.",
)
TLS_POLICY_MAPS = _pair(
    "tls_policy_maps",
    LIST,
    "",
    "the tables by next hop of a security level and, behind it, name=value attributes.",
)
TLS_WRAPPERMODE = _pair(
    "tls_wrappermode", BOOL, "no", "begin with TLS instead of STARTTLS; needs the level encrypt or above."
)
TLS_NOTE_STARTTLS_OFFER = _pair(
    "tls_note_starttls_offer", BOOL, "no", "log hosts that offer STARTTLS where TLS is not used."
)

# --- who the server is
TLS_VERIFY_CERT_MATCH = _pair(
    "tls_verify_cert_match",
    STRING,
    "hostname",
    "the names that a certificate may be for at the level verify: names, .domain for those below it,"
    " hostname, nexthop, dot-nexthop.",
)
TLS_SECURE_CERT_MATCH = _pair(
    "tls_secure_cert_match",
    STRING,
    "nexthop, dot-nexthop",
    "the names that a certificate may be for at the level secure.",
    lmtp="nexthop",
)
TLS_FINGERPRINT_CERT_MATCH = _pair(
    "tls_fingerprint_cert_match",
    LIST,
    "",
    "the fingerprints of certificates, or of their keys, at the level fingerprint.",
)
TLS_FINGERPRINT_DIGEST = _pair(
    "tls_fingerprint_digest",
    STRING,
    "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}",
    "the digest of fingerprints.",
)
TLS_CAFILE = _pair("tls_CAfile", STRING, "", "the file with the authorities that may vouch for servers.")
TLS_CAPATH = _pair(
    "tls_CApath", STRING, "", "the directory, with c_rehash's links, of the authorities that may."
)
TLS_SCERT_VERIFYDEPTH = _pair(
    "tls_scert_verifydepth", INT, "9", "the most authorities above a server's certificate.", low=0
)
TLS_TRUST_ANCHOR_FILE = _pair(
    "tls_trust_anchor_file",
    LIST,
    "",
    "the files with certificates and keys that alone may vouch for servers at the levels verify and secure.",
)
TLS_SERVERNAME = _pair(
    "tls_servername",
    STRING,
    "",
    "the name to ask a server for (SNI): hostname, nexthop, or a name; empty for none.",
)
TLS_DANE_INSECURE_MX_POLICY = group.declare(
    "smtp_tls_dane_insecure_mx_policy",
    choice("may", "encrypt", "dane"),
    "${{$smtp_tls_security_level} == {dane} ? {dane} : {may}}",
    "SMTP client: what TLSA records of a host mean that was found through MX records without DNSSEC.",
)
TLS_FORCE_INSECURE_HOST_TLSA_LOOKUP = _pair(
    "tls_force_insecure_host_tlsa_lookup",
    BOOL,
    "no",
    "look for TLSA records of hosts whose own zone has no DNSSEC.",
)
TLS_WILDCARD_MATCHES_MULTIPLE_LABELS = group.declare(
    "tls_wildcard_matches_multiple_labels",
    BOOL,
    "yes",
    "The * in a server's certificate stands for one or more labels, not for one only.",
)

# --- who we are
TLS_CHAIN_FILES = _pair(
    "tls_chain_files",
    LIST,
    "",
    "the files with the client's keys and certificates: each key, then its chain.",
)
TLS_CERT_FILE = _pair("tls_cert_file", STRING, "", "the file with the client's certificate and its chain.")
TLS_KEY_FILE = _pair("tls_key_file", STRING, "${}_tls_cert_file", "the file with the key of tls_cert_file.")
TLS_ECCERT_FILE = _pair(
    "tls_eccert_file", STRING, "", "the file with the client's ECDSA certificate and its chain."
)
TLS_ECKEY_FILE = _pair(
    "tls_eckey_file", STRING, "${}_tls_eccert_file", "the file with the key of tls_eccert_file."
)
TLS_DCERT_FILE = _pair(
    "tls_dcert_file", STRING, "", "the file with the client's DSA certificate and its chain."
)
TLS_DKEY_FILE = _pair(
    "tls_dkey_file", STRING, "${}_tls_dcert_file", "the file with the key of tls_dcert_file."
)

# --- how
TLS_PROTOCOLS = _pair("tls_protocols", STRING, ">=TLSv1", "the protocols at the level may.")
TLS_MANDATORY_PROTOCOLS = _pair(
    "tls_mandatory_protocols", STRING, ">=TLSv1", "the protocols at the level encrypt and above."
)
TLS_CIPHERS = _pair("tls_ciphers", STRING, "medium", "the lowest grade of ciphers at the level may.")
TLS_MANDATORY_CIPHERS = _pair(
    "tls_mandatory_ciphers", STRING, "medium", "the lowest grade of ciphers at the level encrypt and above."
)
TLS_EXCLUDE_CIPHERS = _pair("tls_exclude_ciphers", LIST, "", "the ciphers that are never used.")
TLS_MANDATORY_EXCLUDE_CIPHERS = _pair(
    "tls_mandatory_exclude_ciphers", LIST, "", "further ciphers not used at the level encrypt and above."
)
STARTTLS_TIMEOUT = _pair(
    "starttls_timeout", TIME, "300s", "the time limit of STARTTLS and the handshake.", low=1
)
TLS_SESSION_CACHE_TIMEOUT = _pair(
    "tls_session_cache_timeout",
    TIME,
    "3600s",
    "how long a server's TLS session is remembered, in memory, to be gone on with; 0 for not at all.",
    low=0,
    high=8640000,
)
TLS_CONNECTION_REUSE = _pair(
    "tls_connection_reuse", BOOL, "no", "send more than one message over a connection with TLS."
)
TLS_LOGLEVEL = _pair(
    "tls_loglevel",
    INT,
    "0",
    "1 logs each TLS connection; 2 the certificates too.",
    low=0,
)
