"""The envelope of a message for one server: what can be said to it, and what cannot."""

from __future__ import annotations

from postroad.model.outcome import Outcome
from postroad.proto.client_commands import UnsendableAddress, mail_command, needs_smtputf8, rcpt_command
from postroad.proto.client_features import Features
from postroad.proto.client_values import Dispatch, Manners, Peer
from postroad.proto.client_xforward import introduction


def envelope(dispatch: Dispatch, features: Features, peer: Peer, manners: Manners) -> list[bytes]:
    """Return XFORWARD, MAIL and the RCPTs; empty when no recipient can be tried here.

    Recipients that cannot be tried get their outcomes; ``asked`` are the others.
    """
    message = dispatch.message
    dispatch.introduced = []  # another server may have been asked before
    if 0 < features.size_limit < dispatch.size:  # RFC 1870 6.1
        limit = f"exceeds size limit {features.size_limit} of server {peer.host}"
        dispatch.rest(Outcome("5.3.4", f"message size {dispatch.size} {limit}", peer.relay))
        return []
    utf8 = needs_smtputf8(message, dispatch.recipients)
    if (utf8 or (message.smtputf8 and dispatch.utf8_header)) and not features.smtputf8:
        text = f"SMTPUTF8 is required, but was not offered by host {peer.host}"
        dispatch.rest(Outcome("5.6.7", text, peer.relay))  # RFC 6531 3.5
        return []
    utf8 = utf8 or message.smtputf8
    converted = message.eight_bit and not features.eight_bit and manners.convert_8bit
    size = 0 if converted else dispatch.size
    try:
        commands = [mail_command(message, features, size, manners.external, smtputf8=utf8)]
    except UnsendableAddress:
        dispatch.rest(Outcome("5.1.7", "the sender address has a control character", peer.relay))
        return []
    asked: list[int] = []
    for index, recipient in enumerate(dispatch.recipients):
        try:
            commands.append(rcpt_command(recipient, features, manners.external, smtputf8=utf8))
            asked.append(index)
        except UnsendableAddress:
            text = "the recipient address has a control character"
            dispatch.outcomes[index] = Outcome("5.1.3", text, peer.relay)
    dispatch.asked = asked
    if not asked:
        return []
    if manners.xforward and features.xforward:
        dispatch.introduced = introduction(message, features.xforward)
        return dispatch.introduced + commands
    return commands
