"""What a probe found out about an address (Postfix's ADDRESS_VERIFICATION_README)."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Deliverability(Enum):
    """Whether mail for an address would be taken."""

    GOOD = "deliverable"
    BAD = "undeliverable"
    UNKNOWN = "undecided"  # the probe ended with a 4xx
    PENDING = "pending"  # it has not ended


class Verification(NamedTuple):
    """What is known of an address; ``text`` is who said so, or why not."""

    state: Deliverability
    text: str


IN_PROGRESS = Verification(Deliverability.PENDING, "Address verification in progress")
