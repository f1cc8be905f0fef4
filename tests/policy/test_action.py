"""Every word of access(5), and what is noted for others to do."""

from __future__ import annotations

import pytest

from postroad.base.log import Log
from postroad.policy import query as q
from postroad.policy.action import Actions, Subject, fitted, is_list
from postroad.policy.query import Query
from postroad.policy.verdict import PERMIT, ServerError


@pytest.fixture
def do(services, session, sink):
    """Return a function that does what a value says about a recipient."""

    async def run(value, command="RCPT", kind=q.RECIPIENT, classes=None, **texts):
        query = Query(session, command, Log(sink), soft_bounce=False)
        query.recipient = "u@here.test"
        query.begin("list", q.CLIENT)
        actions = Actions(services(classes, **texts), "hash:/t", "check_recipient_access")
        verdict = await actions.do(query, value, Subject("u@here.test", kind, "u@here.test"))
        run.query = query
        return verdict if verdict is None or verdict is PERMIT else verdict.line()

    return run


HEAD = "<u@here.test>: Recipient address rejected: "


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("REJECT", f"554 5.7.1 {HEAD}Access denied"),
        ("reject", f"554 5.7.1 {HEAD}Access denied"),
        ("REJECT no way", f"554 5.7.1 {HEAD}no way"),
        ("REJECT\tno way", f"554 5.7.1 {HEAD}no way"),
        ("REJECT 5.7.9 no", f"554 5.7.9 {HEAD}no"),
        ("REJECT 5.7.9", f"554 5.7.9 {HEAD}Access denied"),
        ("REJECT 5.7.9no", f"554 5.7.1 {HEAD}5.7.9no"),
        ("DEFER", f"450 4.7.1 {HEAD}Access denied"),
        ("DEFER later", f"450 4.7.1 {HEAD}later"),
        ("550 5.1.8 no", f"550 4.1.2 {HEAD}no"),
        ("421 4.7.0 bye", f"421 4.7.0 {HEAD}bye"),
        ("599 no", f"599 5.7.1 {HEAD}no"),
        ("550 5.1.1", f"550 4.1.1 {HEAD}Access denied"),
        ("OK", PERMIT),
        ("ok whatever", PERMIT),
        ("RELAY", PERMIT),
        ("12345", PERMIT),
        ("555", PERMIT),
        ("DUNNO", None),
        ("dunno whatever", None),
        (", ,", PERMIT),
        ("permit", PERMIT),
        ("reject_unlisted_recipient, reject", f"554 5.7.1 {HEAD}Access denied"),
        ("sleep 0, permit", PERMIT),
    ],
)
async def test_each_word_has_its_answer(do, value, answer):
    assert await do(value) == answer


@pytest.mark.parametrize("value", ["FOOBAR", "600 no", "DISCARDED", "check_sender_access", "permit {"])
async def test_a_value_that_says_nothing_is_an_error_and_no_answer(do, value):
    with pytest.raises(ServerError):
        await do(value)


async def test_a_table_in_a_value_is_an_error_that_says_what_to_do(do, sink):
    with pytest.raises(ServerError, match="define a restriction class"):
        await do("check_sender_access hash:/x")
    assert "has entry with lookup table: check_sender_access hash:/x" in sink.lines[0]


async def test_the_codes_of_reject_and_defer_are_parameters(do):
    assert (await do("REJECT", access_map_reject_code="521"))[:3] == "521"
    assert (await do("DEFER", access_map_defer_code="451"))[:3] == "451"


async def test_deferrals_that_depend_are_remembered(do):
    assert await do("DEFER_IF_PERMIT 4.2.3 maybe") is None
    assert do.query.put_off.line() == f"450 4.2.3 {HEAD}maybe"
    assert await do("DEFER_IF_REJECT") is None
    assert do.query.doubt.line() == f"450 4.7.1 {HEAD}Service unavailable"


async def test_a_list_in_a_value_speaks_of_what_the_table_was_asked_about(do):
    assert await do("mine", classes={"mine": ("reject",)}) == f"554 5.7.1 {HEAD}Access denied"
    assert (do.query.name, do.query.kind, do.query.depth) == ("list", q.CLIENT, 0)


async def test_values_that_lead_back_to_the_table_have_an_end(do):
    with pytest.raises(ServerError, match="causes unreasonable recursion"):
        await do("mine", classes={"mine": ("static:mine",)})


@pytest.mark.parametrize(
    ("value", "name", "noted", "logged"),
    [
        (
            "HOLD",
            "HOLD",
            "",
            "hold: RCPT from unknown[192.0.2.10]: <u@here.test>: Recipient address triggers HOLD action;",
        ),
        (
            "HOLD look",
            "HOLD",
            "look",
            "hold: RCPT from unknown[192.0.2.10]: <u@here.test>: Recipient address look;",
        ),
        ("FILTER smtp:[x]", "FILTER", "smtp:[x]", "Recipient address triggers FILTER smtp:[x];"),
        ("REDIRECT a@b.test", "REDIRECT", "a@b.test", "redirect: RCPT from"),
        ("BCC a@b.test", "BCC", "a@b.test", "bcc: RCPT from"),
    ],
)
async def test_what_concerns_the_message_is_noted_and_logged_and_the_list_goes_on(
    do, session, sink, value, name, noted, logged
):
    assert await do(value) is None
    assert session.transaction.actions == {name: noted}
    assert logged in sink.lines[0]
    assert sink.lines[0].startswith("smtpd: NOQUEUE: ")
    assert sink.lines[0].endswith("; from=<a@example.net> to=<u@here.test> proto=ESMTP helo=<x>")


async def test_hold_is_logged_once(do, sink):
    await do("HOLD")
    await do("HOLD")
    assert len(sink.lines) == 1


async def test_discard_permits_and_ends_every_question(do, session):
    assert await do("DISCARD") is PERMIT
    assert "DISCARD" in session.transaction.actions
    assert do.query.discarded


async def test_headers_and_copies_add_up(do, session):
    for value in ("PREPEND X-A: 1", "PREPEND X-B \t: 2", "BCC a@b.test", "BCC c@d.test"):
        await do(value)
    assert session.transaction.actions == {"PREPEND": "X-A: 1\nX-B: 2", "BCC": "a@b.test\nc@d.test"}


@pytest.mark.parametrize("word", ["INFO", "WARN"])
async def test_words_for_the_log_are_for_the_log_alone(do, session, sink, word):
    assert await do(f"{word} just saying") is None
    assert f"{word.lower()}: RCPT from unknown[192.0.2.10]: just saying; from=" in sink.lines[0]
    assert session.transaction.actions == {}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("FILTER", "has FILTER entry without value"),
        ("FILTER smtp", "requires transport:destination"),
        ("REDIRECT here", "requires user@domain target"),
        ("BCC", "requires user@domain target"),
        ("PREPEND nothing", "requires header: text"),
        ("PREPEND", "requires header: text"),
    ],
)
async def test_an_action_without_what_it_needs_is_warned_of_and_left_out(do, session, sink, value, fault):
    assert await do(value) is None
    assert session.transaction.actions == {}
    assert sink.lines == [f'smtpd: warning: access table hash:/t entry "u@here.test" {fault}']


@pytest.mark.parametrize(
    "value", ["HOLD", "DISCARD", "FILTER a:b", "REDIRECT a@b", "BCC a@b", "PREPEND A: b"]
)
async def test_outside_a_transaction_there_is_no_message_to_act_on(do, session, sink, value):
    session.transaction.sender = None
    assert await do(value, command="CONNECT") is None
    assert session.transaction.actions == {}
    assert f"action {value.split()[0]} is always skipped in Client host or Helo command" in sink.lines[0]


async def test_etrn_has_no_message_to_act_on(do, session, sink):
    assert await do("DISCARD", command="ETRN") is None
    assert session.transaction.actions == {}
    assert "action DISCARD is unavailable in smtpd_etrn_restrictions" in sink.lines[0]


async def test_a_header_comes_too_late_once_the_message_is_there(do, session, sink):
    await do("PREPEND X-A: 1", command="END-OF-MESSAGE")
    assert session.transaction.actions == {}
    assert "must be used before smtpd_end_of_data_restrictions" in sink.lines[0]


@pytest.mark.parametrize(
    ("status", "sender", "recipient", "helo"),
    [
        ("5.1.0", "4.1.0", "4.1.0", "4.0.0"),
        ("5.1.1", "4.1.7", "4.1.1", "4.0.0"),
        ("5.1.2", "4.1.8", "4.1.2", "4.0.0"),
        ("5.1.3", "4.1.7", "4.1.3", "4.0.0"),
        ("5.1.4", "4.1.7", "4.1.4", "4.0.0"),
        ("5.1.5", "4.1.0", "4.1.5", "4.0.0"),
        ("5.1.6", "4.1.7", "4.1.6", "4.0.0"),
        ("5.1.7", "4.1.7", "4.1.3", "4.0.0"),
        ("5.1.8", "4.1.8", "4.1.2", "4.0.0"),
        ("5.1.9", "4.1.0", "4.1.0", "4.0.0"),
        ("5.7.1", "5.7.1", "5.7.1", "5.7.1"),
        ("5.11.1", "5.11.1", "5.11.1", "5.11.1"),
    ],
)
def test_address_codes_are_said_of_the_right_address(status, sender, recipient, helo):
    assert [fitted(status, kind) for kind in (q.SENDER, q.RECIPIENT, q.HELO)] == [sender, recipient, helo]


async def test_a_message_that_is_thrown_away_is_asked_nothing_more(world, say, session):
    here = world(
        smtpd_recipient_restrictions="check_recipient_access inline:{ {d@here.test = DISCARD} }, reject"
    )
    assert "rejected" in await say(here, "u@here.test")
    assert await say(here, "d@here.test") == ""
    for address in ("u@here.test", "nobody@here.test", "x@example.org"):
        assert await say(here, address) == ""
    here.policy = here.policy
    session.transaction.actions.clear()
    assert "rejected" in await say(here, "u@here.test")


def test_a_list_is_what_is_neither_an_action_nor_a_reply_nor_a_number():
    assert not any(map(is_list, ("OK", "reject no", "550 no", "12345", "warn")))
    assert all(map(is_list, ("reject_unlisted_sender", "mine, permit", "600 no", "550no")))


@pytest.mark.parametrize("value", ["HOLD", "DISCARD", "FILTER smtp:[x]", "REDIRECT a@b", "BCC a@b"])
async def test_what_needs_a_queue_is_unavailable_with_a_filter_before_it(do, sink, session, value):
    session.transaction.sender = "s@x"
    assert await do(value, smtpd_proxy_filter="127.0.0.1:10025") is None
    assert session.transaction.actions == {}
    word = value.split()[0]
    assert f"hash:/t: with smtpd_proxy_filter specified, action {word} is unavailable" in sink.lines[0]


async def test_a_field_may_be_put_in_front_of_what_a_filter_gets(do, session):
    session.transaction.sender = "s@x"
    assert await do("PREPEND X-A: 1", smtpd_proxy_filter="127.0.0.1:10025") is None
    assert session.transaction.actions == {"PREPEND": "X-A: 1"}
