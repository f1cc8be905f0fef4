"""Parameters that only this room obeys."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST, SIZE, STRING, choice
from postroad.base.params import Group

params = Group("intake")

# --- addresses
CANONICAL_CLASSES = params.declare(
    "canonical_classes",
    LIST,
    "envelope_sender, envelope_recipient, header_sender, header_recipient",
    "The addresses that canonical_maps replaces.",
)
SENDER_CANONICAL_CLASSES = params.declare(
    "sender_canonical_classes",
    LIST,
    "envelope_sender, header_sender",
    "The addresses that sender_canonical_maps replaces.",
)
RECIPIENT_CANONICAL_CLASSES = params.declare(
    "recipient_canonical_classes",
    LIST,
    "envelope_recipient, header_recipient",
    "The addresses that recipient_canonical_maps replaces.",
)
MASQUERADE_DOMAINS = params.declare(
    "masquerade_domains",
    LIST,
    "",
    "The domains whose subdomains are hidden: user@host.example.com becomes user@example.com.",
)
MASQUERADE_CLASSES = params.declare(
    "masquerade_classes",
    LIST,
    "envelope_sender, header_sender, header_recipient",
    "The addresses whose subdomains are hidden.",
)
MASQUERADE_EXCEPTIONS = params.declare(
    "masquerade_exceptions", LIST, "", "The user names whose subdomains are not hidden."
)
VIRTUAL_ALIAS_EXPANSION_LIMIT = params.declare(
    "virtual_alias_expansion_limit", INT, "1000", "The most recipients that one may turn into.", low=0
)
VIRTUAL_ALIAS_RECURSION_LIMIT = params.declare(
    "virtual_alias_recursion_limit", INT, "1000", "The deepest nesting of virtual aliases.", low=0
)
VIRTUAL_ALIAS_ADDRESS_LENGTH_LIMIT = params.declare(
    "virtual_alias_address_length_limit",
    INT,
    "1000",
    "The longest address that a virtual alias may give.",
    low=1,
)
ALWAYS_BCC = params.declare("always_bcc", STRING, "", "An address that gets a copy of every message.")
SENDER_BCC_MAPS = params.declare(
    "sender_bcc_maps", LIST, "", "Tables that give the address of a copy for a sender."
)
RECIPIENT_BCC_MAPS = params.declare(
    "recipient_bcc_maps", LIST, "", "Tables that give the address of a copy for a recipient."
)
DUPLICATE_FILTER_LIMIT = params.declare(
    "duplicate_filter_limit",
    INT,
    "1000",
    "How many recipients of a message are remembered to find the same one again; 0 for all.",
    low=0,
)

# --- header fields
ALWAYS_ADD_MISSING_HEADERS = params.declare(
    "always_add_missing_headers",
    BOOL,
    "no",
    "Add missing From, To, Date and Message-Id to the mail of remote clients too.",
)
UNDISCLOSED_RECIPIENTS_HEADER = params.declare(
    "undisclosed_recipients_header", STRING, "", "The field that is added where To and Cc are missing."
)
MESSAGE_DROP_HEADERS = params.declare(
    "message_drop_headers",
    LIST,
    "bcc, content-length, resent-bcc, return-path",
    "The header fields that are removed from a message on its way in.",
)
MESSAGE_STRIP_CHARACTERS = params.declare(
    "message_strip_characters", STRING, "", "The characters that are removed from messages, as \\0 or \\ddd."
)
MESSAGE_REJECT_CHARACTERS = params.declare(
    "message_reject_characters", STRING, "", "The characters for which a message is refused, as \\0 or \\ddd."
)
HEADER_ADDRESS_TOKEN_LIMIT = params.declare(
    "header_address_token_limit",
    INT,
    "10240",
    "The most words and signs that are read in a header field of addresses; the excess is discarded.",
    low=1,
)
HEADER_FROM_FORMAT = params.declare(
    "header_from_format",
    choice("standard", "obsolete"),
    "standard",
    "How a From field is written that a local program left out: name <address>, or address (name).",
)
SMTPD_SASL_AUTHENTICATED_HEADER = params.declare(
    "smtpd_sasl_authenticated_header", BOOL, "no", "Name the user who logged in in the Received field."
)
SMTPD_TLS_RECEIVED_HEADER = params.declare(
    "smtpd_tls_received_header", BOOL, "no", "Say in the Received field what encryption was used."
)
SMTPD_HIDE_CLIENT_SESSION = params.declare(
    "smtpd_hide_client_session", BOOL, "no", "Leave the client out of the Received field."
)

# --- room on the disk
QUEUE_MINFREE = params.declare(
    "queue_minfree",
    SIZE,
    "0",
    "The free space in the queue's file system below which no mail is received; at least 1.5 messages of the"
    " largest size are always kept free.",
    low=0,
)
