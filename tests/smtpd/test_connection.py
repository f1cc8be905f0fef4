from __future__ import annotations

import asyncio
from math import inf
from types import SimpleNamespace

from patience import until
from postroad.model.reply import Reply

from .conftest import Peer

MAIL = ["EHLO client.example", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.test>", "DATA"]


async def test_a_message_goes_through_and_the_log_has_its_story(stand):
    peer = await Peer.connect(await stand.serve())
    assert await peer.reply() == "220 mx.example.test ESMTP Postfix"
    assert (await peer.ask(*MAIL)).startswith("354")
    assert await peer.ask("Subject: x\r\n\r\n..dot\r\n.") == "250 2.0.0 Ok: queued as 0000000000000AB"
    assert await peer.ask("QUIT") == "221 2.0.0 Bye"
    assert await peer.reply() == "(closed)"
    assert stand.intake.committed[0].text == b"Subject: x\r\n\r\n.dot\r\n"
    await until(lambda: len(stand.log) == 3)
    assert stand.log == [
        "smtpd: connect from unknown[127.0.0.1]",
        "smtpd: 0000000000000AB: client=unknown[127.0.0.1]",
        "smtpd: disconnect from unknown[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5",
    ]
    await peer.close()


async def test_pipelined_commands_are_answered_in_one_write(stand):
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask("EHLO x")
    await peer.send("MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.test>\r\nDATA\r\n")
    data = await peer.reader.read(4096)
    assert data.count(b"\r\n") == 3
    await peer.close()


async def test_a_refusal_is_logged_with_the_envelope(stand):
    stand.policy.replies["recipient"] = Reply(554, "5.7.1", "<c d@example.org>: Relay access denied")
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    answer = await peer.ask("HELO x(y", "MAIL FROM:<>", 'RCPT TO:<"c d"@example.org>')
    assert answer == "554 5.7.1 <c d@example.org>: Relay access denied"
    assert stand.log[-1] == (
        "smtpd: NOQUEUE: reject: RCPT from unknown[127.0.0.1]: 554 5.7.1 <c d@example.org>: "
        'Relay access denied; from=<> to=<"c d"@example.org> proto=SMTP helo=<x?y>'
    )
    await peer.close()


async def test_a_policy_that_waits_delays_its_answer_and_those_behind_it(stand):
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask("EHLO x")
    stand.policy.gate = asyncio.get_running_loop().create_future()
    await peer.send("MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.test>\r\nNOOP\r\n")
    await until(lambda: stand.policy.asked[-1][0] == "mail")
    assert stand.policy.asked[-1] == ("mail", "a@example.net")
    gate, stand.policy.gate = stand.policy.gate, None
    gate.set_result(None)
    assert [await peer.reply() for _ in range(3)] == ["250 2.1.0 Ok", "250 2.1.5 Ok", "250 2.0.0 Ok"]
    await peer.close()


async def test_an_undecided_check_is_temporary_whatever_went_wrong(stand):
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask("EHLO x")
    stand.policy.error = RuntimeError("broken")
    assert await peer.ask("MAIL FROM:<a@example.net>") == "451 4.3.0 Error: internal error"
    await peer.close()


async def test_the_end_of_a_message_waits_for_the_queue(stand):
    stand.intake.held = []
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask(*MAIL)
    await peer.send("x\r\n.\r\n")
    await until(lambda: stand.intake.held)
    stand.intake.held[0](Reply(451, "4.3.0", "Error: queue file write error"))
    assert await peer.reply() == "451 4.3.0 Error: queue file write error"
    assert await peer.ask("RCPT TO:<b@example.test>") == "503 5.5.1 Error: need MAIL command"
    await peer.close()


async def test_a_refused_end_of_data_queues_nothing(stand):
    stand.policy.replies["end"] = Reply(550, "5.7.1", "no")
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask(*MAIL)
    assert await peer.ask("x\r\n.") == "550 5.7.1 no"
    assert stand.intake.committed == []
    assert stand.intake.receivers[0].aborted
    assert "reject: END-OF-MESSAGE from" in stand.log[-1]
    await peer.close()


async def test_a_client_that_leaves_in_its_message_leaves_nothing_behind(stand):
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask(*MAIL)
    await peer.send("abc\r\n")
    await until(lambda: stand.intake.receivers[0].pieces)
    await peer.close()
    await until(lambda: len(stand.log) == 4)
    assert stand.intake.receivers[0].aborted
    assert stand.log[2:] == [
        "smtpd: lost connection after DATA (5 bytes) from unknown[127.0.0.1]",
        "smtpd: disconnect from unknown[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=0/1 commands=3/4",
    ]


async def test_a_client_that_leaves_after_its_message_is_not_complained_of(stand):
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask(*MAIL)
    await peer.ask("abc\r\n.")
    await peer.close()
    await until(lambda: "disconnect" in stand.log[-1])
    assert not any("lost" in line for line in stand.log)


async def test_what_came_before_the_end_of_input_is_answered(stand):
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.send("NOOP\r\n")
    peer.writer.write_eof()
    assert await peer.reply() == "250 2.0.0 Ok"
    assert await peer.reply() == "(closed)"
    assert "smtpd: lost connection after NOOP from unknown[127.0.0.1]" in stand.log
    await peer.close()


async def test_a_silent_client_is_told_and_cut_off(stand):
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask("EHLO x")
    (connection,) = stand.service.guests
    assert 290 < connection.deadline - stand.loop.time() <= 300
    connection.expired()
    assert await peer.reply() == "421 4.4.2 mx.example.test Error: timeout exceeded"
    assert await peer.reply() == "(closed)"
    assert stand.log[1:] == [
        "smtpd: timeout after EHLO from unknown[127.0.0.1]",
        "smtpd: disconnect from unknown[127.0.0.1] ehlo=1 commands=1",
    ]
    await peer.close()


async def test_the_clock_stands_while_the_client_has_to_wait(stand):
    stand.intake.held = []
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask(*MAIL)
    await peer.send("x\r\n.\r\n")
    await until(lambda: stand.intake.held)
    (connection,) = stand.service.guests
    assert connection.deadline == inf
    stand.intake.held[0](stand.intake.reply)
    assert connection.deadline < inf
    await peer.close()


async def test_a_deadline_for_whole_requests_is_not_moved_by_single_bytes(stand):
    peer = await Peer.connect(await stand.serve(smtpd_per_request_deadline="yes"))
    await peer.reply()
    await peer.ask("EHLO x")
    (connection,) = stand.service.guests
    connection.deadline = before = stand.loop.time() + 1
    await peer.send("N")
    await until(lambda: connection.machine.backlog)
    assert connection.deadline == before
    await peer.ask("OOP")
    assert connection.deadline > before
    await peer.close()


async def test_content_earns_time_by_its_bytes(stand):
    peer = await Peer.connect(await stand.serve(smtpd_per_request_deadline="yes", smtpd_min_data_rate="10"))
    await peer.reply()
    await peer.ask(*MAIL)
    (connection,) = stand.service.guests
    connection.deadline = before = stand.loop.time() + 1
    await peer.send("x" * 98 + "\r\n")
    await until(lambda: connection.deadline > before)
    assert abs(connection.deadline - before - 10) < 0.01
    await peer.close()


async def test_replies_to_a_client_with_many_errors_come_late(stand):
    port = await stand.serve(smtpd_soft_error_limit="2", smtpd_error_sleep_time="1s")
    peer = await Peer.connect(port)
    await peer.reply()
    await peer.ask("FOO", "FOO")
    await peer.send("NOOP\r\nNOOP\r\n")
    (connection,) = stand.service.guests
    await until(lambda: connection.machine.sleeping)
    connection._wake()
    assert await peer.reply() == "250 2.0.0 Ok"
    assert connection.machine.sleeping
    connection._wake()
    assert await peer.reply() == "250 2.0.0 Ok"
    await peer.close()


async def test_too_many_errors_end_the_session(stand):
    peer = await Peer.connect(await stand.serve(smtpd_hard_error_limit="2"))
    await peer.reply()
    await peer.ask("FOO", "FOO")
    assert await peer.reply() == "421 4.7.0 mx.example.test Error: too many errors"
    assert await peer.reply() == "(closed)"
    assert stand.log[1:] == [
        "smtpd: too many errors after UNKNOWN from unknown[127.0.0.1]",
        "smtpd: disconnect from unknown[127.0.0.1] unknown=0/2 commands=0/2",
    ]
    await peer.close()


async def test_input_is_not_read_while_nobody_looks_at_it(stand):
    stand.intake.held = []
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask(*MAIL)
    await peer.send("x\r\n.\r\n")
    await until(lambda: stand.intake.held)
    (connection,) = stand.service.guests
    peer.writer.write(b"NOOP\r\n" * 500_000)
    await until(lambda: connection._paused)
    await asyncio.sleep(0.05)
    assert connection.machine.backlog <= 1 << 18
    peer.reset()
    connection._transport.abort()
    await until(lambda: not stand.service.sessions)


async def test_a_client_that_does_not_read_is_not_read_from(stand):
    peer = await Peer.connect(await stand.serve(smtpd_junk_command_limit="100000000"))
    peer.reader._transport.pause_reading()
    peer.writer.write(b"EHLO x\r\n" * 200_000)
    (connection,) = await _sessions(stand)
    await until(lambda: connection._blocked)
    assert connection._paused
    size = connection._transport.get_write_buffer_size()
    await asyncio.sleep(0.05)
    assert connection._paused
    assert connection._transport.get_write_buffer_size() <= size
    connection.expired()
    await until(lambda: not stand.service.sessions)
    assert any("timeout after EHLO" in line for line in stand.log)
    peer.reset()


async def _sessions(stand):
    await until(lambda: stand.service.sessions)
    return tuple(stand.service.guests)


async def test_the_first_words_wait_until_the_client_is_known(stand):
    gate = asyncio.get_running_loop().create_future()

    async def identify(client):
        await gate
        client.name = "client.example"

    peer = await Peer.connect(await stand.serve(identify=identify))
    await peer.send("HELO x\r\n")
    await asyncio.sleep(0.02)
    assert stand.log == []
    gate.set_result(None)
    assert (await peer.reply()).startswith("220")
    assert await peer.reply() == "250 mx.example.test"
    assert stand.log == [
        "smtpd: connect from client.example[127.0.0.1]",
        "smtpd: improper command pipelining after CONNECT from client.example[127.0.0.1]: HELO x\\r\\n",
    ]
    await peer.close()


async def test_a_client_that_leaves_before_it_is_known_is_forgotten(stand):
    gate = asyncio.get_running_loop().create_future()

    async def identify(client):
        await gate

    peer = await Peer.connect(await stand.serve(identify=identify))
    await until(lambda: stand.service.sessions)
    peer.reset()
    await until(lambda: not stand.service.sessions)
    gate.set_result(None)
    await asyncio.sleep(0.01)
    assert stand.service.tally.sessions.enter("127.0.0.1") == 1


async def test_a_client_refused_at_once_may_only_quit(stand):
    stand.policy.replies["connect"] = Reply(554, "5.7.1", "<unknown[127.0.0.1]>: Client host rejected: no")
    peer = await Peer.connect(await stand.serve())
    assert await peer.reply() == "554 5.7.1 <unknown[127.0.0.1]>: Client host rejected: no"
    assert await peer.ask("EHLO x") == "503 5.7.0 Error: access denied for unknown[127.0.0.1]"
    assert await peer.ask("QUIT") == "221 2.0.0 Bye"
    assert "NOQUEUE: reject: CONNECT from unknown[127.0.0.1]: 554 5.7.1" in stand.log[1]
    await peer.close()


async def test_a_client_that_leaves_while_tables_are_asked_is_counted_down_once(stand):
    service = stand.make(smtpd_client_connection_count_limit="5")
    gate = asyncio.get_running_loop().create_future()

    async def slow(client):
        await gate
        return frozenset()

    service.discards = SimpleNamespace(of=slow)
    stays, leaves = (
        await Peer.connect(await stand.serve()),
        await Peer.connect(stand.servers[0].sockets[0].getsockname()[1]),
    )
    await until(lambda: service.tally.sessions._sessions == {"127.0.0.1": 2})
    leaves.reset()
    await until(lambda: service.tally.sessions._sessions == {"127.0.0.1": 1})
    gate.set_result(None)
    assert (await stays.reply()).startswith("220")
    assert service.tally.sessions._sessions == {"127.0.0.1": 1}
    await stays.close()


async def test_who_waits_for_the_end_of_a_session_hears_of_it(stand):
    ended = asyncio.Event()

    async def helo(session):
        session.on_end = ended.set

    stand.make()
    stand.policy.helo = helo
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask("EHLO x")
    assert not ended.is_set()
    await peer.close()
    await asyncio.wait_for(ended.wait(), 30)
