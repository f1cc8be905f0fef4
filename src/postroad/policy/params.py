"""Parameters that only this room obeys: the restriction lists and the codes of their replies."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST, RAW, STRING, choice
from postroad.base.params import Group
from postroad.policy.asking_params import group as asking

params = Group("policy")
params.params += asking.params

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

MX_BACKUP_NETWORKS = params.declare(
    "permit_mx_backup_networks",
    LIST,
    "",
    "Where every first mail exchanger of a domain must be for permit_mx_backup to permit; empty: anywhere.",
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
