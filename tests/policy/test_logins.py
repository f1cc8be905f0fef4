"""Who may use which sender address."""

from __future__ import annotations

import pytest

from postroad.base.errors import TableUnavailable
from postroad.policy import logins as rules

MAPS = (
    "inline:{{a@here.test=al, Bob},{plain=carol},{x+y@e.test=al},{x@e.test=bob},{@dom.test=dora;X ÀL},"
    "{q@origin.test=q},{o=orig}}"
)
NOT_LOGGED_IN = "not logged in"
ALL = (
    rules.reject_sender_login_mismatch,
    rules.reject_authenticated_sender_login_mismatch,
    rules.reject_known_sender_login_mismatch,
    rules.reject_unauthenticated_sender_login_mismatch,
)


@pytest.fixture
def owned(services, ask, session):
    """Return a function: the answer of a restriction to a login and a sender, without its beginning."""

    async def answer(login, sender, restriction=rules.reject_sender_login_mismatch, **texts):
        texts = {
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sender_login_maps": MAPS,
            "myorigin": "origin.test",
            "recipient_delimiter": "+",
        } | texts
        session.sasl_username, session.transaction.sender = login, sender
        got = await ask(restriction(services(**texts)))
        if got is None:
            return ""
        start = f"553 5.7.1 <{sender}>: Sender address rejected: "
        assert got.startswith(start), got
        return got.removeprefix(start)

    return answer


@pytest.mark.parametrize(
    ("sender", "owners"),
    [
        ("A@here.test", {"al", "AL", "bob"}),
        ("a+tag@here.test", {"al", "AL", "bob"}),
        ("x+y@e.test", {"al", "AL"}),
        ("x+z@e.test", {"bob"}),
        ("u@dom.test", {"àl"}),
        ("u%dom.test@here.test", set()),
        ("plain@here.test", {"carol"}),
        ("plain+tag@here.test", {"carol"}),
        ("plain@relay.test", set()),
        ("q@origin.test", {"q"}),
        ("o@origin.test", {"orig"}),
        ("n@no.test", set()),
    ],
)
async def test_an_address_belongs_to_those_whom_the_table_names(owned, sender, owners):
    for login in ("al", "AL", "bob", "carol", "dora", "àl", "q", "orig"):
        expected = "" if login in owners else f"not owned by user {login}"
        assert await owned(login, sender) == expected, login


@pytest.mark.parametrize("sender", ["a@here.test", "x+z@e.test", "u@dom.test", "o+e@origin.test"])
async def test_who_is_not_logged_in_may_not_use_an_address_that_has_an_owner(owned, sender):
    assert await owned("", sender) == NOT_LOGGED_IN


@pytest.mark.parametrize(
    ("restriction", "of_others", "unknown", "stranger"),
    [
        (ALL[0], "not owned by user eve", "not owned by user eve", NOT_LOGGED_IN),
        (ALL[1], "not owned by user eve", "not owned by user eve", ""),
        (ALL[2], "not owned by user eve", "", NOT_LOGGED_IN),
        (ALL[3], "", "", NOT_LOGGED_IN),
    ],
)
async def test_each_restriction_looks_at_its_own_clients(owned, restriction, of_others, unknown, stranger):
    assert await owned("eve", "a@here.test", restriction) == of_others
    assert await owned("eve", "n@no.test", restriction) == unknown
    assert await owned("", "a@here.test", restriction) == stranger
    assert await owned("", "n@no.test", restriction) == ""
    assert await owned("al", "a@here.test", restriction) == ""


@pytest.mark.parametrize("restriction", ALL)
async def test_nobody_owns_the_null_sender(owned, restriction):
    assert await owned("eve", "", restriction) == await owned("", "", restriction) == ""


async def test_without_tables_no_address_has_an_owner(owned):
    assert await owned("al", "a@here.test", smtpd_sender_login_maps="") == "not owned by user al"
    assert await owned("", "a@here.test", smtpd_sender_login_maps="") == ""


@pytest.mark.parametrize("login", ["", "al"])
async def test_a_table_that_cannot_be_asked_is_a_451(world, say, session, owned, login):
    with pytest.raises(TableUnavailable):
        await owned(login, "a@here.test", smtpd_sender_login_maps="fail:none")
    here = world(
        smtpd_sasl_auth_enable="yes",
        smtpd_sender_login_maps="fail:none",
        smtpd_sender_restrictions="reject_sender_login_mismatch",
    )
    assert await say(here, "u@here.test") == "451 4.3.0 <a@here.test>: Temporary lookup failure"


async def test_a_router_that_cannot_be_asked_is_no_answer(services, ask, session):
    made = services(smtpd_sasl_auth_enable="yes", smtpd_sender_login_maps=MAPS)
    made.router.broken = True
    session.sasl_username, session.transaction.sender = "al", "plain@here.test"
    with pytest.raises(TableUnavailable):
        await ask(rules.reject_sender_login_mismatch(made))


@pytest.mark.parametrize(
    ("restriction", "names"),
    [
        (ALL[0], ["authenticated_sender", "unauthenticated_sender"]),
        (ALL[1], ["authenticated_sender"]),
        (ALL[2], ["known_sender"]),
        (ALL[3], ["unauthenticated_sender"]),
    ],
)
async def test_without_auth_they_ask_nothing_and_say_so(owned, sink, restriction, names):
    assert await owned("", "a@here.test", restriction, smtpd_sasl_auth_enable="no") == ""
    said = [f"restriction `reject_{name}_login_mismatch' ignored: no SASL support" for name in names]
    assert [line for line in said if line in str(sink.lines)] == said
