"""Sessions that are only imagined, by the stages of the server."""

import asyncio

import pytest

from postroad.app.explain import Question, explain, service_of
from postroad.base.clock import SystemClock
from postroad.base.errors import PostroadError
from postroad.model.explain import Outcome
from postroad.model.verification import Deliverability, Verification
from postroad.net.answer import Answer
from postroad.policy.verifier import lifetimes_of
from postroad.store.greylist import Greylist, Terms, Triple
from postroad.store.verify_cache import VerifyCache

from .texts import config_of

MAIN = """\
mynetworks = 10.0.0.0/8
virtual_mailbox_domains = box.test
virtual_mailbox_maps = inline:{bob@box.test=bob/}
virtual_alias_maps = inline:{{info@box.test=bob@box.test, eve@far.test}}
smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination
data_directory = %s/data
queue_directory = %s
"""


class Dns:
    """``{(name, kind): records}``; nothing else is there."""

    def __init__(self, records):
        self.records = records

    async def query(self, name, kind):
        return Answer(name, kind, self.records.get((name, kind), ()))

    async def mx(self, name):
        return (await self.query(name, "MX")).records

    async def addresses(self, name, family=0):
        return (await self.query(name, "AAAA" if family == 6 else "A")).records

    async def ptr(self, address):
        return (await self.query(address, "PTR")).records

    async def txt(self, name):
        return (await self.query(name, "TXT")).records


@pytest.fixture
def imagine(tmp_path):
    """Return a function: further lines of main.cf and a question -> its explanation."""

    async def ask(main="", master="", dns=(), **question):
        config = config_of(MAIN % (tmp_path, tmp_path) + main, master, port=25, directory=str(tmp_path))
        given = {
            "client": "192.0.2.1",
            "name": "c.test",
            "sender": "a@x.test",
            "recipients": ("bob@box.test",),
        }
        return await explain(config, Question(**(given | question)), resolver=Dns(dict(dns)))

    return ask


def replies(explanation):
    return [(each.command.partition(":")[0], each.code) for each in explanation.said]


async def test_an_accepted_session_goes_to_its_end_and_names_the_way(imagine, tmp_path):
    found = await imagine()
    assert replies(found) == [
        ("CONNECT", 220), ("EHLO c.test", 250), ("MAIL FROM", 250), ("RCPT TO", 250), ("DATA", 354), ("end of data", 250)
    ]  # fmt: skip
    assert found.status == 0
    (destination,) = found.destinations
    (target,) = destination.targets
    assert (target.transport, target.nexthop, target.address_class) == (
        "virtual",
        "box.test",
        "virtual_mailbox",
    )
    assert found.trusted is False
    assert list(tmp_path.iterdir()) == []  # nothing was written


async def test_aliases_become_what_they_stand_for(imagine):
    found = await imagine(recipients=("info@box.test",))
    (destination,) = found.destinations
    assert destination.recipient == "info@box.test"
    assert [(each.address, each.transport, each.nexthop) for each in destination.targets] == [
        ("bob@box.test", "virtual", "box.test"),
        ("eve@far.test", "smtp", "far.test"),
    ]


async def test_local_aliases_are_followed(imagine):
    main = (
        "mydestination = here.test\nlocal_recipient_maps =\nalias_maps = inline:{{list=x@far.test, root}}\n"
    )
    found = await imagine(main, "local unix - - n - - local\n", recipients=("list@here.test",))
    targets = found.destinations[0].targets
    assert [(each.address, each.transport) for each in targets] == [
        ("list@here.test", "local"),
        ("x@far.test", "smtp"),
        ("root@mx.example.test", "smtp"),
    ]


async def test_a_refusal_is_the_servers_with_what_decided(imagine):
    found = await imagine(recipients=("bob@box.test", "x@far.test", "nobody@box.test"))
    assert [each.code for each in found.said[3:6]] == [250, 554, 550]
    assert found.status == 1
    relay = found.said[4]
    assert relay.reply == "554 5.7.1 <x@far.test>: Relay access denied"
    assert relay.decided.path == (("smtpd_relay_restrictions", 3, "reject_unauth_destination"),)
    assert relay.steps[-1].outcome is Outcome.REFUSES
    assert (
        f"reject: RCPT from c.test[192.0.2.1]: {relay.reply}; from=<a@x.test> to=<x@far.test>" in relay.log[0]
    )
    unlisted = found.said[5]
    assert unlisted.decided.path[0][2] == "reject_unlisted_recipient"


async def test_the_clients_name_is_looked_up_as_the_server_does(imagine):
    dns = {("192.0.2.1", "PTR"): ("c.x.test",), ("c.x.test", "A"): ("192.0.2.1",)}
    found = await imagine("smtpd_peername_lookup = yes\n", dns=dns, name="")
    assert found.client == "192.0.2.1 (c.x.test)"
    assert [(each.source, each.answer) for each in found.lookups] == [
        ("DNS PTR", "c.x.test"),
        ("DNS A", "192.0.2.1"),
    ]
    found = await imagine("smtpd_peername_lookup = yes\n", dns={("192.0.2.1", "PTR"): ("c.x.test",)}, name="")
    assert found.client == "192.0.2.1 (unknown)"


async def test_a_client_that_is_refused_at_once_says_no_more(imagine):
    main = "smtpd_delay_reject = no\nsmtpd_client_restrictions = reject\n"
    found = await imagine(main)
    assert replies(found) == [("CONNECT", 554)]
    assert found.said[0].decided.path == (("smtpd_client_restrictions", 1, "reject"),)


async def test_logins_and_tls_are_believed(imagine):
    main = "smtpd_tls_security_level = encrypt\nsmtpd_sasl_auth_enable = yes\n"
    assert [each.code for each in (await imagine(main)).said][-1] == 530
    found = await imagine(main, tls=True, user="eva", recipients=("x@far.test",))
    assert found.status == 0
    assert found.said[3].steps[1].reason == "logged in as eva"
    found = await imagine(user="eva", recipients=("x@far.test",))
    assert any("nobody can log in" in note for note in found.notes)


async def test_a_service_has_its_own_settings_and_begins_with_tls_if_it_does(imagine):
    master = "465 inet n - n - - smtpd -o smtpd_tls_wrappermode=yes -o smtpd_client_restrictions=reject\n"
    found = await imagine("", master, service="465")
    assert found.said[-1].steps[0].restriction == "reject"
    assert any("begin with TLS" in note for note in found.notes)
    assert (await imagine("", master)).status == 0


async def test_size_counts(imagine):
    main = "message_size_limit = 1000\n"
    assert replies(await imagine(main, size=2000))[-1] == ("MAIL FROM", 552)
    assert (await imagine(main, size=900)).status == 0
    main += "smtpd_end_of_data_restrictions = check_sender_access inline:{a@x.test=REJECT}\n"
    assert replies(await imagine(main, size=900))[-1] == ("end of data", 554)


async def test_what_becomes_of_the_message_is_noted(imagine):
    hold = "smtpd_recipient_restrictions = check_sender_access inline:{a@x.test=HOLD}\n"
    assert any("hold" in note for note in (await imagine(hold)).notes)
    found = await imagine("smtpd_recipient_restrictions = check_sender_access inline:{a@x.test=DISCARD}\n")
    assert found.status == 0
    assert any("thrown away" in note for note in found.notes)
    found = await imagine(
        "smtpd_recipient_restrictions = check_sender_access inline:{{a@x.test=FILTER smtp:[f]:1}}\n"
    )
    target = found.destinations[0].targets[0]
    assert (target.transport, target.nexthop, target.address_class) == ("smtp", "[f]:1", "content filter")


async def test_a_table_that_fails_is_no_acceptance(imagine):
    found = await imagine("smtpd_recipient_restrictions = check_sender_access hash:/nonexistent/t\n")
    assert found.status == 75
    assert "No such file" in found.said[3].decided.error
    found = await imagine("transport_maps = hash:/nonexistent/t\n")
    assert found.status == 75
    found = await imagine(
        "recipient_canonical_maps = hash:/nonexistent/t\nsmtpd_reject_unlisted_recipient = no\n"
    )
    assert found.status == 75


async def test_greylisting_is_read_and_not_changed(imagine, tmp_path):
    main = "smtpd_recipient_restrictions = greylist\n"
    for _ in range(2):
        assert "try again in 300 seconds" in (await imagine(main)).said[3].reply
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "data").mkdir()
    memory = Greylist(tmp_path / "data/greylist.db")
    terms = Terms(300, 172800, 3024000, 0, 1000)
    now = SystemClock().now()
    await memory.ask(Triple("192.0.2.0/24", "a@x.test", "bob@box.test"), terms, now - 400)
    assert (await imagine(main)).status == 0
    assert await memory.ask(Triple("192.0.2.0/24", "a@x.test", "bob@box.test"), terms, now - 399) == 299
    memory.close()


async def test_verified_addresses_are_read_and_no_probe_is_sent(imagine, tmp_path):
    main = (
        "smtpd_recipient_restrictions = reject_unverified_recipient\n"
        f"address_verify_map = btree:{tmp_path}/verify\n"
    )
    found = await imagine(main)
    assert "Address verification in progress" in found.said[3].reply
    assert list(tmp_path.iterdir()) == []
    cache = VerifyCache(tmp_path / "verify.sqlite")
    lives = lifetimes_of(config_of().settings)
    bad = Verification(Deliverability.BAD, "550 no such user")
    await cache.note("bob@box.test", bad, lives, SystemClock().now())
    assert "no such user" in (await imagine(main)).said[3].reply
    cache.close()


async def test_functions_in_python_are_called(imagine, tmp_path):
    (tmp_path / "imagined_hook.py").write_text(
        "def judge(facts):\n    return 'REJECT ' + facts.client.name\n"
    )
    found = await imagine("smtpd_recipient_restrictions = check_python imagined_hook:judge\n")
    assert found.said[3].reply == "554 5.7.1 <bob@box.test>: Recipient address rejected: c.test"
    (called,) = found.said[3].steps[-1].lookups
    assert (called.source, called.answer) == ("check_python imagined_hook:judge", "REJECT c.test")
    (tmp_path / "broken_hook.py").write_text("def judge(facts):\n    return 1 / 0\n")
    found = await imagine("smtpd_recipient_restrictions = check_python broken_hook:judge\n")
    assert found.status == 75
    assert "ZeroDivisionError" in found.said[3].steps[-1].lookups[0].error


async def test_policy_servers_are_asked_and_what_they_say_is_shown(imagine):
    questions = []

    async def answer(reader, writer):
        questions.append(await reader.readuntil(b"\n\n"))
        writer.write(b"action=REJECT says the server\n\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    place = f"inet:127.0.0.1:{server.sockets[0].getsockname()[1]}"
    found = await imagine(f"smtpd_recipient_restrictions = check_policy_service {place}\n")
    assert found.said[3].reply == "554 5.7.1 <bob@box.test>: Recipient address rejected: says the server"
    (asked,) = found.said[3].steps[-1].lookups
    assert (asked.source, asked.key, asked.answer) == (place, "policy query", "REJECT says the server")
    assert found.said[3].decided.value == "REJECT says the server"
    assert b"client_address=192.0.2.1\n" in questions[0]
    server.close()
    main = (
        f"smtpd_policy_service_try_limit = 1\nsmtpd_recipient_restrictions = check_policy_service {place}\n"
    )
    found = await imagine(main)
    assert found.status == 75
    assert found.said[3].steps[-1].lookups[0].error


async def test_addresses_that_cannot_be_read_are_refused_by_the_machine(imagine):
    found = await imagine(recipients=("a b@box.test",))
    assert found.said[3].code == 501
    assert found.said[3].decided is None
    assert found.said[3].steps == ()


def test_the_service_is_found_by_name_and_port():
    master = (
        "587 inet n - n - - smtpd\n127.0.0.1:2525 inet n - n - - smtpd\nsubmissions inet n - n - - smtpd\n"
    )
    config = config_of("", master, port=2626)
    assert [service_of(config, each).name for each in ("587", "2525", "465", "submissions")] == [
        "587", "127.0.0.1:2525", "submissions", "submissions"
    ]  # fmt: skip
    assert service_of(config, "").name == "2626"
    assert service_of(config_of("", "smtp inet n - n - - smtpd\n", port=2626), "").name == "smtp"
    screened = config_of("", "smtpd pass - - n - - smtpd\nsmtp inet n - n - 1 postscreen\n", port=2626)
    assert [service_of(screened, each).key for each in ("", "25", "smtp", "smtpd")] == ["smtpd/pass"] * 4
    with pytest.raises(PostroadError, match="no smtpd service 99"):
        service_of(config, "99")
