from __future__ import annotations

import pytest

from postroad.base.errors import TableUnavailable
from postroad.base.log import ListSink, Log
from postroad.model.client import Client
from postroad.proto.options import BareNewline
from postroad.smtpd.clientlists import ClientLists, Discards
from postroad.tables.context import TableContext

from .conftest import Peer, settings

AT_HOME = Client("192.0.2.7", name="mail.example.test")
ABROAD = Client("203.0.113.9")


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def lists(sink):
    def make(*, local=False, **texts):
        return ClientLists(settings(**texts), TableContext(), Log(sink, pid=1), local=local)

    return make


@pytest.mark.parametrize(
    ("parameter", "name"),
    [
        ("smtpd_client_event_limit_exceptions", "uncounted"),
        ("smtpd_sasl_exceptions_networks", "auth_hidden"),
        ("smtpd_forbid_bare_newline_exclusions", "bare_newline"),
    ],
)
async def test_who_is_an_exception_is_in_the_list_by_address_or_by_name(lists, sink, parameter, name):
    for members in ("192.0.2.0/24", "example.test"):
        made = getattr(lists(**{parameter: members}), name)
        assert await made.has(AT_HOME)
        assert not await made.has(ABROAD)
    unknown = getattr(lists(**{parameter: "fail:clients"}), name)
    assert not await unknown.has(AT_HOME)
    assert any(f"warning: {parameter}: " in line for line in sink.lines)


async def test_who_may_speak_for_others_is_in_the_lists(lists):
    made = lists(smtpd_authorized_xclient_hosts="192.0.2.7", smtpd_authorized_xforward_hosts="203.0.113.9")
    assert made.has_proxies
    assert (await made.may_xclient(AT_HOME), await made.may_xclient(ABROAD)) == (True, False)
    assert (await made.may_xforward(AT_HOME), await made.may_xforward(ABROAD)) == (False, True)


async def test_that_it_is_not_known_who_speaks_for_others_is_no_answer(lists):
    made = lists(smtpd_authorized_xclient_hosts="fail:a", smtpd_authorized_xforward_hosts="fail:b")
    for ask in (made.may_xclient, made.may_xforward):
        with pytest.raises(TableUnavailable):
            await ask(AT_HOME)


@pytest.mark.parametrize(
    ("local", "texts", "some"),
    [
        (False, {}, False),
        (False, {"smtpd_authorized_xforward_hosts": "192.0.2.7"}, True),
        (True, {"smtpd_authorized_xclient_hosts": "192.0.2.7"}, False),
    ],
)
def test_a_service_may_have_nobody_who_speaks_for_others(lists, local, texts, some):
    assert lists(local=local, **texts).has_proxies is some


async def test_keywords_that_nobody_knows_are_named_and_the_rest_holds(sink):
    table = "inline:{192.0.2.7=dns, {203.0.113.9 = dsn, pipelining}}"
    texts = {"smtpd_discard_ehlo_keywords": "etrn", "smtpd_discard_ehlo_keyword_address_maps": table}
    made = Discards(settings(**texts), TableContext(), Log(sink, pid=1))
    assert await made.of(AT_HOME) == {"etrn"}
    assert any("smtpd_discard_ehlo_keyword_address_maps: 192.0.2.7: unknown" in line for line in sink.lines)
    assert await made.of(ABROAD) == {"dsn", "pipelining"}
    assert await made.of(Client("198.51.100.1")) == {"etrn"}


async def test_excepted_clients_are_not_counted(stand):
    port = await stand.serve(
        smtpd_client_connection_count_limit="1", smtpd_client_event_limit_exceptions="127.0.0.0/8"
    )
    peers = [await Peer.connect(port) for _ in range(3)]
    for peer in peers:
        assert (await peer.reply()).startswith("220")
        await peer.close()


async def test_keywords_are_taken_away_by_client(stand):
    port = await stand.serve(
        smtpd_discard_ehlo_keywords="dsn",
        smtpd_discard_ehlo_keyword_address_maps="inline:{127.0.0.1=chunking}",
    )
    peer = await Peer.connect(port)
    await peer.reply()
    answer = await peer.ask("EHLO x")
    assert "DSN" in answer
    assert "CHUNKING" not in answer
    assert "smtpd: discarding EHLO keywords: CHUNKING" in stand.log
    await peer.close()


async def test_a_table_that_cannot_be_asked_ends_the_session_for_now(stand):
    port = await stand.serve(smtpd_discard_ehlo_keyword_address_maps="fail:keywords")
    peer = await Peer.connect(port)
    assert await peer.reply() == "421 4.3.0 mx.example.test Server local data error"
    assert await peer.reply() == "(closed)"
    await peer.close()


@pytest.mark.parametrize(("exclusions", "mode"), [("127.0.0.1", BareNewline.ALLOW), ("", BareNewline.REJECT)])
async def test_excluded_clients_may_send_bare_line_feeds(stand, exclusions, mode):
    port = await stand.serve(
        smtpd_forbid_bare_newline="reject", smtpd_forbid_bare_newline_exclusions=exclusions
    )
    peer = await Peer.connect(port)
    await peer.reply()
    (connection,) = stand.service.guests
    assert connection.machine.bare is mode
    await peer.close()


def test_a_setting_that_cannot_be_used_is_refused_at_once(sink):
    with pytest.raises(ValueError, match="unknown EHLO keyword"):
        Discards(settings(smtpd_discard_ehlo_keywords="dns"), TableContext(), Log(sink, pid=1))


async def test_exceptions_that_cannot_be_looked_up_turn_nobody_away(stand, tmp_path):
    missing = str(tmp_path / "mynetworks")
    port = await stand.serve(
        smtpd_client_connection_count_limit="1",
        smtpd_client_event_limit_exceptions=missing,
        smtpd_forbid_bare_newline_exclusions=missing,
    )
    first, second = await Peer.connect(port), await Peer.connect(port)
    assert (await first.reply()).startswith("220")
    assert (await second.reply()).startswith("421 4.7.0")  # the limit holds
    assert any("smtpd_client_event_limit_exceptions: open" in line for line in stand.log)
    for peer in (first, second):
        await peer.close()
