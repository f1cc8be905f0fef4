"""A connection that a proxy has passed on: its first bytes say whose it is (PROXY protocol)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.model.reply import Reply
from postroad.proto import proxy
from postroad.smtpd import events
from postroad.smtpd.connection import Connection

if TYPE_CHECKING:
    from postroad.smtpd.service import SmtpdService

#: Bytes of a bad header that the log has.
_SHOWN = 100


class ProxiedConnection(Connection):
    """Reads the header before anything else, also before TLS, and never a second one."""

    __slots__ = ("_header",)

    def __init__(self, service: SmtpdService) -> None:
        super().__init__(service)
        self._header: bytes | None = b""

    def begin(self) -> None:
        """Wait for the header, if it is not there yet."""
        if self._header is None:
            super().begin()
            return
        self._begun = True
        self.deadline = self._loop.time() + self._timing.proxy_timeout
        self.service.wheel.join(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes: of the header, then of the client."""
        if self._header is None:
            super().data_received(data)
            return
        header = self._header + data
        try:
            found = proxy.parse(header)
        except proxy.ProxyError as error:
            shown = header[:_SHOWN].decode("latin-1").encode("unicode_escape").decode()
            self._turn_away(f"{error}: {shown}")
            return
        if found is None:  # there is a limit to what parse waits for
            self._header = header
            return
        if not found.local:
            client = self.session.client
            client.address, client.port = found.client_address, found.client_port
            client.server_address, client.server_port = found.server_address, found.server_port
        self._pass()
        if len(header) > found.size:
            super().data_received(header[found.size :])

    def eof_received(self) -> bool:
        """The proxy sends no more."""
        if self._header is not None:
            self._turn_away("EOF")
        return super().eof_received()

    def expired(self) -> None:
        """The header did not come in time, or what follows it."""
        if self._header is not None:
            self._turn_away("timeout error")
        else:
            super().expired()

    def _turn_away(self, why: str) -> None:
        """Nobody knows whose the connection is: nothing is done for it."""
        self.service.log.emit(events.NO_PROXY_HEADER, why)
        hostname = self.machine.options.hostname
        self.turned_away = Reply(421, "4.3.0", f"{hostname} Server local error")
        self._pass()

    def _pass(self) -> None:
        self._header = None
        if self._begun:
            super().begin()
