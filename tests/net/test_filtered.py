"""Answers without the records that a table says to ignore."""

from __future__ import annotations

import pytest

from postroad.base.errors import LookupUnavailable, TableUnavailable
from postroad.base.log import ListSink, Log
from postroad.net.answer import Answer
from postroad.net.filtered import (
    AllDropped,
    BrokenFilter,
    FilteredResolver,
    rank,
    reason_of,
    record_line,
    unfiltered,
)

ANSWERS = {
    ("a.test", "MX"): ((10, "mx.a.test"), (20, "mx2.a.test")),
    ("null.test", "MX"): ((0, ""),),
    ("mx.a.test", "A"): ("192.0.2.1", "192.0.2.2"),
    ("mx.a.test", "AAAA"): ("2001:db8::1",),
    ("192.0.2.1", "PTR"): ("mx.a.test",),
    ("a.test", "TXT"): (b"v=spf1 \xff\n",),
    ("a.test", "NS"): ("ns.a.test",),
    ("_25._tcp.a.test", "TLSA"): ((3, 1, 1, b"\xab\xcd"),),
}


class Dns:
    async def query(self, name, kind):
        if name == "broken.test":
            raise LookupUnavailable("broken.test: try again")
        return Answer(name, kind, ANSWERS.get((name, kind), ()), 60, authentic=True)

    async def ptr(self, address):
        return (await self.query(address, "PTR")).records


class Filter:
    """Says what ``actions`` has for a part of the line."""

    def __init__(self, actions):
        self.actions = actions
        self.asked = []

    async def __call__(self, line):
        self.asked.append(line)
        for part, action in self.actions.items():
            if part in line:
                if action is None:
                    raise TableUnavailable("table regexp:f: no such file")
                return action
        return None


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def make(sink):
    def resolver(**actions):
        find = Filter({key.replace("_", " "): value for key, value in actions.items()})
        made = FilteredResolver(Dns(), find, parameter="smtp_dns_reply_filter", program="smtp", log=Log(sink))
        return made, find

    return resolver


@pytest.mark.parametrize(
    ("name", "kind", "lines"),
    [
        ("a.test", "MX", ["a.test. 60 IN MX 10 mx.a.test.", "a.test. 60 IN MX 20 mx2.a.test."]),
        ("mx.a.test", "A", ["mx.a.test. 60 IN A 192.0.2.1", "mx.a.test. 60 IN A 192.0.2.2"]),
        ("mx.a.test", "AAAA", ["mx.a.test. 60 IN AAAA 2001:db8::1"]),
        ("a.test", "TXT", ["a.test. 60 IN TXT v=spf1 ??"]),
        ("a.test", "NS", ["a.test. 60 IN NS ns.a.test."]),
        ("_25._tcp.a.test", "TLSA", ["_25._tcp.a.test. 60 IN TLSA 3 1 1 abcd"]),
    ],
)
async def test_a_record_is_asked_about_in_postfix_form(make, name, kind, lines):
    resolver, find = make()
    assert (await resolver.query(name, kind)).records == ANSWERS[name, kind]
    assert find.asked == lines


async def test_ignored_records_are_left_out(make, sink):
    resolver, _ = make(MX_10="ignore")
    answer = await resolver.query("a.test", "MX")
    assert answer == Answer("a.test", "MX", ((20, "mx2.a.test"),), 60, authentic=True)
    assert await resolver.mx("a.test") == ((20, "mx2.a.test"),)
    assert sink.lines == ["smtp: ignoring DNS RR: a.test. 60 IN MX 10 mx.a.test."] * 2


async def test_what_is_left_of_one_family_counts(make):
    resolver, _ = make(_A_="IGNORE with a comment")
    assert await resolver.addresses("mx.a.test") == ["2001:db8::1"]
    with pytest.raises(AllDropped):
        await resolver.addresses("mx.a.test", 4)


async def test_an_answer_without_records_left_is_no_answer(make):
    resolver, _ = make(IN="IGNORE")
    with pytest.raises(AllDropped) as error:
        await resolver.query("a.test", "MX")
    text = "Error looking up name=a.test type=MX: DNS reply filter drops all results"
    assert str(error.value) == text
    assert reason_of(error.value, "other", "A") == (".7.0", text)
    with pytest.raises(AllDropped):
        await resolver.txt("a.test")
    assert (await resolver.query("nobody.test", "A")).records == ()


@pytest.mark.parametrize(
    ("action", "logged"),
    [
        ("WRONG way", 'smtp: warning: smtp_dns_reply_filter: unknown DNS filter action: "WRONG way"'),
        (
            None,
            (
                'smtp: warning: smtp_dns_reply_filter: lookup error for "a.test. 60 IN MX 10 mx.a.test.": '
                "table regexp:f: no such file"
            ),
        ),
    ],
)
async def test_a_broken_filter_is_no_answer(make, sink, action, logged):
    resolver, _ = make(MX_10=action)
    with pytest.raises(BrokenFilter) as error:
        await resolver.mx("a.test")
    text = "Error looking up name=a.test type=MX: Invalid DNS reply filter syntax"
    assert reason_of(error.value, "", "") == (".4.3", text)
    assert sink.lines == [logged]


async def test_that_it_could_not_look_counts_more_than_what_was_dropped(make):
    for actions in ({"_A_": "IGNORE", "AAAA": "WRONG"}, {"_A_": "WRONG", "AAAA": "IGNORE"}):
        resolver, _ = make(**actions)
        with pytest.raises(BrokenFilter):
            await resolver.addresses("mx.a.test")


async def test_null_mx_names_of_addresses_and_failures_are_not_filtered(make):
    resolver, find = make(IN="IGNORE")
    assert await resolver.mx("null.test") == ((0, ""),)
    assert await resolver.ptr("192.0.2.1") == ("mx.a.test",)
    with pytest.raises(LookupUnavailable, match="try again"):
        await resolver.query("broken.test", "A")
    assert find.asked == []


def test_a_long_record_is_cut():
    line = record_line(Answer("a.test", "TXT", (), 5), b"x" * 60000)
    assert line.startswith("a.test. 5 IN TXT xxx")
    assert len(line) == 2048


async def test_the_plain_resolver_can_be_had(make):
    resolver, _ = make(IN="IGNORE")
    assert (await unfiltered(resolver).query("a.test", "MX")).records == ANSWERS["a.test", "MX"]
    plain = Dns()
    assert unfiltered(plain) is plain


def test_failures_have_an_order():
    errors = [BrokenFilter("a", "A"), AllDropped("a", "A"), LookupUnavailable("later")]
    assert sorted(errors, key=rank) == errors
    assert reason_of(errors[2], "a", "A")[0] == ".4.3"
    assert reason_of(errors[2], "a", "A")[1].endswith("Host not found, try again")
