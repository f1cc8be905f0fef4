"""The words of an imagined session."""

from postroad.admin.explain import printable_lines, text_of, trail_text
from postroad.model.explain import Destination, Explanation, Lookup, Outcome, Said, Step, Target, Trail

TABLE = "hash:/etc/a"


def test_a_session_is_indented_lines_with_all_that_was_asked():
    access = Step(
        "smtpd_client_restrictions",
        2,
        f"check_client_access {TABLE}",
        Outcome.GOES_ON,
        lookups=(Lookup(TABLE, "192.0.2.10", None), Lookup(TABLE, "192.0.2", "DUNNO")),
    )
    steps = (
        Step(
            "smtpd_client_restrictions",
            1,
            "permit_mynetworks",
            Outcome.GOES_ON,
            "192.0.2.10 is not in mynetworks",
        ),
        access,
        Step("smtpd_recipient_restrictions", 1, "reject", Outcome.REFUSES, reply="554 5.7.1 no"),
    )
    decided = Trail((("smtpd_recipient_restrictions", 1, "reject"),))
    said = (
        Said("CONNECT", 220, "220 mx"),
        Said("EHLO c", 250, "250 mx"),
        Said("MAIL FROM:<>", 250, "250 2.1.0 Ok"),
        Said("RCPT TO:<b@c.test>", 554, "554 5.7.1 no", steps, (), ("NOQUEUE: reject",), decided),
    )
    text = text_of(Explanation("smtp", "192.0.2.10 (c.test)", False, said, notes=("nothing else",)))
    assert text == (
        "client 192.0.2.10 (c.test), not in mynetworks, service smtp\n"
        "MAIL FROM:<>\n"
        "  accepted: 250 2.1.0 Ok\n"
        "RCPT TO:<b@c.test>\n"
        "  smtpd_client_restrictions\n"
        "     1 permit_mynetworks                        192.0.2.10 is not in mynetworks: goes on\n"
        "     2 check_client_access hash:/etc/a          goes on\n"
        "         192.0.2.10 -> nothing, 192.0.2 -> DUNNO\n"
        "  smtpd_recipient_restrictions\n"
        "     1 reject                                   refuses: 554 5.7.1 no\n"
        "  log: NOQUEUE: reject\n"
        "  decided by smtpd_recipient_restrictions 1: reject\n"
        "  refused: 554 5.7.1 no\n"
        "note: nothing else\n"
    )


def test_what_is_asked_of_others_is_named_and_many_misses_are_counted():
    misses = tuple(Lookup("DNS A", f"{n}.test", None) for n in range(9))
    broken = Lookup("DNS MX", "x.test", None, "try again")
    said = Said("RCPT TO:<b@c.test>", 250, "250 Ok", (), (*misses, broken))
    lines = text_of(Explanation("smtp", "c", True, (said,))).splitlines()
    assert lines[2].startswith("  DNS A: 0.test -> nothing, 1.test")
    assert lines[2].endswith("5.test -> nothing, and 3 more that are not there")
    assert lines[3] == "  DNS MX: x.test -> could not look: try again"


def test_lists_inside_stand_further_in():
    inner = Step("foo", 1, "check_helo_access x:y", Outcome.PUTS_OFF, reply="450 4.7.1 later",
                 inside=(Step("reject_x", 1, "reject_x", Outcome.GOES_ON),))  # fmt: skip
    outer = Step(
        "smtpd_helo_restrictions", 1, "foo", Outcome.PUTS_OFF, reply="450 4.7.1 later", inside=(inner,)
    )
    lines = text_of(Explanation("smtp", "c", None, (Said("RCPT", 450, "450 x", (outer,)),))).splitlines()
    assert lines[3].startswith("     1 foo")
    assert lines[4].startswith("          1 check_helo_access x:y")
    assert "if nothing refuses, the answer will be: 450 4.7.1 later" in lines[4]
    assert lines[5] == "            reject_x"
    assert lines[-1] == "  not now: 450 x"


def test_the_ways_are_named():
    one = Destination("b@c.test", (Target("b@c.test", "virtual", "c.test", "virtual_mailbox"),))
    several = Destination(
        "i@c.test",
        (Target("b@c.test", "smtp", "[h]:25", "relay"), Target("e@f.test", error="no table")),
        error="an alias loops",
    )
    lines = text_of(Explanation("smtp", "c", None, (), (one, several))).splitlines()
    assert lines[1:] == [
        "<b@c.test> goes to: transport virtual, next hop c.test",
        "<i@c.test> becomes",
        "  <b@c.test> (relay) goes to: transport smtp, next hop [h]:25",
        "  <e@f.test> () goes to: nowhere now: no table",
        "  could not be delivered: an alias loops",
    ]


def test_trails_in_words():
    trail = Trail((("a", 1, "foo"), ("foo", 2, "check_helo_access x:y")), "x:y", "k", "REJECT")
    assert trail_text(trail) == "a 1: foo, there foo 2: check_helo_access x:y (k -> REJECT)"
    assert trail_text(Trail((("a", 1, "b"),), error="it broke")) == "a 1: b (could not look: it broke)"


def test_what_strangers_wrote_cannot_move_the_cursor():
    assert printable_lines(["a\x1b[2Jb\udcff\u202e"]) == "a?[2Jb??\n"
