import os
import socket

from patience import until
from postroad.app.channel import Channel


class End:
    def __init__(self, sock):
        self.messages = []
        self.closed = False
        self.channel = Channel(sock, lambda m, fds: self.messages.append((m, fds)), self._close)

    def _close(self):
        self.closed = True


async def test_messages_arrive_in_order_with_their_descriptors():
    a, b = socket.socketpair()
    one, two = End(a), End(b)
    read_end, write_end = os.pipe()
    one.channel.send({"n": 1})
    one.channel.send({"n": 2}, [write_end])
    one.channel.send({"n": 3})
    await until(lambda: len(two.messages) == 3)
    assert [m["n"] for m, _ in two.messages] == [1, 2, 3]
    [fd] = two.messages[1][1]
    os.write(fd, b"x")
    assert os.read(read_end, 1) == b"x"
    for each in (fd, read_end, write_end):
        os.close(each)
    one.channel.close()
    await until(lambda: two.closed)


async def test_a_message_larger_than_the_socket_buffer_arrives_whole():
    a, b = socket.socketpair()
    one, two = End(a), End(b)
    one.channel.send({"text": "x" * 3_000_000})
    await until(lambda: two.messages)
    assert len(two.messages[0][0]["text"]) == 3_000_000
    two.channel.close()
    await until(lambda: one.closed)


async def test_sending_on_a_closed_channel_does_nothing():
    a, b = socket.socketpair()
    one, two = End(a), End(b)
    two.channel.close()
    await until(lambda: one.closed)
    one.channel.send({"n": 1})
    assert not one.channel.open
