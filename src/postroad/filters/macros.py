"""The Sendmail macros that go with events: their names by stage, and their values as Postfix has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from postroad.base.errors import TableUnavailable
from postroad.base.ids import id_of
from postroad.base.params import Settings
from postroad.filters import params as p
from postroad.mail.address import to_external
from postroad.model.params import MYHOSTNAME
from postroad.model.ports import Router
from postroad.model.reply import Reply
from postroad.model.session import Session
from postroad.proto.milter import codec

_ROUTED: Final = frozenset({"{mail_host}", "{mail_mailer}", "{rcpt_host}", "{rcpt_mailer}"})
_PARAMS: Final = {
    codec.CONNECT: p.MILTER_CONNECT_MACROS,
    codec.HELO: p.MILTER_HELO_MACROS,
    codec.MAIL: p.MILTER_MAIL_MACROS,
    codec.RCPT: p.MILTER_RCPT_MACROS,
    codec.DATA: p.MILTER_DATA_MACROS,
    codec.END_OF_HEADER: p.MILTER_END_OF_HEADER_MACROS,
    codec.END: p.MILTER_END_OF_DATA_MACROS,
    codec.UNKNOWN: p.MILTER_UNKNOWN_COMMAND_MACROS,
}
#: What is sent with a packet of header or body: the macros of what ends it.
_SAME: Final = {codec.HEADER: codec.END_OF_HEADER, codec.BODY: codec.END}


@dataclass(slots=True)
class Moment:
    """What macros are asked about: a session, the recipient that is looked at, and why it is refused."""

    session: Session
    recipient: str | None = None
    refusal: Reply | None = None
    routed: bool = True  # next hops may be asked for
    routes: dict[str, tuple[str, str]] = field(default_factory=dict)  # of addresses: next hop, transport


class Macros:
    """The macros of one service.

    How many sessions a client has is in its session's memory, as client_connections; 0 where nobody counts.
    ValueError for defaults that cannot be read.
    """

    __slots__ = ("_defaults", "_fixed", "_names", "_router")

    def __init__(self, settings: Settings, router: Router | None = None) -> None:
        self._names = {event: settings[param] for event, param in _PARAMS.items()}
        self._defaults = dict(_default(word) for word in settings[p.MILTER_MACRO_DEFAULTS])
        self._fixed = {
            "j": settings[MYHOSTNAME],
            "v": settings[p.MILTER_MACRO_V],
            "{daemon_name}": settings[p.MILTER_MACRO_DAEMON_NAME],
        }
        self._router = router

    def names(self, event: bytes, symbols: dict[bytes, tuple[str, ...]]) -> tuple[str, ...]:
        """Return the macros of an event; what the milter asked for goes before what is configured."""
        stage = _SAME.get(event, event)
        return symbols.get(stage, self._names[stage])

    async def route(self, moment: Moment, names: Iterable[str]) -> None:
        """Look up the next hops that these macros need, as far as that can be done."""
        if self._router is None or not moment.routed or _ROUTED.isdisjoint(names):
            return
        sender = moment.session.transaction.sender
        for address in (sender, moment.recipient):
            if address is None or address in moment.routes:
                continue
            try:
                known = self._router.remembered(address)
                if known is not None:
                    moment.routes[address] = known[1] or address.rpartition("@")[2], known[0]
                    continue
                found = await self._router.route(address, sender or "")
            except TableUnavailable:
                continue  # the macro is not sent
            moment.routes[address] = found.nexthop or found.recipient.rpartition("@")[2], found.transport

    def values(self, moment: Moment, names: Iterable[str]) -> dict[str, str]:
        """Return the macros that have a value now, in the order of the names."""
        found: dict[str, str] = {}
        for name in names:
            value = self._value(name, moment)
            if value is None:
                value = self._defaults.get(name)
            if value is not None:
                found[name] = value
        return found

    def _value(self, name: str, moment: Moment) -> str | None:
        if name in self._fixed:
            return self._fixed[name]
        reader = _READERS.get(name)
        return None if reader is None else reader(moment)


def _default(word: str) -> tuple[str, str]:
    text = word[1:-1] if word.startswith("{") and word.endswith("}") and "=" in word[1:-1] else word
    name, equals, value = text.partition("=")
    name = name.strip()
    if not name or not equals:
        raise ValueError(f"{p.MILTER_MACRO_DEFAULTS.name}: missing '=' after attribute name: \"{word}\"")
    return name, value.strip()


def _reverse_name(moment: Moment) -> str:
    client = moment.session.client
    return client.reverse_name if client.local_uid is None else client.name


def _client(moment: Moment) -> str:
    client, name = moment.session.client, _reverse_name(moment)
    forged = "" if client.name.lower() == name.lower() else " (may be forged)"
    return f"{name} [{client.address}]{forged}"


def _client_address(moment: Moment) -> str:
    address = moment.session.client.address
    return f"IPv6:{address}" if ":" in address else address


def _resolved(moment: Moment) -> str:
    client = moment.session.client
    if client.name_code == 2:
        return "OK"
    if client.reverse_name_code == 2 and client.name_code == 5:
        return "FORGED"
    return "TEMP" if client.name_code == 4 else "FAIL"


def _queue_id(moment: Moment) -> str | None:
    key = moment.session.transaction.queue_key
    return id_of(key) if key else None


def _tls(name: str) -> Callable[[Moment], str | None]:
    def read(moment: Moment) -> str | None:
        facts = moment.session.tls_facts
        return None if facts is None else str(getattr(facts, name))

    return read


def _certificate(name: str) -> Callable[[Moment], str | None]:
    def read(moment: Moment) -> str | None:
        facts = moment.session.tls_facts
        if facts is None or facts.peer is None or not facts.peer.trusted:
            return None
        return str(getattr(facts.peer, name))

    return read


def _routed(whose: str, which: int) -> Callable[[Moment], str | None]:
    def read(moment: Moment) -> str | None:
        if whose == "rcpt" and moment.refusal is not None:
            return "error" if which else moment.refusal.status
        address = moment.recipient if whose == "rcpt" else moment.session.transaction.sender
        return moment.routes[address][which] if address in moment.routes else None

    return read


def _sender(moment: Moment) -> str | None:
    sender = moment.session.transaction.sender
    return None if sender is None else to_external(sender)


def _recipient(moment: Moment) -> str | None:
    if moment.refusal is not None:
        text = moment.refusal.text.replace("\n", " ")
        return text.partition(">: ")[2] or text
    return None if moment.recipient is None else to_external(moment.recipient)


_READERS: Final[dict[str, Callable[[Moment], str | None]]] = {
    "i": _queue_id,
    "_": _client,
    "{client_addr}": _client_address,
    "{client_port}": lambda moment: str(moment.session.client.port),
    "{client_name}": lambda moment: moment.session.client.name,
    "{client_ptr}": _reverse_name,
    "{client_resolve}": _resolved,
    "{client_connections}": lambda moment: str(moment.session.memory.get("client_connections", 0)),
    "{daemon_addr}": lambda moment: moment.session.client.server_address or None,
    "{daemon_port}": lambda moment: str(moment.session.client.server_port),
    "{tls_version}": _tls("protocol"),
    "{cipher}": _tls("cipher"),
    "{cipher_bits}": _tls("used_bits"),
    "{cert_subject}": _certificate("subject"),
    "{cert_issuer}": _certificate("issuer"),
    "{auth_type}": lambda moment: moment.session.sasl_method or None,
    "{auth_authen}": lambda moment: moment.session.sasl_username or None,
    "{auth_author}": lambda moment: moment.session.sasl_sender or None,
    "{mail_addr}": _sender,
    "{mail_host}": _routed("mail", 0),
    "{mail_mailer}": _routed("mail", 1),
    "{rcpt_addr}": _recipient,
    "{rcpt_host}": _routed("rcpt", 0),
    "{rcpt_mailer}": _routed("rcpt", 1),
}
