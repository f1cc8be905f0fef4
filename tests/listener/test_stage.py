"""Where a client is: it goes from one stage to the next, and never back."""

from listener.screens import World
from postroad.listener.stage import Stage


async def test_a_client_goes_through_them_in_order(tmp_path):
    world = World(tmp_path, upstream_proxy_protocol="haproxy", pipelining_enable="yes")
    transport = world.connect(("127.0.0.1", 9))
    client = transport.protocol
    seen = [client.stage]
    transport.send(b"PROXY TCP4 198.51.100.7 203.0.113.5 1234 25\r\n")
    seen.append(client.stage)
    await world.settle(lambda: client.stage is Stage.EARLY)
    seen.append(client.stage)
    await world.greeted(transport)
    seen.append(client.stage)
    transport.send(b"QUIT\r\n")
    seen.append(client.stage)
    assert seen == list(Stage)
