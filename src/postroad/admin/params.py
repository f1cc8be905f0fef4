"""Parameters of handing in mail on this machine."""

from __future__ import annotations

from postroad.base.kinds import LIST, choice
from postroad.base.params import Group

params = Group("admin")

FIX_LINE_ENDINGS = params.declare(
    "sendmail_fix_line_endings",
    choice("always", "strict", "never"),
    "always",
    "When sendmail takes CRLF for a line's end: always, if the first line ends so (strict), or never.",
)
ALTERNATE_DIRECTORIES = params.declare(
    "alternate_config_directories",
    LIST,
    "",
    "The configuration directories that users besides root may name with sendmail -C.",
)
INSTANCE_DIRECTORIES = params.declare(
    "multi_instance_directories",
    LIST,
    "",
    "Configuration directories of further instances; sendmail -C may name them as well.",
)
