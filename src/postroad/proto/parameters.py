"""The parameters of MAIL and RCPT."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from postroad.model.message import DELAY, FAILURE, NEVER, SUCCESS
from postroad.model.reply import Reply
from postroad.model.session import Transaction
from postroad.proto import xtext

_NOTIFY = {"SUCCESS": SUCCESS, "FAILURE": FAILURE, "DELAY": DELAY, "NEVER": NEVER}
_LARGEST = (1 << 63) - 1
_BAD_SIZE = Reply(501, "5.5.4", "Bad message size syntax")
_SIZE_OVERFLOW = Reply(552, "5.3.4", "Message size exceeds file system imposed limit")
_NO_DSN = Reply(501, "5.7.1", "DSN support is disabled")
_TWO_SENDERS = Reply(503, "5.5.4", "Error: multiple AUTH= options")
_BAD_RET = Reply(501, "5.5.4", "Bad RET parameter syntax")
_BAD_ENVID = Reply(501, "5.5.4", "Bad ENVID parameter syntax")
_BAD_NOTIFY = Reply(501, "5.5.4", "Error: Bad NOTIFY parameter syntax")
_BAD_ORCPT = Reply(501, "5.5.4", "Error: Bad ORCPT parameter syntax")


def unsupported(word: str) -> Reply:
    """Return the refusal of a parameter that the server does not know."""
    return Reply(555, "5.5.4", f"Unsupported option: {word}")


def read_mail(words: Sequence[str], transaction: Transaction, discards: Collection[str], *, smtputf8: bool) -> Reply | None:  # fmt: skip  # noqa: E501
    """Note the parameters of MAIL in the transaction.  A Reply refuses; the transaction is then void."""
    for word in words:
        name, equals, value = word.partition("=")
        name = name.upper()
        refusal: Reply | None = None
        if name == "SIZE" and equals:
            refusal = _read_size(value, transaction)
        elif name == "BODY" and value.upper() in ("7BIT", "8BITMIME"):  # RFC 6152 2
            transaction.eight_bit = value.upper() == "8BITMIME"
        elif name == "SMTPUTF8" and not equals and smtputf8:  # RFC 6531 3.4
            transaction.smtputf8 = True
        elif name == "AUTH" and equals:  # RFC 4954 5: taken from clients that have not logged in as well
            refusal = _TWO_SENDERS if transaction.auth else None
            transaction.auth = "" if value == "<>" else value
        elif name in ("RET", "ENVID") and equals:
            refusal = _NO_DSN if "dsn" in discards else _read_dsn(name, value, transaction)
        else:
            refusal = unsupported(word)
        if refusal is not None:
            return refusal
    return None


def _read_size(value: str, transaction: Transaction) -> Reply | None:
    """RFC 1870 6: digits only."""
    if not (value.isascii() and value.isdigit()):
        return _BAD_SIZE
    digits = value.lstrip("0")
    if len(digits) > 19 or int(digits or "0") > _LARGEST:
        return _SIZE_OVERFLOW
    transaction.size = int(digits or "0")
    return None


def _read_dsn(name: str, value: str, transaction: Transaction) -> Reply | None:
    """RFC 3461 4.3 and 4.4: each at most once."""
    if name == "RET":
        if transaction.ret or value.upper() not in ("FULL", "HDRS"):
            return _BAD_RET
        transaction.ret = value.upper()
        return None
    try:
        envid = xtext.decode(value)
    except ValueError:
        return _BAD_ENVID
    if transaction.envid or not envid or not envid.isascii():
        return _BAD_ENVID
    transaction.envid = envid
    return None


def read_recipient(words: Sequence[str], discards: Collection[str]) -> tuple[int, str] | Reply:
    """Return NOTIFY's bits and ORCPT (decoded, with its type) of a RCPT, or the refusal."""
    notify, orcpt = 0, ""
    for word in words:
        name, equals, value = word.partition("=")
        name = name.upper()
        if name not in ("NOTIFY", "ORCPT") or not equals:
            return unsupported(word)
        if "dsn" in discards:
            return _NO_DSN
        if name == "NOTIFY":
            notify = 0 if notify else _notify_bits(value)
            if not notify:
                return _BAD_NOTIFY
        else:
            orcpt = "" if orcpt else _original(value)
            if not orcpt:
                return _BAD_ORCPT
    return notify, orcpt


def _notify_bits(value: str) -> int:
    """RFC 3461 4.1: NEVER stands alone.  Empty members are let pass, as Postfix does; 0 is bad."""
    bits = 0
    for member in value.upper().split(","):
        if member and member not in _NOTIFY:
            return 0
        bits |= _NOTIFY.get(member, 0)
    return 0 if bits & NEVER and bits != NEVER else bits


def _original(value: str) -> str:
    """RFC 3461 4.2, RFC 6533 3: ``type;address``; "" is bad."""
    kind, semicolon, address = value.partition(";")
    if not kind or not semicolon:
        return ""
    try:
        return f"{kind};{xtext.decode_unicode(address) if kind.lower() == 'utf-8' else xtext.decode(address)}"
    except ValueError:
        return ""
