import os

from postroad.admin.bridge import bridge


def test_bytes_go_both_ways_until_the_server_ends(scripted):
    ours, source = os.pipe()
    sink, theirs = os.pipe()
    os.write(source, b"MAIL FROM:<a@x>\r\nQUIT\r\n")
    assert bridge(scripted.path, ours, theirs)
    answers = os.read(sink, 4096).split(b"\r\n")
    assert answers == [b"220 there.example ESMTP", b"250 2.1.0 Ok", b"221 2.0.0 Bye", b""]
    for fd in (ours, source, sink, theirs):
        os.close(fd)


def test_the_end_of_the_input_ends_the_session(scripted):
    ours, source = os.pipe()
    sink, theirs = os.pipe()
    os.write(source, b"MAIL FROM:<a@x>\r\n")
    os.close(source)
    assert bridge(scripted.path, ours, theirs)
    assert os.read(sink, 4096).endswith(b"250 2.1.0 Ok\r\n")
    for fd in (ours, sink, theirs):
        os.close(fd)


def test_nobody_there_is_said(tmp_path):
    assert not bridge(str(tmp_path / "none"), 0, 1)
