"""Parameters of what follows from an attempt: notices, and their limits (bounce(8))."""

from __future__ import annotations

from postroad.base.kinds import INT, LIST, STRING
from postroad.base.params import Group, Param

params = Group("outcome")

BOUNCE_SIZE_LIMIT = params.declare(
    "bounce_size_limit",
    INT,
    "50000",
    "The most bytes of a message that is returned whole; of a larger one the header is.",
    low=1,
)
BOUNCE_NOTICE_RECIPIENT = params.declare(
    "bounce_notice_recipient",
    STRING,
    "postmaster",
    "Who gets a copy of the header of each bounce (class bounce).",
)
DOUBLE_BOUNCE_NOTICE_RECIPIENT = params.declare(
    "2bounce_notice_recipient",
    STRING,
    "postmaster",
    "Who gets bounces that cannot be returned (class 2bounce).",
)
DELAY_NOTICE_RECIPIENT = params.declare(
    "delay_notice_recipient",
    STRING,
    "postmaster",
    "Who gets a copy of the header of late mail (class delay).",
)
DEFAULT_DELIVERY_STATUS_FILTER = params.declare(
    "default_delivery_status_filter",
    LIST,
    "",
    "The tables that are asked about what an agent reports, as 'status text', and may put another status and"
    " text in its place; a success stays a success, and a failure a failure.",
)
DELIVERY_STATUS_FILTER: dict[str, Param[tuple[str, ...]]] = {
    program: params.declare(
        f"{program}_delivery_status_filter",
        LIST,
        "$default_delivery_status_filter",
        f"The delivery status filter of {who}.",
    )
    for program, who in (
        ("smtp", "the SMTP client"),
        ("lmtp", "the LMTP client"),
        ("local", "local delivery"),
        ("virtual", "virtual delivery"),
    )
}
