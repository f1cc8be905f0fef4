from benchmarks.trace import parse, prove, shown

QUEUE = "/q"
SOCKET = "TCP:[127.0.0.1:13540->127.0.0.1:5000]"
WRITE = (
    '7 pwrite64(5</q/queue.db-wal>, "...X-Traced: this is the message that is looked for...", 100, 0) = 100'
)
SYNC = "7 fdatasync(5</q/queue.db-wal>) = 0"
REPLY = f'6 write(9<{SOCKET}>, "250 2.0.0 Ok: queued as AB\\r\\n", 28) = 28'


def proof(*lines):
    return prove(parse("\n".join(lines)), QUEUE)


def test_a_sync_between_the_write_and_the_reply_proves_it():
    found = proof(WRITE, SYNC, REPLY)
    assert (found.write.call, found.sync.call, found.reply.call) == ("pwrite64", "fdatasync", "write")


def test_a_sync_after_the_reply_proves_nothing():
    assert proof(WRITE, REPLY, SYNC) is None


def test_a_sync_before_the_write_proves_nothing():
    assert proof(SYNC, WRITE, REPLY) is None


def test_a_sync_of_another_file_proves_nothing():
    assert proof(WRITE, SYNC.replace("queue.db-wal", "other"), REPLY) is None


def test_a_sync_that_failed_proves_nothing():
    assert proof(WRITE, SYNC.replace("= 0", "= -1 EIO (Input/output error)"), REPLY) is None


def test_what_is_written_to_the_file_after_the_sync_has_to_be_synced_too():
    more = '7 pwrite64(5</q/queue.db-wal>, "commit", 6, 100) = 6'
    assert proof(WRITE, SYNC, more, REPLY) is None
    assert proof(WRITE, more, SYNC, REPLY)


def test_a_sync_of_the_whole_file_system_and_a_synchronous_write_count():
    assert proof(WRITE, "7 syncfs(4</q>) = 0", REPLY)
    assert proof(WRITE, "7 syncfs(4</elsewhere>) = 0", REPLY) is None
    assert proof(WRITE.replace("pwrite64", "pwritev2").replace(", 100, 0)", ", 1, 0, RWF_DSYNC)"), REPLY)


def test_a_call_that_another_interrupts_ends_where_it_is_resumed():
    begun = "7 fdatasync(5</q/queue.db-wal> <unfinished ...>"
    ended = "7 <... fdatasync resumed>) = 0"
    assert proof(WRITE, begun, ended, REPLY)
    assert proof(WRITE, begun, REPLY, ended) is None


def test_without_a_reply_or_a_write_there_is_no_proof():
    assert proof(WRITE, SYNC) is None
    assert proof(SYNC, REPLY) is None


def test_what_is_shown_is_the_way_from_the_write_to_the_reply():
    steps = parse(f'6 write(2</dev/null>, "x", 1) = 1\n{WRITE}\n{SYNC}\n{REPLY}\n{SYNC}')
    lines = shown(steps, prove(steps, QUEUE), QUEUE)
    assert [line.split()[0] for line in lines] == ["pwrite64", "fdatasync", "write"]
    assert "<- the message" in lines[0]
    assert "queue.db-wal" in lines[1]
    assert "<- on disk" in lines[1]
    assert lines[2].endswith("<- 250 2.0.0 Ok: queued as AB")
