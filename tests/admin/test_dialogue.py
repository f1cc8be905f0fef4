import socket

import pytest

from postroad.admin.dialogue import DialogueLost, NoServer, connect, connect_local


def test_hello_learns_what_the_server_offers(scripted):
    with connect_local(scripted.path) as dialogue:
        assert dialogue.hello("me.example").good
        assert dialogue.features.dsn
        assert dialogue.features.size_limit == 1000
    assert scripted.said == [b"EHLO me.example"]


def test_a_server_without_ehlo_is_greeted_with_helo(scripted):
    scripted.answers["EHLO"] = b"502 What?\r\n"
    with connect_local(scripted.path) as dialogue:
        assert dialogue.hello("me").good
        assert not dialogue.features.dsn
    assert scripted.said == [b"EHLO me", b"HELO me"]


def test_a_greeting_that_refuses_ends_it_there(scripted):
    scripted.answers[""] = b"554 5.7.1 Go away\r\n"
    with connect_local(scripted.path) as dialogue:
        assert dialogue.hello("me").code == 554
    assert scripted.said == []


@pytest.mark.parametrize("line", [b"NOOP\r\nRSET", b"NOOP\nRSET", b"NOOP\rx", b"NO\0OP"])
def test_a_command_is_one_line(scripted, line):
    with connect_local(scripted.path) as dialogue, pytest.raises(ValueError):
        dialogue.say(line)


def test_dots_are_doubled_and_the_end_is_the_last_thing(scripted):
    with connect_local(scripted.path) as dialogue:
        dialogue.hello("me")
        assert dialogue.say(b"DATA").code == 354
        (reply,) = dialogue.content([b"a\r\n.", b"b\r\n", b"..\r\n."])
    assert reply.good
    assert scripted.said[2:] == [b"a", b"..b", b"...", b"..", b"."]


def test_an_empty_content_has_only_its_dot(scripted):
    with connect_local(scripted.path) as dialogue:
        dialogue.hello("me")
        dialogue.say(b"DATA")
        assert dialogue.content([])[0].good
    assert scripted.said[2:] == [b"."]


def test_a_server_that_goes_is_lost(scripted):
    scripted.answers["NOOP"] = b""
    with connect_local(scripted.path) as dialogue:
        dialogue.hello("me")
        with pytest.raises(DialogueLost):
            dialogue.say(b"NOOP")
        dialogue.quit()  # says nothing of it


def test_a_server_that_is_silent_is_lost_in_time(scripted):
    with connect_local(scripted.path, timeout=0.05) as dialogue:
        dialogue.hello("me")
        dialogue.say(b"DATA")
        with pytest.raises(DialogueLost):
            dialogue.say(b"anything")


def test_nobody_there_is_no_server(tmp_path):
    with pytest.raises(NoServer, match="No such file"):
        connect_local(str(tmp_path / "nothing"))
    with pytest.raises(NoServer):
        connect_local("/" + "x" * 200)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(NoServer, match=f"port {port}"):
            connect("127.0.0.1", port)
