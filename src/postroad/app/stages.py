"""The stages under one set of settings, and what is done with all of them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from postroad.app.doors import Doors
from postroad.listener.postscreen import Postscreen, Target
from postroad.model.ports import Agent, Outcomes
from postroad.routing.router import Router
from postroad.scheduler.transport import TransportLanes
from postroad.smtpd.service import SmtpdService


@dataclass(slots=True)
class Stages:
    """The stages under one set of settings."""

    router: Router
    transports: Mapping[str, TransportLanes]
    outcomes: Outcomes
    services: Mapping[str, SmtpdService]
    screens: Mapping[str, Postscreen]
    submission: SmtpdService
    agents: Sequence[Agent]
    doors: dict[str, Doors]

    async def listen(self, sockets: Sequence[tuple[str, socket.socket]], submit: socket.socket) -> None:
        """Accept connections for the services; ``submit`` is the local users' socket."""
        for name, sock in sockets:
            service = self.services.get(name) or self.screens.get(name)
            if service is not None:
                self.doors.setdefault(name, Doors()).add(sock, service)
            else:
                sock.close()
        # The socket of local users outlives this set of settings.
        self.doors[""].add(submit.dup(), self.submission)
        await asyncio.gather(*(doors.open() for doors in self.doors.values()))

    async def stop_listening(self) -> None:
        """Accept no more."""
        await asyncio.gather(*(doors.close() for doors in self.doors.values()))

    @property
    def sessions(self) -> int:
        """Return how many sessions there are, and clients that may have one yet."""
        screened = sum(screen.sessions for screen in self.screens.values())
        return screened + sum(service.sessions for service in (*self.services.values(), self.submission))

    async def drain_sessions(self, seconds: float) -> None:
        """End the sessions: those at their final dot are finished first."""
        for screen in self.screens.values():
            screen.drain()
        every = [*self.services.values(), self.submission]
        await asyncio.gather(*(service.drain(seconds) for service in every))

    async def close_agents(self) -> None:
        """End idle connections of the agents."""
        await asyncio.gather(*(agent.close() for agent in self.agents))

    async def retire(self) -> None:
        """After a reload: sessions go on as long as they like, agents end their idle connections."""
        passed = [each.target for each in self.screens.values()]
        for service in self.services.values():
            if service not in passed:
                service.retire()
        for target in {id(each): each for each in passed}.values():
            self._retire_behind(target)
        await self.close_agents()

    def _retire_behind(self, target: Target) -> None:
        """Let the last client under test go to its service before that is told that nobody comes any more."""
        left = [each for each in self.screens.values() if each.target is target]

        def through(screen: Postscreen) -> None:
            left.remove(screen)
            if not left and isinstance(target, SmtpdService):
                target.retire()

        for each in tuple(left):
            each.retire(partial(through, each))
