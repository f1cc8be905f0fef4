import pytest

from postroad.admin.maildrop import SHARD, ServerIsBack, open_log, queue_directly
from postroad.admin.submit import Envelope, Refused
from postroad.app.registry import registry
from postroad.base.ids import key_of
from postroad.base.log import ListSink, Log
from postroad.base.params import settings_of
from postroad.store.reader import ShardReader
from postroad.store.shard import Shard

TEXT = [b"Subject: x\r\n", b"\r\nhello\r\n"]


@pytest.fixture
def settings(tmp_path):
    def make(**texts):
        return settings_of(
            registry().groups,
            queue_directory=str(tmp_path),
            myhostname="mx.example.test",
            maillog_file=str(tmp_path / "log"),
            **texts,
        )

    return make


def queue(settings, *, recipients=("bob",), sender="me", running=False, text=TEXT, sink=None):
    return queue_directly(
        settings,
        "",
        Envelope(sender, recipients, ret="HDRS", envid="E"),
        text,
        caller=(4711, "me"),
        log=Log(sink or ListSink(), pid=1),
        is_running=lambda: running,
    )


def test_a_message_is_on_disk_and_waits_for_a_server(settings, tmp_path):
    sink = ListSink()
    queue_id = queue(settings(), sink=sink)
    reader = ShardReader(tmp_path / SHARD)
    (message,) = reader.find([key_of(queue_id)])
    text = reader.content(message).data
    reader.close()
    assert (message.sender, [r.address for r in message.recipients]) == (
        "me@mx.example.test",
        ["bob@mx.example.test"],
    )
    assert (message.owner, message.ret, message.envid) == ("", "HDRS", "E")
    assert text.startswith(b"Received: by mx.example.test (Postfix, from userid 4711)\r\n")
    assert b"\r\nFrom: me@mx.example.test\r\n" in text
    assert text.endswith(b"\r\n\r\nhello\r\n")
    assert sink.lines[0] == f"pickup: {queue_id}: uid=4711 from=<me>"


def test_several_messages_have_different_ids(settings):
    assert len({queue(settings()) for _ in range(3)}) == 3


def test_nothing_is_queued_behind_the_back_of_a_server(settings, tmp_path):
    with pytest.raises(ServerIsBack):
        queue(settings(), running=True)
    assert not ShardReader(tmp_path / SHARD).find()


def test_it_waits_for_another_that_is_queueing(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("postroad.admin.maildrop._PATIENCE", 0.05)
    other = Shard(tmp_path / SHARD)
    with pytest.raises(Exception, match="shard-maildrop"):
        queue(settings())
    other.close()
    assert queue(settings())


def test_what_the_server_would_refuse_is_refused(settings):
    hops = [b"Received: x\r\n" * 60, b"\r\nhello\r\n"]
    with pytest.raises(Refused) as caught:
        queue(settings(), text=hops)
    assert caught.value.reply.code == 554
    assert not caught.value.temporary


def test_a_log_that_cannot_be_written_keeps_no_mail_back(settings):
    log = open_log(settings_of(registry().groups, maillog_file="/nonexistent/log"))
    log.line("x", "lost")
    log.sink.flush()
