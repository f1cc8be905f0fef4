"""check_policy_service: what is told, and what follows from the answer."""

from __future__ import annotations

import pytest

from policy.policyserver import always, policy_server
from postroad.base.tasks import result
from postroad.model.tls import PeerCertificate, TlsFacts

#: What Postfix 3.7.11 sends, in its order.
ATTRIBUTES = [
    "request",
    "protocol_state",
    "protocol_name",
    "client_address",
    "client_name",
    "client_port",
    "reverse_client_name",
    "server_address",
    "server_port",
    "helo_name",
    "sender",
    "recipient",
    "recipient_count",
    "queue_id",
    "instance",
    "size",
    "etrn_domain",
    "stress",
    "sasl_method",
    "sasl_username",
    "sasl_sender",
    "ccert_subject",
    "ccert_issuer",
    "ccert_fingerprint",
    "ccert_pubkey_fingerprint",
    "encryption_protocol",
    "encryption_cipher",
    "encryption_keysize",
    "policy_context",
]


def texts(server, rest="", parameter="smtpd_recipient_restrictions"):
    return {parameter: f"check_policy_service {{ {server.address} retry_delay=1 try_limit=1 {rest} }}"}


@pytest.mark.parametrize(
    ("action", "line"),
    [
        ("DUNNO", ""),
        ("OK", ""),
        ("REJECT", "554 5.7.1 <u@here.test>: Recipient address rejected: Access denied"),
        ("550 5.7.1 Policy says no", "550 5.7.1 <u@here.test>: Recipient address rejected: Policy says no"),
        ("DEFER_IF_PERMIT Greylisted", "450 4.7.1 <u@here.test>: Recipient address rejected: Greylisted"),
        (
            "reject_unauth_destination, reject",
            "554 5.7.1 <u@here.test>: Recipient address rejected: Access denied",
        ),
        ("NONSENSE", "451 4.3.5 Server configuration error"),
        ("hash:/etc/x", "451 4.3.5 Server configuration error"),
    ],
)
async def test_any_action_of_an_access_table_may_come_back(world, say, action, line):
    async with policy_server(always(action)) as server:
        assert await say(world(**texts(server)), "u@here.test") == line


async def test_what_concerns_the_message_is_noted(world, say, session):
    async with policy_server(always("PREPEND X-Policy: seen")) as server:
        assert await say(world(**texts(server)), "u@here.test") == ""
        assert session.transaction.actions == {"PREPEND": "X-Policy: seen"}


async def test_the_attributes_are_postfix_s_in_its_order(world, say, session):
    session.client.port, session.client.server_address, session.client.name = 4711, "203.0.113.25", "c.test"
    session.transaction.size = 77
    async with policy_server(always("DUNNO")) as server:
        assert await say(world(**texts(server, "policy_context=here")), "u@here.test") == ""
    told = server.asked[0][1]
    assert server.order == ATTRIBUTES
    instance = told.pop("instance")
    assert len(instance.split(".")) == 4
    assert {name: value for name, value in told.items() if value} == {
        "request": "smtpd_access_policy",
        "protocol_state": "RCPT",
        "protocol_name": "ESMTP",
        "client_address": "192.0.2.10",
        "client_name": "c.test",
        "client_port": "4711",
        "reverse_client_name": "unknown",
        "server_address": "203.0.113.25",
        "server_port": "25",
        "helo_name": "x",
        "sender": "a@example.net",
        "recipient": "u@here.test",
        "recipient_count": "0",
        "size": "77",
        "encryption_keysize": "0",
        "policy_context": "here",
    }


async def test_login_and_encryption_are_told(world, say, session):
    session.sasl_username, session.sasl_method, session.sasl_sender = "alice", "PLAIN", "s"
    peer = PeerCertificate("Wietse Venema", "an authority", "AA:BB", "CC:DD", trusted=True)
    session.tls_facts = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, 256, peer=peer)
    async with policy_server(always("DUNNO")) as server:
        policy = world(**texts(server))
        await say(policy, "u@here.test")
        told = server.asked[0][1]
        assert (told["sasl_username"], told["sasl_method"], told["sasl_sender"]) == ("alice", "PLAIN", "s")
        assert (told["ccert_subject"], told["ccert_issuer"]) == ("Wietse+20Venema", "an+20authority")
        assert (told["ccert_fingerprint"], told["ccert_pubkey_fingerprint"]) == ("AA:BB", "CC:DD")
        assert told["encryption_protocol"] == "TLSv1.3"
        assert told["encryption_cipher"] == "TLS_AES_256_GCM_SHA384"
        assert told["encryption_keysize"] == "256"
        peer = PeerCertificate("Mallory", "Mallory", "EE:FF", "00:11", trusted=False)
        session.tls_facts = TlsFacts("TLSv1.3", "X", 256, 256, peer=peer)
        await say(policy, "u@here.test")
        told = server.asked[1][1]
        assert (told["ccert_subject"], told["ccert_issuer"], told["ccert_fingerprint"]) == ("", "", "EE:FF")


async def test_each_stage_tells_what_it_knows(world, session, recipient):
    session.greeting = "EHLO"
    session.transaction.sender = None
    lists = ("client", "helo", "sender", "relay", "data", "end_of_data", "etrn")
    async with policy_server(always("DUNNO")) as server:
        asked = {f"smtpd_{name}_restrictions": f"check_policy_service {server.address}" for name in lists}
        asked["smtpd_relay_restrictions"] += ", reject_unauth_destination"
        policy = world(smtpd_delay_reject="no", **asked).policy
        await policy.connect(session)
        await policy.helo(session)
        await policy.etrn(session, "example.org")
        session.transaction.sender = "a@example.net"
        await policy.mail(session)
        await result(policy.recipient(session, "u@here.test"))
        session.transaction.recipients.append(recipient("u@here.test"))
        session.transaction.queue_key = 0xABC
        await policy.data(session)
        await policy.end_of_data(session, 4321)
        await policy.verify(session, "v@here.test")
    told = [asked for _, asked in server.asked]
    names = ("protocol_state", "sender", "recipient", "recipient_count", "etrn_domain", "size", "queue_id")
    assert [tuple(each[name] for name in names) for each in told] == [
        ("CONNECT", "", "", "0", "", "0", ""),
        ("EHLO", "", "", "0", "", "0", ""),
        ("ETRN", "", "", "0", "example.org", "0", ""),
        ("MAIL", "a@example.net", "", "0", "", "0", ""),
        ("RCPT", "a@example.net", "u@here.test", "0", "", "0", ""),
        ("DATA", "a@example.net", "u@here.test", "1", "", "0", "000000000000ABC"),
        ("END-OF-MESSAGE", "a@example.net", "u@here.test", "1", "", "4321", "000000000000ABC"),
        ("VRFY", "a@example.net", "v@here.test", "0", "", "0", "000000000000ABC"),
    ]
    instances = [each["instance"] for each in told]
    assert instances[:4] == [""] * 4
    assert len(set(instances[4:])) == 1
    assert server.connections == 1


async def test_each_message_has_an_instance_of_its_own(world, say, new_session):
    async with policy_server(always("DUNNO")) as server:
        policy = world(**texts(server))
        for who in (new_session(), new_session()):
            await say(policy, "u@here.test", who)
            await say(policy, "v@here.test", who)
    first, again, second, _ = (asked["instance"] for _, asked in server.asked)
    assert first == again != second


@pytest.mark.parametrize(
    ("rest", "line"),
    [
        ("", "451 4.3.5 <u@here.test>: Recipient address rejected: Server configuration problem"),
        (
            "{ default_action = 450 4.3.0 Later }",
            "450 4.3.0 <u@here.test>: Recipient address rejected: Later",
        ),
        ("default_action=DUNNO", ""),
        ("default_action=nonsense", "451 4.3.5 Server configuration error"),
    ],
)
async def test_without_an_answer_the_default_action_is_done(world, say, rest, line):
    async with policy_server(lambda _: None) as server:
        assert await say(world(**texts(server, rest)), "u@here.test") == line


async def test_a_default_action_that_asks_a_server_ends(world, say):
    async with policy_server(lambda _: None) as server:
        given = texts(server, "default_action=ask", "ask") | {
            "smtpd_restriction_classes": "ask",
            "smtpd_recipient_restrictions": "ask",
        }
        assert await say(world(**given), "u@here.test") == (
            "451 4.3.5 <u@here.test>: Recipient address rejected: Server configuration problem"
        )
        assert len(server.asked) == 2


async def test_under_warn_if_reject_a_missing_answer_is_logged_only(world, say):
    async with policy_server(lambda _: None) as server:
        given = texts(server)
        given["smtpd_recipient_restrictions"] = "warn_if_reject " + given["smtpd_recipient_restrictions"]
        here = world(**given)
        assert await say(here, "u@here.test") == ""
        assert any("reject_warning" in line for line in here.sink.lines)


async def test_without_a_server_the_client_is_told_that_the_configuration_is_wrong(world, say):
    here = world(smtpd_recipient_restrictions="check_policy_service nothing")
    assert await say(here, "u@here.test") == "451 4.3.5 Server configuration error"
    assert here.sink.lines == [
        "smtpd: warning: restriction check_policy_service must be followed by transport:server"
    ]


def test_a_server_that_cannot_be_one_does_not_start(world):
    with pytest.raises(ValueError, match="expected inet"):
        world(smtpd_recipient_restrictions="check_policy_service tcp:host:1")
