"""Parameters that only this room obeys: how an address becomes a transport and a next hop."""

from __future__ import annotations

from postroad.base.kinds import BOOL, INT, LIST, STRING
from postroad.base.params import Group

params = Group("routing")

TRANSPORT_MAPS = params.declare(
    "transport_maps", LIST, "", "Tables that give transport:nexthop for a recipient or its domain."
)
RELAYHOST = params.declare(
    "relayhost", STRING, "", "The next hop of mail for domains that are not our own; empty uses the MX."
)
SENDER_DEPENDENT_RELAYHOST_MAPS = params.declare(
    "sender_dependent_relayhost_maps", LIST, "", "Tables that give a sender's own relay host."
)
SENDER_DEPENDENT_DEFAULT_TRANSPORT_MAPS = params.declare(
    "sender_dependent_default_transport_maps",
    LIST,
    "",
    "Tables that give a sender's own default transport:nexthop.",
)
EMPTY_ADDRESS_RELAYHOST_KEY = params.declare(
    "empty_address_relayhost_maps_lookup_key",
    STRING,
    "<>",
    "What the null sender is called in sender_dependent_relayhost_maps.",
)
EMPTY_ADDRESS_DEFAULT_TRANSPORT_KEY = params.declare(
    "empty_address_default_transport_maps_lookup_key",
    STRING,
    "<>",
    "What the null sender is called in sender_dependent_default_transport_maps.",
)
RELOCATED_MAPS = params.declare(
    "relocated_maps", LIST, "", "Tables of users and domains that have moved, with where they went."
)
HELPFUL_WARNINGS = params.declare(
    "helpful_warnings", BOOL, "yes", "Warn of settings that contradict each other, as mail comes by them."
)
SHOW_USER_UNKNOWN_TABLE_NAME = params.declare(
    "show_user_unknown_table_name", BOOL, "yes", 'Say in "User unknown" replies which table was looked in.'
)

_CODE = {"low": 400, "high": 599}
UNKNOWN_LOCAL_RECIPIENT_CODE = params.declare(
    "unknown_local_recipient_reject_code",
    INT,
    "550",
    "The reply code for an unknown recipient in $mydestination.",
    **_CODE,
)
UNKNOWN_VIRTUAL_ALIAS_CODE = params.declare(
    "unknown_virtual_alias_reject_code",
    INT,
    "550",
    "The reply code for an unknown recipient in $virtual_alias_domains.",
    **_CODE,
)
UNKNOWN_VIRTUAL_MAILBOX_CODE = params.declare(
    "unknown_virtual_mailbox_reject_code",
    INT,
    "550",
    "The reply code for an unknown recipient in $virtual_mailbox_domains.",
    **_CODE,
)
UNKNOWN_RELAY_RECIPIENT_CODE = params.declare(
    "unknown_relay_recipient_reject_code",
    INT,
    "550",
    "The reply code for an unknown recipient in $relay_domains.",
    **_CODE,
)
