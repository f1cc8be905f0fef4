"""Whether a client may have a session, and what it may do in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.model.reply import Reply
from postroad.proto.options import BareNewline
from postroad.smtpd import events

if TYPE_CHECKING:
    from postroad.smtpd.connection import Connection


async def admit(connection: Connection) -> Reply | None:
    """Find out who a client is; return the refusal of one that may have no session."""
    service, machine, client = connection.service, connection.machine, connection.session.client
    if service.local:
        machine.bare = BareNewline.NORMALIZE  # whatever strangers may do
        return None
    if service.identify is not None:
        await service.identify(client)
    connection.known = True
    service.log.emit(events.CONNECT, client.named_address)
    if connection.turned_away is not None:
        return connection.turned_away
    clients, tally = service.clients, service.tally
    if clients.has_proxies:
        await authorize(connection)
        machine.xforward = await clients.may_xforward(client)
    # Who speaks for others is not counted: it would be refused for what they do.
    if (tally.connection_limit or tally.rates) and not machine.xclient:
        refusal = None if await clients.uncounted.has(client) else count(connection)
        if refusal is not None:
            return refusal
    await recognize(connection)
    return None


async def authorize(connection: Connection) -> None:
    """Find out whether the client, as it is known now, may say that it is another one.

    XFORWARD stays with who has connected.
    """
    clients = connection.service.clients
    connection.machine.xclient = await clients.may_xclient(connection.session.client)


async def recognize(connection: Connection) -> None:
    """Find out what the client, as it is known now, may do."""
    service, machine, client = connection.service, connection.machine, connection.session.client
    machine.discards = await service.discards.of(client)
    if service.filters is not None:
        connection.hooks.filters = await service.filters.session(connection.session)
    if service.options.auth:
        machine.auth_hidden = await service.clients.auth_hidden.has(client)
    allowed = await service.clients.bare_newline.has(client)
    machine.bare = BareNewline.ALLOW if allowed else service.options.bare_newline


def count(connection: Connection) -> Reply | None:
    """Count the session among those of its client; return the refusal when they are too many."""
    service, client = connection.service, connection.session.client
    tally = service.tally
    if tally.rates is not None:
        connection.hooks.rates = tally.rates
        refusal = tally.rates.connection(client)
        if refusal is not None:
            return refusal
    if not tally.connection_limit:
        return None
    connection.entered = tally.networks.of(client.address)
    number = tally.sessions.enter(connection.entered)
    if service.filters is not None:
        connection.session.memory["client_connections"] = number
    if number <= tally.connection_limit:
        return None
    service.log.emit(events.TOO_MANY_SESSIONS, number, client.named_address, service.name)
    text = f"{service.options.hostname} Error: too many connections from {client.address}"
    return Reply(421, "4.7.0", text)
