from __future__ import annotations

import asyncio
import socket

from postroad.app.doors import Doors


class Service:
    def protocol(self):
        return asyncio.Protocol()


async def test_doors_are_shut_and_given_up():
    sock = socket.create_server(("127.0.0.1", 0))
    doors = Doors()
    doors.add(sock, Service())
    await doors.open()
    doors.shut(True)
    doors.shut(False)
    await doors.close()
    assert sock.fileno() == -1
