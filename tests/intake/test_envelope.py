from postroad.intake.envelope import Duplicates, original_recipient
from postroad.model.message import FAILURE, NEVER, SUCCESS, Recipient

ALIASES = (
    "inline:{ {m@e.test=a@x, b@x}, {one@e.test=c@x}, {@w.test=@z.test}, {loc=q@x},"
    " {ext+foo@e.test=gotext@x}, {ext@e.test=base@x} }"
)


def test_recipients_come_in_postfixs_order_with_their_requests(bench):
    b = bench(
        recipient_delimiter="+",
        mydestination="mx.example.test",
        virtual_alias_maps=ALIASES,
        always_bcc="arch",
        recipient_bcc_maps="inline:{{m@e.test=watch@e.test}}",
        sender_bcc_maps="inline:{{a@example.net=one@e.test}}",
    )
    first = Recipient("m@e.test", notify=SUCCESS | FAILURE, orcpt="rfc822;orig@x")
    second = Recipient("one+x@e.test", notify=SUCCESS)
    b.send(
        b"\r\nx\r\n",
        first,
        second,
        Recipient("k@w.test", notify=NEVER),
        "loc+y",
        "ext+foo@e.test",
        "ext+bar@e.test",
        "b@x",
        Recipient("b@x", orcpt="rfc822;else@x"),
    )
    assert [(r.address, r.original, r.notify, r.orcpt) for r in b.message.recipients] == [
        ("c@x", "one@e.test", NEVER, ""),
        ("a@x", "m@e.test", FAILURE, "rfc822;orig@x"),
        ("b@x", "m@e.test", FAILURE, "rfc822;orig@x"),
        ("watch@e.test", "watch@e.test", NEVER, ""),
        ("c+x@x", "one+x@e.test", NEVER, "rfc822;one+x@e.test"),
        ("k@z.test", "k@w.test", NEVER, "rfc822;k@w.test"),
        ("q+y@x", "loc+y", 0, "rfc822;loc+y"),
        ("gotext@x", "ext+foo@e.test", 0, "rfc822;ext+foo@e.test"),
        ("base+bar@x", "ext+bar@e.test", 0, "rfc822;ext+bar@e.test"),
        ("b@x", "b@x", 0, "rfc822;b@x"),
        ("b@x", "b@x", 0, "rfc822;else@x"),
        ("arch@mx.example.test", "arch@mx.example.test", NEVER, ""),
    ]
    assert b.expanded == [first, second]


def test_the_null_sender_has_no_copies_of_its_own(bench):
    b = bench(sender_bcc_maps="static:all@x", always_bcc="arch@x")
    b.send(b"\r\nx\r\n", sender="")
    assert b.envelope == ["", "alice@example.test", "arch@x"]


def test_the_received_field_names_what_the_client_said(bench):
    b = bench(virtual_alias_maps=ALIASES)
    b.send(b"\r\nx\r\n", "m@e.test")
    assert b"\tfor <m@e.test>; " in b.content


def test_an_empty_recipient_is_the_daemon(bench):
    b = bench()
    b.send(b"\r\nx\r\n", Recipient(""))
    assert b.envelope[1] == "MAILER-DAEMON@mx.example.test"


def test_the_filter_for_duplicates_remembers_up_to_its_limit():
    filled = Duplicates(2, by_original=False)
    assert [filled.is_new(Recipient(a)) for a in ("a@x", "b@x", "A@X", "c@x", "c@x")] == [
        True,
        True,
        False,
        True,
        True,
    ]
    endless = Duplicates(0, by_original=False)
    assert [endless.is_new(Recipient(a)) for a in ("a@x", "b@x", "a@x")] == [True, True, False]


def test_originals_make_equal_addresses_different():
    duplicates = Duplicates(0, by_original=True)
    assert duplicates.is_new(Recipient("a@x", "one"))
    assert duplicates.is_new(Recipient("a@x", "two"))
    assert not duplicates.is_new(Recipient("A@x", "ONE"))


def test_an_original_recipient_is_written_with_its_type():
    assert original_recipient("a b@x") == 'rfc822;"a b"@x'
    assert original_recipient("ä@x") == "utf-8;ä@x"
