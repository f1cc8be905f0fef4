from __future__ import annotations

import asyncio
import os

from patience import until
from postroad.base.errors import TableUnavailable
from postroad.model.reply import Reply
from postroad.smtpd.given import Neighbours
from postroad.smtpd.service import SmtpdService

from .conftest import Peer, settings


async def test_no_room_for_the_message_is_temporary(stand):
    stand.make(has_space=lambda size: size < 1000)
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask("EHLO x")
    assert await peer.ask("MAIL FROM:<a@example.net> SIZE=1000") == "452 4.3.1 Insufficient system storage"
    assert "NOQUEUE: reject: MAIL from" in stand.log[-1]
    assert await peer.ask("MAIL FROM:<a@example.net> SIZE=999") == "250 2.1.0 Ok"
    await peer.close()


async def test_etrn_is_the_policys_and_then_the_services(stand):
    stand.make()

    async def served(domain):
        return Reply(250, "", "Queuing started") if domain == "ours.example" else None

    stand.service.etrn = served
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    assert await peer.ask("ETRN ours.example") == "250 Queuing started"
    assert await peer.ask("ETRN other.example") == "459 <other.example>: service unavailable"
    stand.policy.replies["etrn"] = Reply(459, "", "<ours.example>: Etrn command rejected: Access denied")
    assert (await peer.ask("ETRN ours.example")).startswith("459 <ours.example>: Etrn")
    assert "NOQUEUE: reject: ETRN from" in stand.log[-1]
    await peer.close()


async def test_a_site_that_is_not_eligible_is_in_the_log_in_postfixs_words(stand):
    async def served(domain):
        return Reply(459, "", f"<{domain}>: service unavailable")

    stand.make()
    stand.service.etrn = served
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    assert await peer.ask("ETRN other.example") == "459 <other.example>: service unavailable"
    assert "warning: reject: ETRN other.example... from " in stand.log[-1]
    stand.policy.error = TableUnavailable("hash:/etc/x: no such file")
    assert await peer.ask("ETRN other.example") == "451 4.3.0 Temporary lookup failure"
    await peer.close()


async def test_a_lookup_that_failed_is_a_temporary_failure(stand):
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    await peer.ask("EHLO x", "MAIL FROM:<a@example.net>")
    stand.policy.error = TableUnavailable("hash:/etc/x: no such file")
    assert await peer.ask("RCPT TO:<b@example.test>") == "451 4.3.0 Temporary lookup failure"
    await peer.close()


async def test_services_log_under_their_own_name(stand):
    stand.make(syslog_name="postfix/submission")
    assert stand.service.log.name == "postfix/submission"


async def test_a_local_user_is_who_the_kernel_says(stand, tmp_path):
    service = stand.make(local=True)
    server = await stand.loop.create_unix_server(service.protocol, str(tmp_path / "s"))
    stand.servers.append(server)
    peer = Peer(*await asyncio.open_unix_connection(str(tmp_path / "s")))
    await peer.reply()
    await peer.send(
        "EHLO x\r\nMAIL FROM:<root> XFULLNAME=Charlie+20Root\r\nRCPT TO:<a@b..c>\r\nRCPT TO:<b>\r\nDATA\r\n"
    )
    for _ in range(4):
        await peer.reply()
    assert (await peer.reply()).startswith("354")
    assert (await peer.ask("Subject: x\r\n\r\nhello\r\n.")).startswith("250")
    session = stand.intake.receivers[0].session
    assert session.client.local_uid == os.getuid()
    assert session.memory["fullname"] == "Charlie Root"
    assert stand.log == [f"pickup: 0000000000000AB: uid={os.getuid()} from=<root>"]
    await peer.close()


class Users:
    """An authenticator that notes its end."""

    closed = 0

    def mechanisms(self, *, tls):
        return ()

    async def close(self):
        self.closed += 1


async def test_users_are_known_until_the_last_session_ends(stand):
    users = Users()
    service = stand.make(authenticator=users)
    peer = await Peer.connect(await stand.serve())
    await peer.reply()
    service.retire()
    assert service.authenticator is users
    assert await peer.ask("QUIT") == "221 2.0.0 Bye"
    await peer.close()
    await until(lambda: users.closed == 1)
    assert service.authenticator is None


async def test_a_service_that_nobody_uses_ends_at_once_and_once(stand):
    users = Users()
    service = stand.make(authenticator=users)
    service.retire()
    service.retire()
    await until(lambda: users.closed)
    assert users.closed == 1


async def test_tls_without_a_certificate_is_in_the_log(stand):
    stand.make(smtpd_tls_security_level="may")
    assert len(stand.log) == 1
    assert "No server certs available. TLS won't be enabled" in stand.log[0]


async def test_the_service_of_stress_has_its_places_and_ends_with_it(stand):
    users = Users()
    service = stand.make(authenticator=users, limit=1)
    neighbours = Neighbours(intake=stand.intake, authenticator=users)
    strained = SmtpdService(settings(mail_name="Stressed"), stand.means, neighbours, front=service)
    port = await stand.serve()
    first, second = await Peer.connect(port), await Peer.connect(port)
    assert (await first.reply()).endswith("Postfix")  # it has the only place
    await until(lambda: service.waiting == 1)
    assert (service.sessions, strained.sessions, strained.waiting) == (2, 2, 1)
    service.stop_accepting()
    assert (await second.reply()).startswith("421 4.3.2")
    await until(lambda: not service.sessions)
    service.retire()
    await until(lambda: users.closed == 1)
    assert service.authenticator is strained.authenticator is None
    for peer in (first, second):
        await peer.close()
