from __future__ import annotations

import pytest

from postroad.smtpd.allowance import parse_entry, parse_limits
from postroad.store.allowance import Limit, open_allowances

from .conftest import Peer

OWN = {"smtpd_authorized_xclient_hosts": "127.0.0.1"}


@pytest.fixture
def limited(stand, tmp_path):
    async def connect(**texts):
        port = await stand.serve(data_directory=str(tmp_path), **OWN, **texts)

        async def login(user="al"):
            peer = await Peer.connect(port)
            await peer.reply()
            assert (await peer.ask(f"XCLIENT LOGIN={user}")).startswith("220")
            return peer

        return login

    yield connect
    open_allowances(tmp_path / "allowances.db").close()


async def test_a_user_has_so_many_messages_wherever_he_sends_them(stand, limited):
    login = await limited(smtpd_login_message_rate="2/1h 100/1d")
    said = [await (await login()).ask("MAIL FROM:<a@example.net>") for _ in range(3)]
    assert said == ["250 2.1.0 Ok", "250 2.1.0 Ok", "450 4.7.1 Error: too many messages from al"]
    assert (
        "smtpd: warning: Messages limit exceeded: 2/3600s from unknown[127.0.0.1], sasl_username=al"
        in stand.log
    )
    assert any("NOQUEUE: reject: MAIL from unknown[127.0.0.1]: 450 4.7.1" in line for line in stand.log)
    assert (await (await login("bo")).ask("MAIL FROM:<a@example.net>")).startswith("250")
    stranger = await login("[UNAVAILABLE]")
    assert (await stranger.ask("MAIL FROM:<a@example.net>")).startswith("250")


async def test_recipients_are_counted_each(limited, stand):
    login = await limited(smtpd_login_recipient_rate="2/1h")
    peer = await login()
    await peer.ask("MAIL FROM:<a@example.net>")
    said = [await peer.ask(f"RCPT TO:<b{n}@example.test>") for n in range(3)]
    assert said == ["250 2.1.5 Ok", "250 2.1.5 Ok", "450 4.7.1 Error: too many recipients from al"]
    assert stand.policy.asked.count(("recipient", "b1@example.test")) == 1


async def test_a_table_has_other_limits_for_some(limited):
    login = await limited(
        smtpd_login_message_rate="1/1h",
        smtpd_login_rate_maps="inline:{ {bo = messages=2/1h} {cy = unlimited} {di = nonsense} }",
    )
    assert await _accepted(await login("al")) == 1
    assert await _accepted(await login("bo")) == 2
    assert await _accepted(await login("cy")) == 3
    assert await (await login("di")).ask("MAIL FROM:<>") == "451 4.3.0 Temporary lookup failure"


async def _accepted(peer):
    return [(await peer.ask("RSET", "MAIL FROM:<a@example.net>"))[:3] for _ in range(3)].count("250")


def test_entries_of_tables_are_read():
    assert parse_entry("messages=5/1m,9/1h recipients=unlimited") == {
        "messages": (Limit(5, 60), Limit(9, 3600)),
        "recipients": (),
    }
    assert parse_entry(" Unlimited ") == {"messages": (), "recipients": ()}
    for text in ("mails=5/1h", "messages", "messages=", "5/1h"):
        with pytest.raises(ValueError, match="neither"):
            parse_entry(text)


@pytest.mark.parametrize("text", ["5", "x/1h", "5/x", "-1/1h", "5/0s", "/1h", "5/"])
def test_what_is_no_limit_is_named(text):
    with pytest.raises(ValueError, match="is no limit"):
        parse_limits([text])


async def test_bad_settings_are_found_at_the_beginning(stand):
    with pytest.raises(ValueError, match="is no limit"):
        stand.make(smtpd_login_message_rate="lots")
