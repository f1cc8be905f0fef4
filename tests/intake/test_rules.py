import pytest

from postroad.intake.rules import Role

MAPS = {
    "canonical_maps": "inline:{ {jd@example.net=John.Doe@example.net}, {@old.example=@new.example},"
    " {plain=plain.user@example.test} }",
    "sender_canonical_maps": "inline:{ {news@example.net=news-out@example.org} }",
    "recipient_canonical_maps": "inline:{ {old@example.test=alice@example.test} }",
    "virtual_alias_maps": "inline:{ {team@example.test=alice, bob@example.test, carol@far.example},"
    " {alice@example.test=alice@inner.example}, {@whole.example=@target.example} }",
    "local_header_rewrite_clients": "static:all",
    "masquerade_domains": "masq.example",
    "masquerade_exceptions": "root",
    "append_dot_mydomain": "yes",
}


def test_canonical_and_virtual_maps_change_envelope_and_header(bench):
    b = bench(**MAPS)
    b.send(
        b"From: JD <jd@example.net>\r\nTo: old@example.test, x@old.example\r\n\r\n",
        "old@example.test",
        "bob@example.test",
        sender="jd@example.net",
    )
    assert b.envelope == ["John.Doe@example.net", "alice@inner.example", "bob@example.test"]
    assert b.header.startswith("From: JD <John.Doe@example.net>\r\nTo: alice@example.test, x@new.example\r\n")


def test_sender_tables_are_for_senders_only(bench):
    b = bench(**MAPS)
    b.send(
        b"From: news@example.net\r\nTo: news@example.net\r\n\r\n",
        "team@example.test",
        sender="news@example.net",
    )
    assert b.envelope == [
        "news-out@example.org",
        "alice@mx.example.test",
        "bob@example.test",
        "carol@far.example",
    ]
    assert b.header.startswith("From: news-out@example.org\r\nTo: news@example.net\r\n")


def test_domains_users_and_short_names_are_mapped(bench):
    b = bench(**MAPS)
    b.send(
        b"From: u@host.masq.example\r\nTo: root@host.masq.example, short, b@host\r\n\r\n",
        "someone@whole.example",
        "plain",
        sender="u@host.masq.example",
        address="127.0.0.1",
    )
    assert b.envelope == ["u@masq.example", "someone@target.example", "plain.user@example.test"]
    assert b.header.replace("\r\n\t", " ").startswith(
        "From: u@masq.example\r\nTo: root@host.masq.example, short@mx.example.test, b@host.example.test\r\n"
    )


def test_classes_say_which_addresses_a_table_is_for(bench):
    b = bench(
        canonical_classes="envelope_recipient",
        sender_canonical_classes="header_sender",
        recipient_canonical_classes="header_recipient",
        canonical_maps="inline:{{c@e.test=canon@e.test}}",
        sender_canonical_maps="inline:{{c@e.test=scanon@e.test}}",
        recipient_canonical_maps="inline:{{c@e.test=rcanon@e.test}}",
    )
    b.send(
        b"From: c@e.test\r\nTo: c@e.test\r\nX-To: c@e.test\r\n\r\n",
        "c@e.test",
        sender="c@e.test",
        address="127.0.0.1",
    )
    assert b.envelope == ["c@e.test", "canon@e.test"]
    assert b.header.startswith("From: scanon@e.test\r\nTo: rcanon@e.test\r\nX-To: c@e.test\r\n")


def test_masquerading_obeys_classes_and_negation(bench):
    b = bench(
        masquerade_classes="envelope_recipient,header_sender",
        masquerade_domains="!no.e.test e.test",
        masquerade_exceptions="root",
    )
    b.send(
        b"From: c@h.E.test\r\nTo: c@h.e.test\r\n\r\n",
        "c@h.e.test",
        "root@h.e.test",
        "x@h.no.e.test",
        "Y@E.test",
        sender="c@h.e.test",
        address="127.0.0.1",
    )
    assert b.envelope == ["c@h.e.test", "c@e.test", "root@h.e.test", "x@h.no.e.test", "Y@E.test"]
    assert b.header.startswith("From: c@e.test\r\nTo: c@h.e.test\r\n")


def test_no_address_mappings_turns_all_of_it_off(bench):
    b = bench(
        receive_override_options="no_address_mappings",
        always_bcc="x@y",
        canonical_maps="inline:{{c@e.test=canon@e.test}}",
        virtual_alias_maps="inline:{{c@e.test=v@e.test}}",
        masquerade_domains="e.test",
    )
    b.send(
        b"From: c@e.test, d@f.e.test, short\r\n\r\n", "c@e.test", "d", sender="c@e.test", address="127.0.0.1"
    )
    assert b.envelope == ["c@e.test", "c@e.test", "d@mx.example.test"]
    assert b.header.startswith("From: c@e.test, d@f.e.test, short@mx.example.test\r\n")


def test_extensions_come_back_only_if_configured(bench):
    texts = {
        "recipient_delimiter": "+",
        "canonical_maps": "inline:{{c@e.test=d@e.test},{joe=Joe.User}}",
        "virtual_alias_maps": "inline:{{one@e.test=b@x}}",
    }
    b = bench(propagate_unmatched_extensions="", **texts)
    b.send(b"From: joe\r\n\r\n", "one+x@e.test", "c+y@e.test", sender="joe+x", address="127.0.0.1")
    assert b.envelope == ["Joe.User@mx.example.test", "b@x", "d@e.test"]
    b = bench(**texts)
    b.send(b"From: joe\r\n\r\n", "one+x@e.test", "c+y@e.test", sender="joe+x", address="127.0.0.1")
    assert b.envelope == ["Joe.User+x@mx.example.test", "b+x@x", "d+y@e.test"]


@pytest.mark.parametrize(
    ("texts", "warning"),
    [
        ({"canonical_maps": "fail:x"}, "canonical_maps map lookup problem for a@example.net -- message not"),
        (
            {"virtual_alias_maps": "fail:x"},
            "virtual_alias_maps map lookup problem for alice@example.test -- ",
        ),
        (
            {"sender_bcc_maps": "fail:x"},
            "sender_bcc_maps map lookup problem -- message not accepted, try again",
        ),
        ({"recipient_bcc_maps": "fail:x"}, "recipient_bcc_maps map lookup problem -- message not accepted"),
        (
            {"masquerade_domains": "net", "masquerade_exceptions": "fail:x"},
            "masquerade_exceptions map lookup problem -- message not accepted, try again later",
        ),
        ({"local_header_rewrite_clients": "fail:x"}, ""),
    ],
)
def test_a_table_that_cannot_be_asked_defers_the_message(bench, texts, warning):
    b = bench(**texts)
    assert b.send(b"\r\nx\r\n") == "451 4.3.0 Error: queue file write error"
    assert warning in b.sink.lines[-1]
    assert b.store.messages == []


def test_a_table_for_headers_only_matters_where_headers_are_rewritten(bench):
    b = bench(canonical_maps="fail:x", canonical_classes="header_sender")
    assert b.send(b"From: a\r\n\r\n").startswith("250")
    assert b.send(b"From: a\r\n\r\n", address="127.0.0.1").startswith("451 4.3.0")


async def test_maps_says_whether_a_role_has_anything_to_do(bench):
    rules = bench().intake.envelopes.rules
    assert not rules.configured
    assert not any(rules.maps(role) for role in Role)
    rules = bench(sender_canonical_maps="inline:{a=b}").intake.envelopes.rules
    assert rules.configured
    assert [rules.maps(role) for role in Role] == [True, False, True, False]
    assert await rules.apply("a@mx.example.test", Role.ENVELOPE_SENDER, "Q") == "b@mx.example.test"
