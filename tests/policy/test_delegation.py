"""Policy servers: how they are named, and what becomes of a question whatever the server does."""

from __future__ import annotations

import asyncio

import pytest

from peers.harness import free_port
from policy.policyserver import always, policy_server
from postroad.base.log import Log
from postroad.policy.delegation import PolicyServer, PolicyUnavailable, read_endpoint, read_spec
from postroad.proto.delegation import request

QUESTION = request([("request", "smtpd_access_policy"), ("sender", "a@b.test")])


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("inet:127.0.0.1:10031", "127.0.0.1", "10031"),
        ("inet:[::1]:7", "::1", "7"),
        ("inet:host.test:policy", "host.test", "policy"),
        ("inet:10031", "localhost", "10031"),
    ],
)
def test_a_server_on_the_network(text, host, port):
    endpoint = read_endpoint(text, "/queue")
    assert (endpoint.host, endpoint.port, endpoint.path) == (host, port, "")
    assert endpoint.name == text.removeprefix("inet:")


@pytest.mark.parametrize(
    ("text", "path"),
    [("unix:private/p", "/queue/private/p"), ("unix:/run/p", "/run/p"), ("local:p", "/queue/p")],
)
def test_a_server_on_this_machine_is_looked_for_in_the_queue_directory(text, path):
    assert read_endpoint(text, "/queue").path == path


@pytest.mark.parametrize(
    "text", ["", "inet:", "inet:host:", "inet::25", "inet:h:70000", "inet:h:0", "unix:", "tcp:h:1", "h:1"]
)
def test_what_is_no_server_is_an_error(text):
    with pytest.raises(ValueError):
        read_endpoint(text, "/queue")


def test_settings_of_its_own_stand_before_the_parameters(settings):
    given = settings(smtpd_policy_service_timeout="7s", smtpd_policy_service_try_limit="4")
    spec = read_spec("inet:127.0.0.1:1", given)
    assert (spec.timeout, spec.try_limit, spec.max_idle, spec.max_ttl) == (7, 4, 300, 1000)
    assert spec.default_action == "451 4.3.5 Server configuration problem"
    text = (
        "{ inet:127.0.0.1:1, timeout=2m { default_action = 450 4.3.0 Later, please } policy_context=x "
        "max_idle=1s max_ttl=9 request_limit=3 retry_delay=2 try_limit=1 }"
    )
    spec = read_spec(text, given)
    assert (spec.timeout, spec.max_idle, spec.max_ttl) == (120, 1, 9)
    assert (spec.request_limit, spec.retry_delay, spec.try_limit) == (3, 2, 1)
    assert (spec.default_action, spec.policy_context) == ("450 4.3.0 Later, please", "x")


@pytest.mark.parametrize(
    "text",
    [
        "{ }",
        "{ inet:127.0.0.1:1",
        "{ inet:127.0.0.1:1, tiemout=1s }",
        "{ inet:127.0.0.1:1, timeout }",
        "{ inet:127.0.0.1:1, timeout=soon }",
        "{ inet:127.0.0.1:1, try_limit=0 }",
    ],
)
def test_settings_that_cannot_be_used_are_an_error(text, settings):
    with pytest.raises(ValueError):
        read_spec(text, settings())


@pytest.fixture
def connect(settings, sink):
    """Return a function that makes a client of a server; no try waits for the next."""

    def make(address: str, rest: str = "", tries: int = 2) -> PolicyServer:
        client = PolicyServer(
            read_spec(f"{{ {address} try_limit={tries} timeout=5 {rest} }}", settings()), Log(sink)
        )
        object.__setattr__(client.spec, "retry_delay", 0)
        return client

    return make


async def test_one_connection_carries_one_question_after_the_other(connect):
    async with policy_server(always("DUNNO")) as server:
        client = connect(server.address)
        for _ in range(5):
            assert await client.ask(QUESTION, {}) == "DUNNO"
        assert server.connections == 1
        assert server.asked[0][1] == {"request": "smtpd_access_policy", "sender": "a@b.test"}


async def test_questions_at_one_time_have_a_connection_each_and_their_own_answers(connect):
    async with policy_server(lambda asked: f"action=REJECT {asked['sender']}\n\n".encode()) as server:
        client = connect(server.address)

        async def one(number: int) -> None:
            for turn in range(3):
                question = request([("sender", f"{number}.{turn}")])
                assert await client.ask(question, {}) == f"REJECT {number}.{turn}"

        await asyncio.gather(*(one(number) for number in range(20)))
        assert server.connections == 20


async def test_a_session_goes_on_with_its_own_connection(connect):
    async with policy_server(always("DUNNO")) as server:
        client, first, second = connect(server.address), {}, {}
        await asyncio.gather(client.ask(QUESTION, first), client.ask(QUESTION, second))
        for memory, number in ((first, 1), (second, 2), (first, 1), (second, 2)):
            await client.ask(QUESTION, memory)
            assert server.asked[-1][0] == number


async def test_a_unix_socket(connect, tmp_path):
    async with policy_server(always("OK"), str(tmp_path / "p")) as server:
        assert await connect(server.address).ask(QUESTION, {}) == "OK"


async def test_request_limit_and_age_end_a_connection(connect):
    async with policy_server(always("DUNNO")) as server:
        client = connect(server.address, "request_limit=2")
        for _ in range(4):
            await client.ask(QUESTION, {})
        assert server.connections == 2
        client = connect(server.address)
        object.__setattr__(client.spec, "max_ttl", 0)
        for _ in range(2):
            await client.ask(QUESTION, {})
        assert server.connections == 4


async def test_an_idle_connection_is_closed_after_its_time(connect):
    async with policy_server(always("DUNNO")) as server:
        client = connect(server.address)
        object.__setattr__(client.spec, "max_idle", 0)
        await client.ask(QUESTION, {})
        while server.open:
            await asyncio.sleep(0.01)
        await client.ask(QUESTION, {})
        assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (None, "problem talking to server {}: premature end-of-input"),
        (b"hello\n\n", "malformed or null attribute name or value in input from {}"),
        (b"foo=bar\n\n", "missing attribute action in input from {}"),
        (b"action=OK\n\naction=OK\n\n", "more than one answer to a question in input from {}"),
    ],
)
async def test_a_server_that_gives_no_answer_is_tried_again_and_given_up(connect, sink, answer, line):
    async with policy_server(lambda _: answer) as server:
        client = connect(server.address, tries=3)
        with pytest.raises(PolicyUnavailable):
            await client.ask(QUESTION, {})
        assert len(server.asked) == server.connections == 3
        name = server.address.removeprefix("inet:")
        assert f"smtpd: warning: {line.format(name)}" in sink.lines
        assert f"warning: problem talking to server {name}: " in sink.lines[-1]


async def test_a_server_that_hangs_is_not_waited_for(connect, sink):
    async with policy_server(always("")) as server:
        client = connect(server.address, tries=1)
        await client.ask(QUESTION, {})  # connected
        server.says = lambda _: b"(silence)"
        object.__setattr__(client.spec, "timeout", 0.02)
        with pytest.raises(PolicyUnavailable):
            await client.ask(QUESTION, {})
        name = server.address.removeprefix("inet:")
        assert sink.lines == [f"smtpd: warning: problem talking to server {name}: Connection timed out"]


async def test_a_late_answer_is_not_the_next_question_s(connect):
    async with policy_server(
        lambda asked: (asked["sender"] == "slow" and b"(silence)") or b"action=DUNNO\n\n"
    ) as server:
        client, memory = connect(server.address, tries=1), {}
        assert await client.ask(request([("sender", "first")]), memory) == "DUNNO"
        object.__setattr__(client.spec, "timeout", 0.02)
        with pytest.raises(PolicyUnavailable):
            await client.ask(request([("sender", "slow")]), memory)
        object.__setattr__(client.spec, "timeout", 30)
        server.silent.set()
        assert await client.ask(request([("sender", "quick")]), memory) == "DUNNO"
        assert server.connections == 2


async def test_what_is_said_without_a_question_ends_the_connection(connect):
    async with policy_server(always("DUNNO")) as server:
        client = connect(server.address)
        await client.ask(QUESTION, {})
        for writer in server.open:
            writer.write(b"action=OK\n\n")
        while server.open:
            await asyncio.sleep(0.01)
        assert await client.ask(QUESTION, {}) == "DUNNO"
        assert server.connections == 2


async def test_who_gives_up_takes_the_connection_with_it(connect):
    async with policy_server(lambda _: b"(silence)") as server:
        client = connect(server.address)
        task = asyncio.ensure_future(client.ask(QUESTION, {}))
        while not server.asked:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.says = always("DUNNO")
        assert await client.ask(QUESTION, {}) == "DUNNO"
        assert server.connections == 2


async def test_nobody_there(connect, sink, tmp_path):
    async with policy_server(always("DUNNO")) as server:
        address = server.address
    with pytest.raises(PolicyUnavailable):
        await connect(address, tries=1).ask(QUESTION, {})
    name = address.removeprefix("inet:")
    assert sink.lines == [
        f"smtpd: warning: connect to {name}: Connection refused",
        f"smtpd: warning: problem talking to server {name}: Connection refused",
    ]
    sink.lines.clear()
    with pytest.raises(PolicyUnavailable):
        await connect(f"unix:{tmp_path}/none", tries=2).ask(QUESTION, {})
    missing = f"smtpd: warning: connect to {tmp_path}/none: No such file or directory"
    assert sink.lines == [missing, missing, missing.replace("connect to", "problem talking to server")]


async def test_a_server_that_was_started_again_is_found_again(connect):
    async with policy_server(always("DUNNO"), port=free_port()) as server:
        address, client = server.address, connect(server.address)
        assert await client.ask(QUESTION, {}) == "DUNNO"
    with pytest.raises(PolicyUnavailable):
        await client.ask(QUESTION, {})
    async with policy_server(always("REJECT"), port=int(address.rpartition(":")[2])):
        assert await client.ask(QUESTION, {}) == "REJECT"


async def test_killed_again_and_again_it_never_gives_an_answer_that_was_not_said(connect):
    async with policy_server(always("REJECT")) as server:
        client, over = connect(server.address, tries=1), False

        async def kill() -> None:
            while not over:
                server.drop()
                await asyncio.sleep(0.001)

        killer = asyncio.ensure_future(kill())
        said, failed = 0, 0
        while said < 50 or failed < 5:
            try:
                assert await client.ask(QUESTION, {}) == "REJECT"
                said += 1
            except PolicyUnavailable:
                failed += 1
        over = True
        await killer
