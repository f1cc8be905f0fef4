"""Parameters that only this room obeys."""

from __future__ import annotations

from postroad.base.params import Group

params = Group("auth")
