import pytest

from postroad.base.errors import LookupUnavailable
from postroad.model.explain import Lookup
from postroad.net.answer import Answer
from postroad.net.watched import WatchedResolver

ANSWERS = {
    ("a.test", "MX"): ((10, "mx.a.test"), (20, "mx2.a.test")),
    ("null.test", "MX"): ((0, ""),),
    ("mx.a.test", "A"): ("192.0.2.1",),
    ("192.0.2.1", "PTR"): ("mx.a.test",),
    ("a.test", "TXT"): (b"v=spf1 \xff",),
}


class Dns:
    async def query(self, name, kind):
        if name == "broken.test":
            raise LookupUnavailable("broken.test: try again")
        return Answer(name, kind, ANSWERS.get((name, kind), ()))

    async def addresses(self, name, family=0):
        return (await self.query(name, "A")).records

    async def ptr(self, address):
        return (await self.query(address, "PTR")).records

    async def txt(self, name):
        return (await self.query(name, "TXT")).records


@pytest.fixture
def heard():
    return []


@pytest.fixture
def dns(heard):
    return WatchedResolver(Dns(), heard.append)


async def test_questions_are_told_with_their_answers(dns, heard):
    assert await dns.mx("a.test") == ANSWERS["a.test", "MX"]
    assert await dns.mx("null.test") == ((0, ""),)
    assert await dns.addresses("mx.a.test", 4) == ("192.0.2.1",)
    assert await dns.addresses("nobody.test") == ()
    assert await dns.ptr("192.0.2.1") == ("mx.a.test",)
    assert await dns.txt("a.test") == (b"v=spf1 \xff",)
    assert (await dns.query("mx.a.test", "A")).records == ("192.0.2.1",)
    assert heard == [
        Lookup("DNS MX", "a.test", "10 mx.a.test, 20 mx2.a.test"),
        Lookup("DNS MX", "null.test", "0 ."),
        Lookup("DNS A", "mx.a.test", "192.0.2.1"),
        Lookup("DNS A, AAAA", "nobody.test", None),
        Lookup("DNS PTR", "192.0.2.1", "mx.a.test"),
        Lookup("DNS TXT", "a.test", "v=spf1 \ufffd"),
        Lookup("DNS A", "mx.a.test", "192.0.2.1"),
    ]


async def test_a_failure_is_told_and_stays_one(dns, heard):
    for question in (dns.query("broken.test", "NS"), dns.txt("broken.test"), dns.mx("broken.test")):
        with pytest.raises(LookupUnavailable):
            await question
    assert [(each.answer, each.error) for each in heard] == [(None, "broken.test: try again")] * 3


async def test_a_question_that_nobody_awaits_is_not_told(dns, heard):
    question = dns.query("a.test", "MX")
    assert heard == []
    await question
    assert len(heard) == 1
