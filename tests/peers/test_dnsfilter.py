"""DNS answers through a filter, with a real name server."""

from __future__ import annotations

import pytest

from peers.harness import Postroad, message, until
from peers.nexthop import NextHop
from peers.programs import nsd

ZONE = "@ MX 10 bad\n@ MX 20 good\nbad A 127.0.0.71\ngood A 127.0.0.72\n"
RULES = "/^two[.]test[.] [0-9]+ IN MX 10 /  IGNORE\n/ MX 5 /  ignore it\n"


@pytest.mark.peer
def test_a_client_passes_over_what_it_is_told_to(place):
    with NextHop("127.0.0.71") as bad, NextHop("127.0.0.72", bad.port) as good:
        with nsd(place, {"two.test": ZONE, "gone.test": "@ MX 5 mx.two.test.\n"}) as dns:
            main = f"""
resolver_addresses = {dns}
smtp_tcp_port = {bad.port}
smtp_dns_reply_filter = regexp:{{etc}}/filter
smtpd_dns_reply_filter = regexp:{{etc}}/filter
smtpd_sender_restrictions = reject_unknown_sender_domain
"""
            with Postroad(place, main=main, files={"filter": RULES}) as server:
                server.send("s@gone.test", ["r@two.test", "r@gone.test"], message())
                until(lambda: len(good.accepted) == 1, 30, server.log)
                server.wait_log(
                    "to=<r@gone.test>.*dsn=4.7.0, status=deferred .Error looking up name=gone.test type=MX: "
                    "DNS reply filter drops all results"
                )
                server.wait_log("smtp.*: ignoring DNS RR: two.test. 60 IN MX 10 bad.two.test.")
                server.wait_log("smtpd.*: warning: gone.test: MX or address lookup error: DNS reply filter")
        assert bad.accepted == []
