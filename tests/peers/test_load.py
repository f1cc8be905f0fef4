"""Many messages through a relay: as many come out as went in, each whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from peers.harness import Postroad, until
from peers.programs import smtp_sink, smtp_source

pytestmark = pytest.mark.peer


@pytest.mark.parametrize(("sessions", "messages", "workers"), [(1, 20, 1), (10, 200, 2)])
def test_every_message_of_smtp_source_reaches_smtp_sink_once(
    place: Path, sessions: int, messages: int, workers: int
) -> None:
    with (
        smtp_sink(place) as sink,
        Postroad(place, main=f"relayhost = [127.0.0.1]:{sink.port}", workers=workers) as server,
    ):
        arguments = ["-s", str(sessions), "-m", str(messages), "-l", "3000", "-N", "-f", "s@client.example"]
        smtp_source(server.host, server.port, *arguments, "-t", "r@far.example")
        until(lambda: len(sink.messages()) >= messages, 30, lambda: f"{len(sink.messages())} of {messages}")
        server.wait_empty()
        found = sink.messages()
        subjects = {re.search(rb"(?mi)^X-Rcpt-Args: <(.*)>", each)[1] for each in found}  # type: ignore[index]
        assert len(found) == messages
        assert len(subjects) == messages  # -N numbers the recipients
        assert all(len(each) > 3000 for each in found)


def test_several_recipients_of_a_message_travel_together(place: Path) -> None:
    with smtp_sink(place) as sink, Postroad(place, main=f"relayhost = [127.0.0.1]:{sink.port}") as server:
        arguments = ["-r", "7", "-m", "5", "-t", "r@far.example", "-f", "s@client.example"]
        smtp_source(server.host, server.port, *arguments)
        # smtp-sink makes a file before it has written it
        until(lambda: [each.count(b"X-Rcpt-Args:") for each in sink.messages()] == [7] * 5, 30)
        server.wait_empty()


LACKS = {"-p": "pipelining", "-8": "8BITMIME", "-E": "status codes", "-e": "ESMTP", "-N": "DSN"}


@pytest.mark.parametrize("option", LACKS, ids=LACKS.values())
def test_a_next_hop_that_lacks_an_extension_gets_the_mail(place: Path, option: str) -> None:
    with (
        smtp_sink(place, option) as sink,
        Postroad(place, main=f"relayhost = [127.0.0.1]:{sink.port}") as server,
    ):
        smtp_source(server.host, server.port, "-m", "3", "-s", "3", "-t", "r@far.example")
        until(lambda: len(sink.messages()) == 3, 30)
