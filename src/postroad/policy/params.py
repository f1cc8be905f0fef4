"""Parameters that only this room obeys: the restriction lists and the codes of their replies."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST
from postroad.base.params import Group

params = Group("policy")

_LIST_DEFAULT = "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination"

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
    "${{$compatibility_level} <level {1} ? {} : {" + _LIST_DEFAULT + "}}",
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
