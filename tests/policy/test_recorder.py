"""What is heard of a policy that somebody watches."""

import pytest

from postroad.base.log import ListSink, Log
from postroad.base.tasks import result
from postroad.model.explain import Lookup, Outcome
from postroad.net.watched import WatchedResolver
from postroad.policy.recorder import Recorder
from postroad.policy.service import ServicePolicy
from postroad.tables.context import TableContext

BASE = {"smtpd_relay_restrictions": "reject_unauth_destination", "smtpd_reject_unlisted_recipient": "no"}


@pytest.fixture
def watched(world, settings, session):
    """Return a function: the texts of a policy -> the steps of a recipient, and the reply."""

    async def ask(address="u@box.test", **texts):
        plain = world()
        recorder = Recorder()
        policy = ServicePolicy(
            settings(**(BASE | texts)),
            tables=TableContext(watch=recorder.lookup),
            router=plain.router,
            recipients=plain.recipients,
            log=Log(ListSink()),
            own_address=lambda _: False,
            resolver=WatchedResolver(plain.resolver, recorder.lookup),
            recorder=recorder,
        )
        reply = await result(policy.recipient(session, address))
        steps, lookups = recorder.take()
        assert recorder.take() == ((), ())
        assert lookups == ()
        return steps, reply

    return ask


async def test_every_restriction_is_heard_of_with_its_place_and_what_it_said(watched):
    steps, reply = await watched(
        smtpd_client_restrictions="permit_mynetworks",
        smtpd_recipient_restrictions="permit_sasl_authenticated, reject, permit",
    )
    assert reply.code == 554
    told = [(each.list, each.place, each.restriction, each.outcome) for each in steps]
    assert told == [
        ("smtpd_client_restrictions", 1, "permit_mynetworks", Outcome.GOES_ON),
        ("smtpd_relay_restrictions", 1, "reject_unauth_destination", Outcome.GOES_ON),
        ("smtpd_recipient_restrictions", 1, "permit_sasl_authenticated", Outcome.GOES_ON),
        ("smtpd_recipient_restrictions", 2, "reject", Outcome.REFUSES),
    ]
    assert steps[-1].reply == "554 5.7.1 <u@box.test>: Recipient address rejected: Access denied"
    assert steps[1].reason == "box.test is in virtual_mailbox_domains"


async def test_lookups_belong_to_the_restriction_that_made_them(watched):
    table = "inline:{other.test=REJECT}"
    steps, _ = await watched(
        smtpd_recipient_restrictions=f"check_recipient_access {table}, reject_unknown_sender_domain"
    )
    found = {each.restriction.split()[0]: each.lookups for each in steps}
    assert found["check_recipient_access"][0] == Lookup(table, "u@box.test", None)
    assert {each.key for each in found["check_recipient_access"]} >= {"box.test", "u@"}
    assert found["reject_unknown_sender_domain"][0] == Lookup("DNS MX", "example.net", None)


async def test_lists_inside_are_inside(watched):
    steps, _ = await watched(
        smtpd_restriction_classes="foo",
        foo="check_recipient_access inline:{box.test=reject_plaintext_session}",
        smtpd_recipient_restrictions="foo",
    )
    foo = steps[-1]
    assert (foo.restriction, foo.outcome) == ("foo", Outcome.REFUSES)
    access = foo.inside[0]
    assert (access.list, access.lookups[-1].answer) == ("foo", "reject_plaintext_session")
    assert access.inside[0].restriction == "reject_plaintext_session"


@pytest.mark.parametrize(
    ("restriction", "outcome"),
    [
        ("permit", Outcome.PERMITS),
        ("defer_if_permit", Outcome.PUTS_OFF),
        ("defer_if_reject", Outcome.DOUBTS),
        ("warn_if_reject reject", Outcome.WARNS),
        ("warn_if_reject defer_if_permit", Outcome.WARNS),
        ("nonsense", Outcome.FAILS),
    ],
)
async def test_each_outcome_has_its_word(watched, restriction, outcome):
    steps, _ = await watched(smtpd_recipient_restrictions=restriction)
    assert steps[-1].outcome is outcome
    assert steps[-1].restriction == restriction
    assert bool(steps[-1].reply) is (outcome is not Outcome.PERMITS)


async def test_the_verdict_is_what_it_would_be_unwatched(watched, world, session):
    texts = {
        "smtpd_reject_unlisted_recipient": "yes",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "smtpd_helo_restrictions": "defer_if_permit",
        "smtpd_recipient_restrictions": "check_recipient_access inline:{a@box.test=OK}, reject_non_fqdn_sender",
    }
    for address in ("a@box.test", "b@box.test", "c@far.test", "nobody@here.test"):
        expected = await result(world(**texts).policy.recipient(session, address))
        _, reply = await watched(address, **texts)
        assert reply == expected


async def test_a_sleep_is_not_slept(watched):
    _, reply = await watched(smtpd_recipient_restrictions="sleep 3600, reject")
    assert reply.code == 554
