from __future__ import annotations

from listener.screens import Transport
from postroad.listener.passed import PassedTransport


def test_the_proxys_word_counts_for_addresses_and_nothing_else():
    below = Transport(("127.0.0.1", 1), ("127.0.0.2", 2))
    above = PassedTransport(below, ("192.0.2.1", 9), ("203.0.113.1", 25))
    assert above.get_extra_info("peername") == ("192.0.2.1", 9)
    assert above.get_extra_info("sockname") == ("203.0.113.1", 25)
    assert above.get_extra_info("socket", "none") == "none"
    above.write(b"x")
    above.close()
    assert (below.written, above.is_closing()) == (b"x", True)
