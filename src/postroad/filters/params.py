"""Parameters of milters."""

from __future__ import annotations

from postroad.base.kinds import LIST, STRING, TIME
from postroad.base.params import Group

params = Group("filters")

# --- which
SMTPD_MILTERS = params.declare(
    "smtpd_milters",
    LIST,
    "",
    "The milters of mail that comes by SMTP: inet:host:port, unix:path, or { one of them, name=value ... }.",
)
NON_SMTPD_MILTERS = params.declare(
    "non_smtpd_milters", LIST, "", "The milters of mail that comes otherwise, by sendmail(1) for example."
)
SMTPD_MILTER_MAPS = params.declare(
    "smtpd_milter_maps",
    LIST,
    "",
    "Tables of milters by the client's IP address, in the place of smtpd_milters; DISABLE for none.",
)
INTERNAL_MAIL_FILTER_CLASSES = params.declare(
    "internal_mail_filter_classes",
    LIST,
    "",
    "Mail of our own that goes through non_smtpd_milters as well: bounce (all that we make is of this class), notify.",  # noqa: E501
)

# --- how
MILTER_DEFAULT_ACTION = params.declare(
    "milter_default_action",
    STRING,
    "tempfail",
    "What a milter that fails stands for: accept, reject, tempfail, quarantine, shutdown, or an SMTP reply.",
)
MILTER_PROTOCOL = params.declare(
    "milter_protocol", STRING, "6", "The version of the milter protocol (2, 3, 4, 6), and its extensions."
)
MILTER_CONNECT_TIMEOUT = params.declare(
    "milter_connect_timeout",
    TIME,
    "30s",
    "How long connecting to a milter and the handshake may take.",
    low=1,
)
MILTER_COMMAND_TIMEOUT = params.declare(
    "milter_command_timeout", TIME, "30s", "How long a milter may think about an SMTP command.", low=1
)
MILTER_CONTENT_TIMEOUT = params.declare(
    "milter_content_timeout", TIME, "300s", "How long a milter may think about a part of a message.", low=1
)

# --- macros
MILTER_CONNECT_MACROS = params.declare(
    "milter_connect_macros",
    LIST,
    "j {daemon_name} {daemon_addr} v _",
    "The macros that milters get when a client connects.",
)
MILTER_HELO_MACROS = params.declare(
    "milter_helo_macros",
    LIST,
    "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
    "The macros that milters get with HELO and EHLO.",
)
MILTER_MAIL_MACROS = params.declare(
    "milter_mail_macros",
    LIST,
    "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
    "The macros that milters get with MAIL.",
)
MILTER_RCPT_MACROS = params.declare(
    "milter_rcpt_macros",
    LIST,
    "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    "The macros that milters get with RCPT.",
)
MILTER_DATA_MACROS = params.declare(
    "milter_data_macros", LIST, "i", "The macros that milters get with DATA, from version 4 on."
)
MILTER_END_OF_HEADER_MACROS = params.declare(
    "milter_end_of_header_macros", LIST, "i", "The macros that milters get with a message's header."
)
MILTER_END_OF_DATA_MACROS = params.declare(
    "milter_end_of_data_macros", LIST, "i", "The macros that milters get at the end of a message."
)
MILTER_UNKNOWN_COMMAND_MACROS = params.declare(
    "milter_unknown_command_macros",
    LIST,
    "",
    "The macros that milters get with an unknown command, from version 3 on.",
)
MILTER_MACRO_DAEMON_NAME = params.declare(
    "milter_macro_daemon_name", STRING, "$myhostname", "The macro {daemon_name}; ORIGINATING for submission."
)
MILTER_MACRO_V = params.declare("milter_macro_v", STRING, "$mail_name $mail_version", "The macro v.")
MILTER_MACRO_DEFAULTS = params.declare(
    "milter_macro_defaults",
    LIST,
    "",
    "Values of macros that nothing else gives one: name=value, or {name=value}.",
)

# --- the before-queue content filter (SMTPD_PROXY_README)
PROXY_EHLO = params.declare(
    "smtpd_proxy_ehlo", STRING, "$myhostname", "What a service calls itself to smtpd_proxy_filter."
)
PROXY_TIMEOUT = params.declare(
    "smtpd_proxy_timeout", TIME, "100s", "How long smtpd_proxy_filter may take for each thing.", low=1
)
PROXY_OPTIONS = params.declare(
    "smtpd_proxy_options",
    LIST,
    "",
    "speed_adjust: smtpd_proxy_filter is not connected to before a message has arrived as a whole.",
)
