"""Parameters of TLS itself, for server and client alike: protocols, ciphers, certificates."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST, STRING, TIME
from postroad.base.params import Group

params = Group("net.tls")

_DIGEST = "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}"

TLS_HIGH_CIPHERLIST = params.declare(
    "tls_high_cipherlist", STRING, "aNULL:-aNULL:HIGH:@STRENGTH", "OpenSSL's list for the grade high."
)
TLS_MEDIUM_CIPHERLIST = params.declare(
    "tls_medium_cipherlist",
    STRING,
    "aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH",
    "OpenSSL's list for the grade medium and those above.",
)
TLS_LOW_CIPHERLIST = params.declare(
    "tls_low_cipherlist",
    STRING,
    "aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH",
    "OpenSSL's list for the grade low and those above.",
)
TLS_EXPORT_CIPHERLIST = params.declare(
    "tls_export_cipherlist",
    STRING,
    "aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH",
    "OpenSSL's list for the grade export and those above.",
)
TLS_NULL_CIPHERLIST = params.declare(
    "tls_null_cipherlist", STRING, "eNULL:!aNULL", "OpenSSL's list for the grade null: no encryption."
)
TLS_EECDH_AUTO_CURVES = params.declare(
    "tls_eecdh_auto_curves",
    LIST,
    "X25519 X448 prime256v1 secp521r1 secp384r1",
    "Groups for key exchange, best first.  Those that OpenSSL does not know are left out; empty: OpenSSL's.",
)
TLS_FFDHE_AUTO_GROUPS = params.declare(
    "tls_ffdhe_auto_groups",
    LIST,
    "ffdhe2048 ffdhe3072",
    "Groups for key exchange by DHE, behind those of tls_eecdh_auto_curves; empty for none.",
)
TLS_EECDH_STRONG_CURVE = params.declare(
    "tls_eecdh_strong_curve", STRING, "prime256v1", "The group for smtpd_tls_eecdh_grade = strong."
)
TLS_EECDH_ULTRA_CURVE = params.declare(
    "tls_eecdh_ultra_curve", STRING, "secp384r1", "The group for smtpd_tls_eecdh_grade = ultra."
)
TLS_PREEMPT_CIPHERLIST = params.declare(
    "tls_preempt_cipherlist", BOOL, "no", "Whether the server's order of ciphers counts, not the client's."
)
TLS_SSL_OPTIONS = params.declare(
    "tls_ssl_options", LIST, "", "OpenSSL's options to switch on by name, or by hexadecimal number."
)
TLS_DISABLE_WORKAROUNDS = params.declare(
    "tls_disable_workarounds", LIST, "", "OpenSSL's workarounds to switch off, by name or hexadecimal mask."
)
TLS_APPEND_DEFAULT_CA = params.declare(
    "tls_append_default_CA",
    BOOL,
    "no",
    "Whether the system's authorities are trusted besides those of CAfile and CApath.",
)
TLS_SERVER_SNI_MAPS = params.declare(
    "tls_server_sni_maps",
    LIST,
    "",
    "Tables: the server name that a client asks for (then .domain, for names below it) -> files of its"
    " keys and certificates, in the order of smtpd_tls_chain_files.",
)

SMTPD_TLS_CHAIN_FILES = params.declare(
    "smtpd_tls_chain_files", LIST, "", "Files with keys and certificates: each key, then its chain."
)
SMTPD_TLS_CERT_FILE = params.declare(
    "smtpd_tls_cert_file", STRING, "", "File with the server's RSA certificate and its chain; none for none."
)
SMTPD_TLS_KEY_FILE = params.declare(
    "smtpd_tls_key_file", STRING, "$smtpd_tls_cert_file", "File with the key of smtpd_tls_cert_file."
)
SMTPD_TLS_ECCERT_FILE = params.declare(
    "smtpd_tls_eccert_file", STRING, "", "File with the server's ECDSA certificate and its chain."
)
SMTPD_TLS_ECKEY_FILE = params.declare(
    "smtpd_tls_eckey_file", STRING, "$smtpd_tls_eccert_file", "File with the key of smtpd_tls_eccert_file."
)
SMTPD_TLS_DCERT_FILE = params.declare(
    "smtpd_tls_dcert_file", STRING, "", "File with the server's DSA certificate and its chain."
)
SMTPD_TLS_DKEY_FILE = params.declare(
    "smtpd_tls_dkey_file", STRING, "$smtpd_tls_dcert_file", "File with the key of smtpd_tls_dcert_file."
)
SMTPD_TLS_DH1024_PARAM_FILE = params.declare(
    "smtpd_tls_dh1024_param_file",
    STRING,
    "",
    "File with the parameters for key exchange by DHE in TLS 1.2; auto or empty for a group of RFC 7919.",
)
SMTPD_TLS_CAFILE = params.declare(
    "smtpd_tls_CAfile", STRING, "", "File with the authorities that may vouch for clients."
)
SMTPD_TLS_CAPATH = params.declare(
    "smtpd_tls_CApath", STRING, "", "Directory with the authorities that may vouch for clients."
)
SMTPD_TLS_PROTOCOLS = params.declare(
    "smtpd_tls_protocols", STRING, ">=TLSv1", "Protocols for opportunistic TLS."
)
SMTPD_TLS_MANDATORY_PROTOCOLS = params.declare(
    "smtpd_tls_mandatory_protocols", STRING, ">=TLSv1", "Protocols where TLS is demanded."
)
SMTPD_TLS_CIPHERS = params.declare(
    "smtpd_tls_ciphers", STRING, "medium", "The lowest grade of ciphers for opportunistic TLS."
)
SMTPD_TLS_MANDATORY_CIPHERS = params.declare(
    "smtpd_tls_mandatory_ciphers", STRING, "medium", "The lowest grade of ciphers where TLS is demanded."
)
SMTPD_TLS_EXCLUDE_CIPHERS = params.declare(
    "smtpd_tls_exclude_ciphers", LIST, "", "Ciphers that are never used."
)
SMTPD_TLS_MANDATORY_EXCLUDE_CIPHERS = params.declare(
    "smtpd_tls_mandatory_exclude_ciphers", LIST, "", "Further ciphers not used where TLS is demanded."
)
SMTPD_TLS_EECDH_GRADE = params.declare(
    "smtpd_tls_eecdh_grade", STRING, "auto", "Groups for key exchange: auto, none, strong or ultra."
)
SMTPD_TLS_ASK_CCERT = params.declare(
    "smtpd_tls_ask_ccert", BOOL, "no", "Whether clients are asked for a certificate."
)
SMTPD_TLS_REQ_CCERT = params.declare(
    "smtpd_tls_req_ccert", BOOL, "no", "Whether clients need a trusted certificate where TLS is demanded."
)
SMTPD_TLS_CCERT_VERIFYDEPTH = params.declare(
    "smtpd_tls_ccert_verifydepth", INT, "9", "How long a client's chain of certificates may be.", low=0
)
SMTPD_TLS_FINGERPRINT_DIGEST = params.declare(
    "smtpd_tls_fingerprint_digest", STRING, _DIGEST, "The digest of fingerprints of clients' certificates."
)
SMTPD_TLS_SESSION_CACHE_TIMEOUT = params.declare(
    "smtpd_tls_session_cache_timeout",
    TIME,
    "3600s",
    "How long a session can be gone on with; 0 for not at all.",
    low=0,
    high=8640000,
)
SMTPD_TLS_ALWAYS_ISSUE_SESSION_IDS = params.declare(
    "smtpd_tls_always_issue_session_ids",
    BOOL,
    "yes",
    "Whether sessions get an identity even where they cannot be gone on with.",
)
TLS_CONFIG_FILE = params.declare(
    "tls_config_file",
    STRING,
    "default",
    "OpenSSL's configuration file with the baseline of all TLS: default for the system's, none, or /path.",
    live=False,
)
TLS_CONFIG_NAME = params.declare(
    "tls_config_name",
    STRING,
    "",
    "The application in OpenSSL's configuration file whose section counts; openssl_conf where it is empty.",
    live=False,
)
