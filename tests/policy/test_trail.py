"""Which restriction is said to have decided: asked of whole policies, as sessions ask them."""

import pytest

from postroad.base.tasks import result
from postroad.model.explain import Trail
from postroad.policy.trail import trail_of

RELAY = "reject_unauth_destination"


@pytest.fixture
def why(world, session):
    """Return a function: the texts of a policy -> what decided and what stood behind it, for a recipient."""

    async def ask(address="u@box.test", **texts):
        made = world(**({"smtpd_relay_restrictions": RELAY} | texts))
        reply = await result(made.policy.recipient(session, address))
        assert reply is not None
        return session.why()

    return ask


async def test_the_list_the_place_and_the_restriction_are_named(why):
    decided, behind = await why(
        smtpd_recipient_restrictions="permit_mynetworks, reject_non_fqdn_sender, reject"
    )
    assert decided == Trail((("smtpd_recipient_restrictions", 3, "reject"),))
    assert behind is None


async def test_an_access_table_is_named_with_key_and_value(why):
    table = "inline:{{box.test=REJECT go away}}"
    decided, _ = await why(smtpd_recipient_restrictions=f"check_recipient_access {table}")
    assert decided == Trail(
        (("smtpd_recipient_restrictions", 1, f"check_recipient_access {table}"),),
        table,
        "box.test",
        "REJECT go away",
    )


async def test_a_hit_of_another_restriction_is_not_the_reason(why):
    decided, _ = await why(
        smtpd_recipient_restrictions="check_recipient_access inline:{box.test=DUNNO}, reject"
    )
    assert decided == Trail((("smtpd_recipient_restrictions", 2, "reject"),))


async def test_classes_are_followed_from_the_outside_in(why):
    decided, _ = await why(
        smtpd_restriction_classes="outer, inner",
        outer="permit_mynetworks, inner",
        inner="check_recipient_access inline:{box.test=reject_plaintext_session}",
        smtpd_recipient_restrictions="outer",
    )
    assert decided.path == (
        ("smtpd_recipient_restrictions", 1, "outer"),
        ("outer", 2, "inner"),
        ("inner", 1, "check_recipient_access inline:{box.test=reject_plaintext_session}"),
        ("reject_plaintext_session", 1, "reject_plaintext_session"),
    )
    assert (decided.key, decided.value) == ("box.test", "reject_plaintext_session")


async def test_who_put_a_yes_off_is_named_although_others_were_asked_since(why):
    decided, behind = await why(
        smtpd_helo_restrictions="defer_if_permit",
        smtpd_recipient_restrictions="check_recipient_access inline:{box.test=INFO}, reject_non_fqdn_recipient",
    )
    assert decided == Trail((("smtpd_helo_restrictions", 1, "defer_if_permit"),))
    assert behind is None


async def test_who_put_off_inside_a_class_is_named_with_the_way_there(why):
    decided, _ = await why(
        smtpd_restriction_classes="foo",
        foo="permit_mynetworks, check_recipient_access inline:{{box.test=DEFER_IF_PERMIT later}}, permit_mynetworks",
        smtpd_recipient_restrictions="permit_mynetworks, foo, permit_mynetworks",
    )
    assert decided.path[0] == ("smtpd_recipient_restrictions", 2, "foo")
    assert decided.path[1][:2] == ("foo", 2)
    assert (decided.key, decided.value) == ("box.test", "DEFER_IF_PERMIT later")


async def test_a_class_that_permits_ends_the_way_of_what_it_put_off(why):
    decided, _ = await why(
        smtpd_restriction_classes="foo",
        foo="defer_if_permit, permit",
        smtpd_client_restrictions="foo",
        smtpd_recipient_restrictions="permit_mynetworks",
    )
    assert decided.path == (("foo", 1, "defer_if_permit"),)


async def test_a_4xx_in_the_place_of_a_5xx_names_both(why):
    decided, behind = await why(smtpd_recipient_restrictions="defer_if_reject, reject")
    assert decided.path == (("smtpd_recipient_restrictions", 2, "reject"),)
    assert behind.path == (("smtpd_recipient_restrictions", 1, "defer_if_reject"),)


async def test_what_is_only_warned_of_has_not_decided(why):
    decided, _ = await why(
        smtpd_recipient_restrictions="warn_if_reject reject, reject_unlisted_sender, reject"
    )
    assert decided.path == (("smtpd_recipient_restrictions", 3, "reject"),)


async def test_a_table_that_fails_is_named_with_its_error(why):
    decided, _ = await why(smtpd_recipient_restrictions="check_recipient_access hash:/nonexistent/table")
    assert decided.path[0][1] == 1
    assert "No such file" in decided.error
    assert decided.value == ""


async def test_what_could_not_look_at_all_is_named_with_the_error(why, world, session):
    made = world(smtpd_relay_restrictions=RELAY)
    made.router.broken = True
    reply = await result(made.policy.recipient(session, "u@box.test"))
    assert reply.code == 451
    decided, _ = session.why()
    assert decided == Trail(
        (("smtpd_relay_restrictions", 1, RELAY),), error="table relay_domains is unavailable"
    )


async def test_the_check_behind_the_lists_has_a_name(why):
    decided, _ = await why("nobody@here.test", smtpd_reject_unlisted_recipient="yes")
    assert decided.path == (("smtpd_reject_unlisted_recipient", 1, "reject_unlisted_recipient"),)


async def test_nothing_is_noted_of_what_is_accepted(world, session):
    made = world(smtpd_relay_restrictions=RELAY, smtpd_recipient_restrictions="permit_mynetworks")
    assert await result(made.policy.recipient(session, "u@box.test")) is None
    assert session.why is None


def test_a_path_of_nothing_known_is_no_trail():
    assert trail_of([], None) is None
    assert trail_of([((len,), len)], None) is None
