"""Access tables: what is looked up, in which order, and for whom."""

from __future__ import annotations

import pytest

from postroad.base.log import ListSink, Log
from postroad.policy import access
from postroad.policy.query import Query
from postroad.policy.verdict import PERMIT, ServerError


def table(**values):
    return "inline:{ " + ", ".join(f"{{{key} = {value}}}" for key, value in values.items()) + " }"


def texts(entries):
    return table(**entries)


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("mail.example.org", "554"),
        ("example.org", "554"),
        ("org", "554"),
        (".example.org", None),
        ("192.0.2.10", "554"),
        ("192.0.2", "554"),
        ("192", "554"),
        ("192.0.2.1", None),
        ("2.10", None),
    ],
)
async def test_a_client_is_looked_up_by_name_and_address_and_their_parents(
    services, ask, session, key, answer
):
    session.client.name = "mail.example.org"
    found = await ask(access.client(services(), texts({key: "REJECT"}), ""))
    assert (found and found[:3]) == answer


async def test_a_clients_name_comes_before_its_address(services, ask, session):
    session.client.name = "Mail.Example.ORG"
    spec = texts({"192.0.2.10": "REJECT", "example.org": "DUNNO"})
    assert await ask(access.client(services(), spec, "")) is None
    session.client.name = "unknown"
    assert await ask(access.client(services(), spec, "")) == (
        "554 5.7.1 <unknown[192.0.2.10]>: Client host rejected: Access denied"
    )


async def test_subdomains_need_a_dot_when_parents_do_not_match_them(services, ask, session):
    session.client.name = "mail.example.org"
    made = services(parent_domain_matches_subdomains="")
    assert await ask(access.client(made, texts({"example.org": "REJECT"}), "")) is None
    assert "rejected" in await ask(access.client(made, texts({".example.org": "REJECT"}), ""))


async def test_an_ipv6_client_is_looked_up_by_its_groups(services, ask, new_session):
    check = access.client(services(), "inline:{ {2001:db8 = REJECT} }", "")
    assert "rejected" in await ask(check, new_session("2001:db8::7"))
    assert await ask(check, new_session("2001:db9::7")) is None


async def test_a_pattern_is_asked_about_whole_names_only(services, ask, session, tmp_path):
    session.client.name = "mail.example.org"
    file = tmp_path / "names"
    file.write_text("/^example/ REJECT\n/^mail/ DUNNO\n")
    assert await ask(access.client(services(), f"regexp:{file}", "")) is None


async def test_an_unconfirmed_name_can_be_refused_but_not_permitted(services, ask, session):
    session.client.reverse_name = "dyn.example.net"
    assert await ask(access.reverse_client(services(), texts({"example.net": "REJECT no"}), "")) == (
        "554 5.7.1 <dyn.example.net>: Unverified Client host rejected: no"
    )
    with pytest.raises(ServerError, match=r"returns OK for dyn\.example\.net; this is not allowed"):
        await ask(access.reverse_client(services(), texts({"example.net": "OK"}), ""))


async def test_a_helo_name_is_looked_up_with_its_parents_and_an_address_without(services, ask, new_session):
    check = access.helo(services(), texts({"example.net": "REJECT", "2.10": "REJECT"}), "")
    assert await ask(check, new_session(helo="h.example.net")) == (
        "554 5.7.1 <h.example.net>: Helo command rejected: Access denied"
    )
    assert await ask(check, new_session(helo="192.0.2.10")) is None
    assert await ask(check, new_session(helo="")) is None


@pytest.mark.parametrize(
    "key", ["user+ext@a.example", "user@a.example", "a.example", "example", "user+ext@", "user@"]
)
async def test_a_mail_address_is_looked_up_in_all_its_parts(services, ask, new_session, key):
    made = services(recipient_delimiter="+")
    check = access.sender(made, texts({key: "REJECT"}), "")
    assert await ask(check, new_session(sender="User+ext@A.Example")) == (
        "554 5.7.1 <User+ext@A.Example>: Sender address rejected: Access denied"
    )
    assert await ask(check, new_session(sender="other@b.invalid")) is None


async def test_the_first_key_that_is_known_decides(services, ask):
    order = ["u+x@here.test", "u@here.test", "here.test", "test", "u+x@", "u@"]
    made = services(recipient_delimiter="+")
    for first, key in enumerate(order):
        spec = texts({each: "DUNNO" if each == key else "REJECT" for each in order[first:]})
        assert await ask(access.recipient(made, spec, ""), recipient="u+x@here.test") is None


async def test_the_null_sender_has_a_key_of_its_own(services, ask, new_session):
    bounce = new_session(sender="")
    assert await ask(access.sender(services(), "inline:{ {<> = REJECT} }", ""), bounce) == (
        "554 5.7.1 <>: Sender address rejected: Access denied"
    )
    made = services(smtpd_null_access_lookup_key="nobody")
    assert "rejected" in await ask(access.sender(made, texts({"nobody": "REJECT"}), ""), bounce)
    made = services(smtpd_null_access_lookup_key="")
    assert await ask(access.sender(made, "static:REJECT", ""), bounce) is None


async def test_without_a_sender_or_recipient_nothing_is_asked(services, ask, new_session):
    check = access.sender(services(), "static:REJECT", "")
    assert await ask(check, new_session(sender=None)) is None
    assert await ask(access.recipient(services(), "static:REJECT", ""), recipient="") is None


async def test_an_incomplete_address_is_completed_for_the_look_up_alone(services, ask):
    made = services(myorigin="here.test")
    assert await ask(access.recipient(made, texts({"u@here.test": "REJECT"}), ""), recipient="u") == (
        "554 5.7.1 <u>: Recipient address rejected: Access denied"
    )


@pytest.mark.parametrize(
    "address", ["u%far.test@relay.test", "far.test!u@relay.test", "u@far.test@relay.test"]
)
async def test_no_table_permits_a_recipient_with_routing_in_it(services, ask, address):
    check = access.recipient(services(), "static:OK", "")
    assert await ask(check, recipient=address) is None
    assert await ask(check, recipient="u@relay.test") is PERMIT
    trusting = access.recipient(services(allow_untrusted_routing="yes"), "static:OK", "")
    assert await ask(trusting, recipient=address) is PERMIT


async def test_a_login_is_looked_up_whole(services, ask, session):
    enabled = services(smtpd_sasl_auth_enable="yes")
    check = access.login(enabled, texts({"al ice": "REJECT", "alice": "OK"}), "")
    assert await ask(check) is None
    session.sasl_username = "alice"
    assert await ask(check) is PERMIT
    assert await ask(access.login(services(), "static:REJECT", "")) is None
    session.sasl_username = "al\x01ice"
    refused = access.login(enabled, "static:REJECT", "")
    assert await ask(refused) == "554 5.7.1 <al_ice>: SASL login name rejected: Access denied"


async def test_etrn_is_looked_up_by_domain_and_parents(world, session):
    here = world(smtpd_etrn_restrictions="inline:{ {example.org = OK} }, reject")
    assert await here.policy.etrn(session, "a.example.org") is None
    assert (await here.policy.etrn(session, "example.com")).code == 554


async def test_a_table_that_cannot_be_asked_refuses_for_now_with_postfixs_words(world, say):
    here = world(smtpd_client_restrictions="check_client_access hash:/no/such")
    assert await say(here, "u@here.test") == (
        "451 4.3.5 <unknown[192.0.2.10]>: Client host rejected: Server configuration error"
    )
    assert "/no/such" in here.sink.lines[0]


async def test_warn_if_reject_makes_a_warning_of_a_table_that_cannot_be_asked(world, say):
    here = world(smtpd_client_restrictions="warn_if_reject check_client_access hash:/no/such")
    assert await say(here, "u@here.test") == ""
    assert any("reject_warning: RCPT from unknown[192.0.2.10]: 451 4.3.5" in line for line in here.sink.lines)


async def test_what_nobody_waits_for_is_answered_at_once(services, new_session):
    check = access.sender(services(), texts({"b@example.net": "REJECT"}), "")
    query = Query(new_session(sender="a@example.net"), "MAIL", Log(ListSink()), soft_bounce=False)
    assert check(query) is None
    broken = access.sender(services(), "fail:x", "")
    assert broken(query).code == 451


KEYS = [
    "ann@a.example.org",
    "a.example.org",
    "example.org",
    "org",
    ".example.org",
    "ann@",
    "ann",
    "ann+x@",
    "x",
    "@",
]
ADDRESSES = [
    "ann@a.example.org", "Ann@A.Example.Org", "ann+x@a.example.org", "bob@other.test", "ann", "@a.example.org",
    '"ann"@a.example.org', "an n@a.example.org", "ann%b@a.example.org", "ann@[192.0.2.1]", "\u00e4nn@a.example.org",
    "ann@localhost", "",
]  # fmt: skip


@pytest.mark.parametrize("parents", ["smtpd_access_maps", ""])
@pytest.mark.parametrize("delimiter", ["", "+", "-+"])
def test_the_short_way_never_misses_a_key(services, parents, delimiter):
    short = 0
    for key in KEYS:
        made = services(parent_domain_matches_subdomains=parents, recipient_delimiter=delimiter)
        table, extensions = access.AccessTable(made, texts({key: "REJECT"}), ""), access.extensions_of(made)
        for address in ADDRESSES:
            keys = [] if not address else table.address_keys(address, extensions)
            if table.lacks(address, extensions):
                short += 1
                assert key not in {each.text.lower() for each in keys}
    assert short >= 10


async def test_a_file_that_cannot_be_read_is_not_without_the_key(services, ask):
    made = services()
    table = access.AccessTable(made, "hash:/does/not/exist", "")
    assert not table.lacks("ann@a.example.org", access.extensions_of(made))
    assert "Server configuration error" in await ask(access.recipient(made, "hash:/does/not/exist", ""))


@pytest.mark.parametrize("make", [access.sender, access.recipient])
@pytest.mark.parametrize("address", ["Bob@Example.NET", "Bob%x@Example.NET"])
async def test_patterns_see_mail_addresses_in_lower_case(services, ask, session, tmp_path, make, address):
    (tmp_path / "patterns").write_text("/^(B.*)@/i REJECT $1\n/^(b.*)@(.*)/ DEFER $1 $2\n")
    made = services()
    made.tables.config_directory = str(tmp_path)
    session.transaction.sender = address
    said = await ask(make(made, "regexp:patterns", ""), recipient=address)
    assert said.endswith(address.lower().replace("@", " "))
    assert f"<{address}>" in said
