"""The stages as one: sockets to their services, and the end of those that clients under test go to."""

from __future__ import annotations

import asyncio
import socket

from app.texts import config_of
from postroad.app.build import build

MASTER = "2525 inet n - n - 1 postscreen\n2527 inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd\n"


def made(core, tmp_path):
    return build(config_of(f"data_directory = {tmp_path}\n", MASTER, port=2526), core)


async def test_sockets_go_to_their_services_and_others_are_closed(core, tmp_path):
    stages = made(core, tmp_path)
    known, unknown, submit = (socket.create_server(("127.0.0.1", 0)) for _ in range(3))
    await stages.listen([("2525/inet", known), ("gone/inet", unknown)], submit)
    assert unknown.fileno() == -1
    with socket.create_connection(known.getsockname()):
        while not stages.sessions:  # it is accepted
            await asyncio.sleep(0.001)
        assert stages.screens["2525/inet"].sessions == 1
        await stages.drain_sessions(1)
    await stages.stop_listening()
    assert known.fileno() == -1
    submit.close()


async def test_a_service_ends_after_the_last_client_of_every_postscreen(core, tmp_path):
    stages = made(core, tmp_path)
    ended = []
    stages.services["smtpd/pass"].retire = lambda: ended.append("smtpd")
    first, second = stages.screens.values()
    kept = []
    second.retire = kept.append
    await stages.retire()
    assert first.sessions == 0
    assert ended == []
    kept[0]()
    assert ended == ["smtpd"]
