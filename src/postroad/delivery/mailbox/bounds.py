"""What the privileged helper and its writers do at most, whatever they are asked."""

from __future__ import annotations

import os
from dataclasses import dataclass

from postroad.delivery.mailbox.folder import parts_of
from postroad.delivery.mailbox.request import Delivery


@dataclass(frozen=True)
class Bounds:
    """Set by the supervisor, not by requests."""

    bases: tuple[bytes, ...]
    minimum_uid: int = 100
    minimum_gid: int = 1

    def owner_complaint(self, uid: int, gid: int) -> str:
        """Return why nothing is written with the rights of this owner, "" when it may be."""
        if uid < max(self.minimum_uid, 1):
            return f"user ID {uid} is lower than {self.minimum_uid}"
        if gid < max(self.minimum_gid, 1):
            return f"group ID {gid} is lower than {self.minimum_gid}"
        return ""

    def complaint(self, delivery: Delivery) -> str:
        """Return why a delivery is not made, "" when it may be."""
        complaint = self.owner_complaint(delivery.uid, delivery.gid)
        if complaint:
            return complaint
        if delivery.base not in self.bases or not delivery.base.startswith(b"/"):
            return f"{os.fsdecode(delivery.base)} is not a place for mailboxes"
        try:
            parts_of(delivery.path)
        except ValueError as error:
            return str(error)
        return ""
