"""Where an address goes: its class, transport and next hop."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class AddressClass(Enum):
    """Postfix's address classes (ADDRESS_CLASS_README)."""

    LOCAL = "local"
    VIRTUAL_ALIAS = "virtual_alias"
    VIRTUAL_MAILBOX = "virtual_mailbox"
    RELAY = "relay"
    DEFAULT = "default"


class Route(NamedTuple):
    """The answer of routing.  ``nexthop`` is as configured: ``[host]:port``, a domain, error text ..."""

    transport: str
    nexthop: str
    recipient: str
    address_class: AddressClass
