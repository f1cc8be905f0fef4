"""Parameters of milters."""

from __future__ import annotations

from postroad.base.params import Group

params = Group("filters")
