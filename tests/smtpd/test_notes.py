from __future__ import annotations

import pytest

from .conftest import Peer

FILTER = "/^HELO *$/ HELO domain.invalid\n/^ *$/ NOOP\n/^FOO (.*)/ MAIL FROM:<$1>\n"
FOOTERS = r"/5\.5\.1/ \c see $$client_address" + "\n"


@pytest.fixture
def regexp(tmp_path):
    def write(text):
        (tmp_path / "table").write_text(text)
        return f"regexp:{tmp_path}/table"

    return write


async def test_a_table_may_replace_commands(stand, regexp):
    peer = await Peer.connect(await stand.serve(smtpd_command_filter=regexp(FILTER)))
    await peer.reply()
    said = [await peer.ask(command) for command in ("HELO", "", "  FOO a@b.example", "NOOP")]
    assert said == ["250 mx.example.test", "250 2.0.0 Ok", "250 2.1.0 Ok", "250 2.0.0 Ok"]
    assert ("helo", "domain.invalid") in stand.policy.asked
    assert ("mail", "a@b.example") in stand.policy.asked
    assert (
        'smtpd: unknown[127.0.0.1]: replacing command "FOO a@b.example" with "MAIL FROM:<a@b.example>"'
        in stand.log
    )


async def test_a_filter_that_fails_ends_the_session(stand):
    port = await stand.serve(smtpd_command_filter="inline:{ {noop=rset} }")
    peer = await Peer.connect(port)
    await peer.reply()
    stand.service.commands._filter._tables[0][0].get = lambda key: ""
    assert await peer.ask("NOOP") == "421 4.3.0 mx.example.test Server local data error"
    assert any("smtpd_command_filter" in line and "failed" in line for line in stand.log)


@pytest.mark.parametrize("name", ["smtpd_command_filter", "smtpd_reject_footer_maps"])
async def test_a_table_that_would_have_to_be_waited_for_is_refused(stand, name):
    with pytest.raises(ValueError, match=name):
        stand.make(**{name: "unionmap:{static:x}"})


async def test_footers_may_depend_on_the_reply(stand, regexp):
    peer = await Peer.connect(
        await stand.serve(smtpd_reject_footer="General.", smtpd_reject_footer_maps=regexp(FOOTERS))
    )
    await peer.reply()
    assert (await peer.ask("DATA")).endswith("need RCPT command see 127.0.0.1")
    assert (await peer.ask("FOO")).endswith("\n500 5.5.2 General.")
