"""A message's envelope as bytes: a checksum, then MessagePack.

Everything but what the columns have (due, owner, held, expired).  Addresses may hold bytes that
are not UTF-8 (as surrogates); MessagePack's strings may not, so such an envelope has its texts as
byte strings.  The checksum finds a damaged row before its recipients are believed.
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from postroad.model.message import Message, Recipient

_EIGHT_BIT, _SMTPUTF8, _WARNED = 1, 2, 4
_DONE, _RECIPIENT_WARNED = 1, 2


class DamagedEnvelope(ValueError):  # noqa: N818 - what it is
    """The bytes are not an envelope that was written here."""


class _Recipient(msgspec.Struct, array_like=True, frozen=True):
    address: str
    original: str
    notify: int
    orcpt: str
    reason: str
    status: str
    remote: str
    flags: int


class _Envelope(msgspec.Struct, array_like=True, frozen=True):
    sender: str
    recipients: list[_Recipient]
    arrival: float
    size: int
    attempts: int
    flags: int
    ret: str
    envid: str
    attributes: dict[str, str]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Envelope).decode
_decode_raw = msgspec.msgpack.Decoder().decode


def pack(message: Message) -> bytes:
    """Return the envelope's bytes."""
    value = (
        message.sender,
        [
            (r.address, r.original, r.notify, r.orcpt, r.reason, r.status, r.remote, r.done | r.warned << 1)
            for r in message.recipients
        ],
        message.arrival,
        message.size,
        message.attempts,
        message.eight_bit | message.smtputf8 << 1 | message.warned << 2,
        message.ret,
        message.envid,
        message.attributes,
    )
    try:
        data = _encode(value)
    except UnicodeEncodeError:
        data = _encode(_to_bytes(value))
    return zlib.crc32(data).to_bytes(4, "big") + data


def unpack(key: int, data: bytes) -> Message:
    """Return the message; DamagedEnvelope if it cannot be read."""
    body = data[4:]
    if len(data) < 5 or zlib.crc32(body) != int.from_bytes(data[:4], "big"):
        raise DamagedEnvelope("checksum differs")
    try:
        envelope = _decode(body)
    except msgspec.ValidationError:
        try:
            envelope = msgspec.convert(_to_text(_decode_raw(body)), _Envelope)
        except (msgspec.MsgspecError, ValueError) as error:
            raise DamagedEnvelope(str(error)) from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise DamagedEnvelope(str(error)) from error
    return _message(key, envelope)


def _message(key: int, envelope: _Envelope) -> Message:
    recipients = []
    for r in envelope.recipients:
        recipient = Recipient(r.address, r.original, r.notify, r.orcpt)
        recipient.reason, recipient.status, recipient.remote = r.reason, r.status, r.remote
        recipient.done = bool(r.flags & _DONE)
        recipient.warned = bool(r.flags & _RECIPIENT_WARNED)
        recipients.append(recipient)
    message = Message(key, envelope.sender, recipients, envelope.arrival)
    message.size, message.attempts = envelope.size, envelope.attempts
    message.ret, message.envid, message.attributes = envelope.ret, envelope.envid, envelope.attributes
    message.eight_bit = bool(envelope.flags & _EIGHT_BIT)
    message.smtputf8 = bool(envelope.flags & _SMTPUTF8)
    message.warned = bool(envelope.flags & _WARNED)
    return message


def _to_bytes(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, list | tuple):
        return [_to_bytes(member) for member in value]
    if isinstance(value, dict):
        return {_to_bytes(name): _to_bytes(member) for name, member in value.items()}
    return value


def _to_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list):
        return [_to_text(member) for member in value]
    if isinstance(value, dict):
        return {_to_text(name): _to_text(member) for name, member in value.items()}
    return value
