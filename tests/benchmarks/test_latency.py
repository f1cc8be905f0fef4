import asyncio
import threading

import pytest
from benchmarks.latency import paced, quantile
from benchmarks.scenarios import KIB


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_quantile_is_a_value_that_was_seen(share, value):
    assert quantile([float(number) for number in range(1, 101)], share) == value


class Server(asyncio.Protocol):
    """Says what a server says; stops for a while when told."""

    stop_at = -1
    stop_for = 0.0
    count = 0

    def connection_made(self, transport):
        self.transport, self.data = transport, False
        transport.write(b"220 here\r\n")

    def data_received(self, data):
        if self.data:
            if data.endswith(b"\r\n.\r\n"):
                self.data = False
                Server.count += 1
                if Server.count == self.stop_at:
                    threading.Event().wait(self.stop_for)
                self.transport.write(b"250 2.0.0 Ok: queued\r\n")
        elif data == b"DATA\r\n":
            self.data = True
            self.transport.write(b"354 go\r\n")
        else:
            self.transport.write(b"250-more\r\n250 ok\r\n")


@pytest.fixture
def port():
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(Server, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    Server.count = 0
    yield server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(asyncio.sleep(0))
    server.close()
    loop.run_until_complete(asyncio.sleep(0.05))
    loop.close()


def test_each_message_is_sent_and_its_wait_counted(port):
    waits = paced(port, KIB, rate=200, seconds=0.5)
    assert waits.messages == Server.count == 100
    assert 0 < waits.p50 <= waits.p99 <= waits.most


def test_a_server_that_stops_is_charged_for_all_that_should_have_come_meanwhile(port, monkeypatch):
    monkeypatch.setattr(Server, "stop_at", 20)
    monkeypatch.setattr(Server, "stop_for", 0.5)
    waits = paced(port, KIB, rate=200, seconds=0.5)
    assert waits.most >= 450
    assert waits.p50 >= 100, "most of the messages fell into the pause"


def test_a_refusal_ends_the_measurement(port, monkeypatch):
    monkeypatch.setattr(Server, "data_received", lambda self, _: self.transport.write(b"421 no\r\n"))
    with pytest.raises(ConnectionError, match="421 no"):
        paced(port, KIB, rate=200, seconds=0.1)
