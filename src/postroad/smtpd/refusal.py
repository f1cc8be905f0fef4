"""A refusal as the log has it, and as it is kept for who asks later why."""

from __future__ import annotations

from postroad.mail.address import to_external
from postroad.model.explain import Refusal
from postroad.model.reply import Reply
from postroad.model.session import Session


def concerning(session: Session, recipient: str) -> str:
    """Return the end of a refusal's line: what mail it was about."""
    tail = [""]
    if session.transaction.sender is not None:
        tail.append(f"from=<{to_external(session.transaction.sender)}>")
    if recipient:
        tail.append(f"to=<{to_external(recipient)}>")
    tail.append(f"proto={session.protocol}")
    if session.helo:
        tail.append(f"helo=<{session.helo}>")
    return " ".join(tail)


def record_of(session: Session, reply: Reply, *, now: float, service: str, queue_id: str, command: str, recipient: str) -> Refusal:  # fmt: skip  # noqa: E501
    """Return the record of a refusal; ``session.why`` is used up."""
    why, session.why = session.why, None
    trail, behind = why() if why is not None else (None, None)
    client, sender = session.client, session.transaction.sender
    return Refusal(
        time=now,
        queue_id=queue_id,
        service=service,
        command=command,
        client_address=client.address,
        client_name=client.name,
        helo=session.helo,
        sender=None if sender is None else to_external(sender),
        recipient=to_external(recipient) if recipient else "",
        login=session.sasl_username,
        reply=reply.line(),
        trail=trail,
        behind=behind,
    )
