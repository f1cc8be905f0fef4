"""Which service sees the DNS through a filter."""

from __future__ import annotations

import pytest

from postroad.app.dnsfilter import filtered
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.net.answer import Answer
from postroad.net.filtered import AllDropped
from postroad.net.params import params
from postroad.tables.context import TableContext


class Dns:
    async def query(self, name, kind):
        return Answer(name, kind, ("192.0.2.1",), 60)


async def test_each_program_has_its_own():
    settings = settings_of([params], lmtp_dns_reply_filter="static:ignore")
    dns, sink = Dns(), ListSink()
    for program in ("smtp", "smtpd"):
        assert filtered(dns, settings, program, TableContext(), Log(sink)) is dns
    other = filtered(dns, settings, "lmtp", TableContext(), Log(sink))
    with pytest.raises(AllDropped):
        await other.query("a.test", "A")
    assert sink.lines == ["lmtp: ignoring DNS RR: a.test. 60 IN A 192.0.2.1"]


def test_a_table_that_cannot_be_is_named():
    settings = settings_of([params], smtpd_dns_reply_filter="nonsense:x")
    with pytest.raises(ValueError, match="unsupported dictionary type: nonsense"):
        filtered(Dns(), settings, "smtpd", TableContext(), Log(ListSink()))
