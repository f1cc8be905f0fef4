"""Servers that are heard through a filter."""

from __future__ import annotations

import asyncio

import pytest

from postroad.base.errors import TableUnavailable

QUEUED = "250 2.0.0 Ok: queued as 12345"


class Slow:
    """A filter that waits for each answer."""

    def __init__(self, replaced=None, error=None):
        self.replaced = replaced or {}
        self.error = error
        self.asked = []

    async def __call__(self, line):
        self.asked.append(line)
        for _ in range(5):
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, None)
            await future
        if self.error is not None and line.startswith(self.error[0]):
            raise self.error[1]
        return self.replaced.get(line)


async def test_without_a_filter_there_is_an_ordinary_connection(servers, post, job_of):
    made = post(await servers())
    assert made.agent._dialer._reply_filter is None
    assert (await made.texts(job_of()))[0][0] == "2.0.0"
    assert not any("replacing" in line for line in made.lines)


@pytest.mark.parametrize("program", ["smtp", "lmtp"])
async def test_a_line_is_replaced_and_noted(servers, post, job_of, program):
    server = await servers()
    server.lmtp = program == "lmtp"
    table = "inline:{ {" + QUEUED.lower() + " = 452 4.2.2 full} }"
    made = post(server, program=program, **{f"{program}_reply_filter": table})
    text = f"host {server.named} said: 452 4.2.2 full (in reply to end of DATA command)"
    assert await made.texts(job_of()) == [("4.2.2", text)]
    assert f'{program}: {server.relay}: replacing server reply "{QUEUED}" with "452 4.2.2 full"' in made.lines


async def test_a_filter_may_wait(servers, post, job_of):
    server, filtering = await servers(RCPT="550 5.1.1 no"), Slow({"550 5.1.1 no": "250 2.1.5 yes"})
    made = post(server, look_up_reply=filtering)
    assert await made.texts(job_of()) == [("2.0.0", QUEUED)]
    assert filtering.asked[0] == "220 there.example ESMTP"
    assert "250-PIPELINING" in filtering.asked


async def test_what_a_server_said_before_it_left_counts(servers, post, job_of):
    server = await servers()
    usual = server._answer

    async def answer(writer, line, verb):
        said = await usual(writer, line, verb)
        return "" if verb == "." else said

    server._answer = answer
    made = post(server, look_up_reply=Slow())
    assert await made.texts(job_of()) == [("2.0.0", QUEUED)]


async def test_a_server_that_leaves_without_a_word_is_lost(servers, post, job_of):
    server = await servers(dot=None)
    made = post(server, look_up_reply=Slow())
    ((status, text),) = await made.texts(job_of())
    assert status == "4.4.2"
    assert text.startswith("lost connection")


@pytest.mark.parametrize("line", ["220", "250-PIPELINING", "250 2.1.5", "354", "250 2.0.0"])
@pytest.mark.parametrize("error", [TableUnavailable("table x: gone"), ValueError("a defect")])
@pytest.mark.parametrize("waits", [True, False])
async def test_a_filter_that_fails_leaves_the_mail(servers, post, job_of, line, error, waits):
    server, filtering = await servers(), Slow(error=(line, error))

    async def at_once(said):
        if said.startswith(line):
            raise error

    made = post(server, look_up_reply=filtering if waits else at_once)
    text = f"local data error while talking to {server.named}"
    assert await made.texts(job_of()) == [("4.3.0", text)]
    assert any(str(error) in each for each in made.lines)


async def test_a_kept_connection_is_filtered_as_well(servers, post, job_of):
    server = await servers()
    made = post(server, look_up_reply=Slow({QUEUED: "250 2.6.0 mine"}))
    for _ in range(5):
        assert await made.texts(job_of()) == [("2.6.0", "250 2.6.0 mine")]
    assert server.connections < 5
