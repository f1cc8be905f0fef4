"""What a reply may say of a session: the names in default_rbl_reply and smtpd_reject_footer."""

from __future__ import annotations

from postroad.model.session import Session


def facts_of(session: Session, recipient: str | None) -> dict[str, str]:
    """Return the values by name (postconf(5), default_rbl_reply); ``recipient`` is None for none."""
    client = session.client
    return {
        "client": client.named_address,
        "client_address": client.address,
        "client_port": str(client.port),
        "client_name": client.name,
        "reverse_client_name": client.reverse_name,
        "helo_name": session.helo,
        **_parts("sender", session.transaction.sender),
        **_parts("recipient", recipient),
    }


def _parts(name: str, address: str | None) -> dict[str, str]:
    if address is None:
        return {name: "", f"{name}_name": "", f"{name}_domain": ""}
    local, _, domain = address.rpartition("@") if "@" in address else (address, "", "")
    return {name: address or "<>", f"{name}_name": local or "<>", f"{name}_domain": domain}
