"""Parameters of handing in mail on this machine."""

from __future__ import annotations

from postroad.base.kinds import choice
from postroad.base.params import Group

params = Group("admin")

FIX_LINE_ENDINGS = params.declare(
    "sendmail_fix_line_endings",
    choice("always", "strict", "never"),
    "always",
    "When sendmail takes CRLF for a line's end: always, if the first line ends so (strict), or never.",
)
