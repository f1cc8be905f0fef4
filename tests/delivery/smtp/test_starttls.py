"""TLS and logins over real connections."""

import base64
import hashlib
import ssl

import pytest

from delivery.smtp.tlsserver import DAY, TlsServer, make, server_context
from postroad.base.clock import SystemClock, TestClock
from postroad.net.mailhosts import Host
from postroad.proto import client_stages as stages

CA = make("Test CA", authority=True)
GOOD = make("there.example", by=CA)
FILES = {"/ca.pem": CA.pem}
VERIFY = {"smtp_tls_security_level": "verify", "smtp_tls_CAfile": "/ca.pem"}
NOT_VERIFIED = ("4.7.5", "Server certificate not verified")
FAILURE = ("4.7.5", "Cannot start TLS: handshake failure")


@pytest.fixture
async def tls():
    started = []

    async def start(pair=GOOD, *, wrapper=False, broken=b"", hang=False, options=None, **answers):
        server = TlsServer(server_context(pair, **options or {}), wrapper=wrapper, broken=broken, hang=hang)
        server.answers |= answers
        started.append(await server.start())
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def send(post, job_of):
    async def send(*servers, times=1, age=0.0, seconds=None, **texts):
        hosts = [Host("there.example", "127.0.0.1", s.port, n) for n, s in enumerate(servers)]
        send.post = made = post(hosts=hosts, timeouts=seconds, files=FILES, **texts)
        for number in range(times):
            send.job = job_of(key=0x123 + number)
            send.job.message.arrival = SystemClock().now() - age
            outcomes = await made.texts(send.job)
        return outcomes[0]

    return send


def lines(send, word="TLS"):
    return [line for line in send.post.lines if word in line]


# --- STARTTLS


@pytest.mark.parametrize("level", ["may", "encrypt"])
async def test_mail_goes_encrypted_when_tls_is_offered(tls, send, level):
    server = await tls()
    assert (await send(server, smtp_tls_security_level=level))[0] == "2.0.0"
    assert server.said[:3] == ["EHLO mx.example.test", "STARTTLS", "*EHLO mx.example.test"]
    assert all(line.startswith("*") for line in server.said[2:])
    assert server.messages


async def test_without_a_level_nothing_is_encrypted(tls, send):
    server = await tls()
    assert (await send(server, smtp_tls_note_starttls_offer="yes"))[0] == "2.0.0"
    assert "STARTTLS" not in server.said
    assert lines(send) == ["smtp: Host offered STARTTLS: [there.example]"]


async def test_only_what_is_said_behind_tls_is_offered(tls, send):
    server = await tls()
    server.secure["EHLO"] = "250 there.example"
    await send(server, smtp_tls_security_level="encrypt")
    assert "*MAIL FROM:<alice@example.test>" in server.said  # no SIZE, no pipelining


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"EHLO": "250 there.example"}, ("4.7.4", "TLS is required, but was not offered by host {}")),
        (
            {"EHLO": "500 what?", "HELO": "250 there.example"},
            ("4.7.4", "TLS is required, but was not offered by host {}"),
        ),
        (
            {"STARTTLS": "454 4.7.0 TLS not available"},
            ("4.7.0", "TLS is required, but host {} refused to start TLS: 454 4.7.0 TLS not available"),
        ),
        (
            {"STARTTLS": "554 5.7.1 never"},
            ("4.7.1", "TLS is required, but host {} refused to start TLS: 554 5.7.1 never"),
        ),
        ({"STARTTLS": None}, ("4.4.2", "lost connection with {} while receiving the STARTTLS response")),
        (
            {"STARTTLS": "220 go\r\n250 injected"},
            ("4.5.0", "protocol error in reply from {} while receiving the STARTTLS response"),
        ),
    ],
    ids=["stripped", "helo", "454", "554", "lost", "injected"],
)
async def test_where_tls_is_required_nothing_is_sent_without(tls, send, answers, expected):
    server = await tls(**answers)
    outcome = await send(server, smtp_tls_security_level="encrypt")
    assert outcome == (expected[0], expected[1].format("there.example[127.0.0.1]"))
    assert "MAIL" not in " ".join(server.said)


async def test_where_tls_is_welcome_a_refused_starttls_is_no_matter(tls, send):
    server = await tls(STARTTLS="454 4.7.0 not now")
    assert (await send(server, smtp_tls_security_level="may"))[0] == "2.0.0"
    assert server.connections == 1


async def test_what_comes_behind_220_ends_the_connection_even_where_tls_is_only_welcome(tls, send):
    server = await tls(STARTTLS="220 go\r\n250-there.example\r\n250 AUTH PLAIN")
    status, _ = await send(server, smtp_tls_security_level="may", age=10_000)
    assert status == "4.5.0"
    assert server.connections == 1


async def test_the_next_host_is_tried_where_one_has_no_tls(tls, send):
    bad, good = await tls(EHLO="250 there.example"), await tls()
    assert (await send(bad, good, smtp_tls_security_level="encrypt"))[0] == "2.0.0"
    assert "MAIL" not in bad.verbs()


# --- handshakes that fail


@pytest.mark.parametrize("level", ["may", "encrypt"])
async def test_a_broken_handshake_defers_new_mail(tls, send, level):
    server = await tls(broken=b"garbage here\r\n")
    assert await send(server, smtp_tls_security_level=level) == FAILURE
    assert "MAIL" not in server.verbs()
    assert lines(send, "SSL_connect") == [
        f"smtp: SSL_connect error to there.example[127.0.0.1]:{server.port}: -1"
    ]
    assert "TLS library problem: error:" in lines(send, "warning")[0]
    assert "wrong version number" in lines(send, "warning")[0]
    assert (send.job.site_failure is None) == (level == "may")  # a site is not slowed down for that


async def test_old_mail_goes_in_plain_text_where_tls_is_only_welcome(tls, send):
    server = await tls(broken=b"garbage here\r\n")
    assert (await send(server, smtp_tls_security_level="may", age=301))[0] == "2.0.0"
    assert server.connections == 2
    assert "smtp: 000000000000123: Cannot start TLS: handshake failure" in send.post.lines


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA"])
async def test_old_mail_goes_in_plain_text_when_a_connection_breaks_under_tls(tls, send, verb):
    server = await tls()
    server.secure[verb] = None
    texts = {"smtp_tls_security_level": "may"}
    assert (await send(server, **texts))[0] == "4.4.2"
    assert (await send(server, age=301, **texts))[0] == "2.0.0"
    assert len(server.messages) == 1
    assert (await send(server, age=301, smtp_tls_security_level="encrypt"))[0] == "4.4.2"


async def test_what_may_have_been_delivered_is_not_sent_again_at_once(tls, send):
    server = await tls()
    server.secure["."] = None
    status, text = await send(server, age=301, smtp_tls_security_level="may")
    assert status == "4.4.2"
    assert "may be sent more than once" in text
    assert server.connections == 1


async def test_old_mail_does_not_go_in_plain_text_where_tls_is_required(tls, send):
    server = await tls(broken=b"garbage here\r\n")
    assert await send(server, smtp_tls_security_level="encrypt", age=100_000) == FAILURE
    assert server.connections == 1


async def test_a_handshake_that_hangs_has_a_time_limit(tls, send):
    server = await tls(hang=True)
    assert await send(server, smtp_tls_security_level="encrypt", seconds={stages.TLS: 0.03}) == FAILURE
    assert lines(send, "SSL_connect")[0].endswith("Connection timed out")


async def test_no_common_protocol_is_a_broken_handshake(tls, send):
    server = await tls()
    texts = {"smtp_tls_mandatory_protocols": ">=TLSv1.3", "smtp_tls_security_level": "encrypt"}
    server.context.maximum_version = 0x0303
    assert await send(server, **texts) == FAILURE


async def test_protocols_that_do_not_exist_are_told(tls, send):
    server = await tls()
    texts = {"smtp_tls_mandatory_protocols": "TLSv9", "smtp_tls_security_level": "encrypt"}
    assert await send(server, **texts) == FAILURE
    assert 'unknown TLS protocol "TLSv9"' in lines(send, "warning")[0]


async def test_without_an_engine_tls_is_refused_or_forgone(tls, send):
    server = await tls()
    texts = {"smtp_tls_cert_file": "/missing.pem"}
    status, text = await send(server, smtp_tls_security_level="encrypt", **texts)
    assert (status, text) == ("4.7.5", "TLS is required, but our TLS engine is unavailable")
    assert lines(send, "disabling TLS support")
    assert (await send(server, smtp_tls_security_level="may", **texts))[0] == "2.0.0"
    assert "STARTTLS" not in server.said


# --- who the server is


@pytest.mark.parametrize(
    ("pair", "trust", "fault"),
    [
        (GOOD, "Verified", ""),
        (
            make("there.example"),
            "Untrusted",
            "certificate verification failed for {}: self-signed certificate",
        ),
        (
            make("other.example", by=CA),
            "Untrusted",
            "server certificate verification failed for {}: num=62:hostname mismatch",
        ),
        (
            make("there.example", by=CA, begins=-3 * DAY, ends=-DAY),
            "Untrusted",
            "server certificate verification failed for {}: certificate has expired",
        ),
        (
            make("there.example", by=make("Middle", by=CA, authority=True)),
            "Untrusted",
            "certificate verification failed for {}: untrusted issuer /CN=Middle",
        ),
    ],
    ids=["good", "self-signed", "wrong name", "expired", "no chain"],
)
async def test_verify_wants_an_authority_and_the_name(tls, send, pair, trust, fault):
    server = await tls(pair)
    outcome = await send(server, smtp_tls_loglevel="1", **VERIFY)
    where = f"there.example[127.0.0.1]:{server.port}"
    if trust == "Verified":
        assert outcome[0] == "2.0.0"
    else:
        assert outcome == NOT_VERIFIED
        assert server.verbs()[-1] != "MAIL"
        assert f"smtp: {fault.format(where)}" in send.post.lines
    established = lines(send, "established")
    assert len(established) == 1
    assert established[0].startswith(
        f"smtp: {trust} TLS connection established to {where}: TLSv1.3 with cipher "
    )


@pytest.mark.parametrize(("pair", "trust"), [(GOOD, "Trusted"), (make("x.example"), "Untrusted")])
async def test_where_encryption_is_enough_trust_is_only_logged(tls, send, pair, trust):
    server = await tls(pair)
    texts = {"smtp_tls_CAfile": "/ca.pem", "smtp_tls_security_level": "encrypt", "smtp_tls_loglevel": "1"}
    assert (await send(server, **texts))[0] == "2.0.0"
    assert [line.split()[1] for line in lines(send, "established")] == [trust]
    assert not lines(send, "verification failed")


async def test_secure_wants_the_next_hops_name(tls, send):
    server = await tls(make("dest.example", by=CA))
    texts = VERIFY | {"smtp_tls_security_level": "secure"}
    assert (await send(server, **texts))[0] == "2.0.0"
    assert await send(await tls(GOOD), **texts) == NOT_VERIFIED


async def test_a_fingerprint_is_enough_by_itself(tls, send):
    pair = make("anything", begins=-3 * DAY, ends=-DAY)
    server = await tls(pair)

    texts = {"smtp_tls_security_level": "fingerprint", "smtp_tls_fingerprint_digest": "sha256"}
    made = hashlib.sha256(pair.der).digest().hex(":")
    assert (await send(server, smtp_tls_fingerprint_cert_match=made, **texts))[0] == "2.0.0"
    assert await send(server, smtp_tls_fingerprint_cert_match="00" * 32, **texts) == NOT_VERIFIED


async def test_the_server_is_told_the_name_that_is_wanted(tls, send):
    server = await tls()
    for name in ("hostname", "nexthop", "Sni.Example", ""):
        await send(server, smtp_tls_security_level="may", smtp_tls_servername=name)
    assert server.names == ["there.example", "dest.example", "Sni.Example", None]


# --- connections


async def test_tls_may_begin_with_the_first_byte(tls, send):
    server = await tls(wrapper=True)
    texts = {"smtp_tls_wrappermode": "yes", "smtp_tls_security_level": "encrypt"}
    assert (await send(server, **texts))[0] == "2.0.0"
    assert server.said[0] == "*EHLO mx.example.test"


async def test_wrappermode_needs_a_level(tls, send):
    server = await tls(wrapper=True)
    outcome = await send(server, smtp_tls_wrappermode="yes", smtp_tls_security_level="may")
    assert outcome == ("4.3.0", "server unavailable or unable to receive mail")
    assert lines(send, "requires") == [
        'smtp: warning: smtp_tls_wrappermode requires "smtp_tls_security_level = encrypt" (or stronger)'
    ]
    assert server.connections == 0


@pytest.mark.parametrize("version", [0x0303, 0x0304], ids=["TLSv1.2", "TLSv1.3"])
async def test_a_session_goes_on_from_an_earlier_one(tls, send, version):
    server = await tls(options={"maximum_version": version})
    await send(server, times=3, smtp_tls_loglevel="1", **VERIFY)
    assert server.resumed == [False, True, True]
    assert [line.split()[1] for line in lines(send, "established")] == ["Verified"] * 3


async def test_sessions_are_not_remembered_for_0_seconds(tls, send):
    server = await tls()
    await send(server, times=2, smtp_tls_security_level="may", smtp_tls_session_cache_timeout="0")
    assert server.resumed == [False, False]


@pytest.mark.parametrize(("reuse", "connections"), [("no", 3), ("yes", 1)])
async def test_connections_are_reused_if_that_is_wanted(tls, send, reuse, connections):
    server = await tls()
    texts = {
        "smtp_tls_connection_reuse": reuse,
        "smtp_connection_cache_destinations": "dest.example",
        "smtp_tls_security_level": "encrypt",
    }
    assert (await send(server, times=3, **texts))[0] == "2.0.0"
    assert server.connections == connections
    assert len(server.messages) == 3


async def test_connections_are_reused_no_longer_than_the_policy_stays(tls, post, job_of, tmp_path):
    server = await tls()
    policies = tmp_path / "policies"
    policies.write_text("dest.example may connection_reuse=yes\n")
    clock = TestClock()
    made = post(
        hosts=[Host("there.example", "127.0.0.1", server.port)],
        smtp_tls_policy_maps=f"texthash:{policies}",
        smtp_connection_cache_destinations="dest.example",
        table_clock=clock,
    )
    assert [(await made.texts(job_of()))[0][0] for _ in range(2)] == ["2.0.0", "2.0.0"]
    assert server.connections == 1
    policies.write_text("dest.example verify connection_reuse=yes\n")
    clock.advance(5)
    made.agent._now = lambda: SystemClock().steady() + 5
    assert await made.texts(job_of()) == [NOT_VERIFIED]
    assert server.connections == 2
    assert len(server.messages) == 2


async def test_large_content_goes_through_whole(tls, send, post, job_of):
    server = await tls()
    content = b"Subject: x\r\n\r\n" + b"0123456789abcdef" * 40 + b"\r\n" + b"line\r\n" * 200_000
    host = Host("there.example", "127.0.0.1", server.port)
    made = post(hosts=[host], smtp_tls_security_level="encrypt")
    assert (await made.texts(job_of(content=content)))[0][0] == "2.0.0"
    assert server.messages[0] == content + b".\r\n"


async def test_close_notify_is_the_end(tls, send):
    server = await tls()
    server.secure["MAIL"] = None
    outcome = await send(server, smtp_tls_security_level="encrypt")
    assert outcome == ("4.4.2", "lost connection with there.example[127.0.0.1] while sending MAIL FROM")


async def test_lmtp_has_tls_too(tls, post, job_of):
    server = await tls()
    hosts = {"hosts": [Host("there.example", "127.0.0.1", server.port)]}
    made = post(
        program="lmtp", lmtp_tls_security_level="verify", lmtp_tls_CAfile="/ca.pem", files=FILES, **hosts
    )
    assert (await made.texts(job_of()))[0][0] == "2.0.0"
    assert server.said[:3] == ["LHLO mx.example.test", "STARTTLS", "*LHLO mx.example.test"]


@pytest.mark.parametrize(("level", "secure"), [("may", False), ("verify", True)])
async def test_sockets_in_the_file_system_have_tls_if_it_is_required(post, job_of, tmp_path, level, secure):
    server = TlsServer(server_context(make("mx.example.test", by=CA)))
    path = str(tmp_path / "lmtp")
    await server.start(path=path)
    texts = {"lmtp_tls_security_level": level, "lmtp_tls_CAfile": "/ca.pem"}
    made = post(program="lmtp", files=FILES, **texts)
    assert (await made.texts(job_of(nexthop=f"unix:{path}")))[0][0] == "2.0.0"
    assert ("STARTTLS" in server.said) == secure
    server.stop()


async def test_the_client_shows_its_certificate(tls, post, job_of):
    own = make("client.example", by=CA)
    server = await tls(options={"verify_mode": ssl.CERT_OPTIONAL})
    server.context.load_verify_locations(cadata=CA.pem.decode())
    made = post(
        hosts=[Host("there.example", "127.0.0.1", server.port)],
        files={"/own.pem": own.all},
        smtp_tls_security_level="may",
        smtp_tls_chain_files="/own.pem",
    )
    assert (await made.texts(job_of()))[0][0] == "2.0.0"
    assert server.certificates == [own.der]


async def test_the_log_has_more_at_level_2(tls, send):
    server = await tls()
    await send(
        server, smtp_tls_loglevel="2", smtp_tls_security_level="may", smtp_tls_fingerprint_digest="sha1"
    )
    where = f"there.example[127.0.0.1]:{server.port}"
    made = [
        hashlib.sha1(data, usedforsecurity=False).digest().hex(":").upper()
        for data in (GOOD.der, GOOD.key_der)
    ]
    assert send.post.lines[0] == f"smtp: setting up TLS connection to {where}"
    told = f"smtp: {where}: subject_CN=there.example, issuer_CN=Test CA, fingerprint={made[0]}, pkey_fingerprint={made[1]}"
    assert send.post.lines[1] == told
    await send(server, smtp_tls_loglevel="2", **VERIFY)
    assert send.post.lines[1] == f"smtp: {where}: matched peername: there.example"


# --- logins


LOGIN = {
    "smtp_sasl_auth_enable": "yes",
    "smtp_sasl_password_maps": "inline:{there.example=user:secret-word}",
    "smtp_sasl_tls_security_options": "noanonymous",
    "smtp_tls_security_level": "may",
}
PLAIN = base64.b64encode(b"\0user\0secret-word").decode()


async def test_we_log_in_behind_tls(tls, send):
    server = await tls(**{f"AUTH PLAIN {PLAIN}": "235 2.7.0 welcome"})
    server.secure["EHLO"] = "250-there.example\r\n250 AUTH PLAIN LOGIN"
    assert (await send(server, **LOGIN))[0] == "2.0.0"
    assert f"*AUTH PLAIN {PLAIN}" in server.said


async def test_no_password_goes_in_plain_text(tls, send):
    server = await tls(EHLO="250-there.example\r\n250 AUTH PLAIN LOGIN")
    outcome = await send(server, **LOGIN)
    assert outcome == (
        "4.7.0",
        "SASL authentication failed; cannot authenticate to server there.example[127.0.0.1]: no mechanism available",
    )
    assert "AUTH" not in server.verbs()


@pytest.mark.parametrize(("soft", "status"), [("yes", "4.7.8"), ("no", "5.7.8")])
async def test_a_refused_login_tells_nobody_the_password(tls, send, soft, status):
    server = await tls(**{f"AUTH PLAIN {PLAIN}": f"535 5.7.8 not with {PLAIN}"})
    server.secure["EHLO"] = "250-there.example\r\n250 AUTH PLAIN"
    outcome = await send(server, smtp_sasl_auth_soft_bounce=soft, **LOGIN)
    assert outcome == (
        status,
        "SASL authentication failed; server there.example[127.0.0.1] said: 535 5.7.8 not with *",
    )
    assert "MAIL" not in " ".join(server.said)
    told = " ".join([*send.post.lines, *map(str, outcome), send.job.outcomes[0].reply])
    assert PLAIN not in told
    assert "secret-word" not in told


async def test_a_server_without_auth_is_talked_to_like_a_stranger(tls, send):
    server = await tls()
    assert (await send(server, **LOGIN))[0] == "2.0.0"


async def test_who_would_log_in_does_not_go_in_plain_text(tls, send):
    server = await tls(broken=b"garbage here\r\n")
    assert await send(server, age=100_000, **LOGIN) == FAILURE
    assert server.connections == 1


async def test_senders_with_logins_of_their_own_share_no_connection(tls, send):
    server = await tls(**{f"AUTH PLAIN {PLAIN}": "235 2.7.0 welcome"})
    server.secure["EHLO"] = "250-there.example\r\n250 AUTH PLAIN"
    texts = {
        "smtp_sender_dependent_authentication": "yes",
        "smtp_connection_cache_destinations": "dest.example",
        "smtp_tls_connection_reuse": "yes",
    }
    await send(server, times=2, **LOGIN | texts)
    assert server.connections == 2


async def test_passwords_that_cannot_be_looked_up_defer(tls, send):
    server = await tls()
    outcome = await send(server, **LOGIN | {"smtp_sasl_password_maps": "fail:x"})
    assert outcome == ("4.3.0", "SASL password lookup error")
    assert server.connections == 0


async def test_an_unexpected_end_of_a_login_is_a_lost_connection(tls, send):
    server = await tls(**{f"AUTH PLAIN {PLAIN}": None})
    server.secure["EHLO"] = "250-there.example\r\n250 AUTH PLAIN"
    status, text = await send(server, **LOGIN)
    assert (status, text[:15]) == ("4.4.2", "lost connection")


@pytest.fixture
async def relay(tls):
    """A server that wants a login, behind TLS, and refuses it."""
    server = await tls(**{f"AUTH PLAIN {PLAIN}": "535 5.7.8 wrong"})
    server.secure["EHLO"] = "250-there.example\r\n250 AUTH PLAIN"
    return server


async def test_a_refused_login_is_not_repeated_where_that_is_wanted(relay, send):
    await send(relay, times=2, smtp_sasl_auth_cache_name="proxy:btree:/x", **LOGIN)
    text = "SASL [CACHED] authentication failed; server there.example[127.0.0.1] said: 535 5.7.8 wrong"
    assert (send.job.outcomes[0].status, send.job.outcomes[0].text) == ("4.7.8", text)
    assert len([line for line in relay.said if "AUTH" in line]) == 1


async def test_a_filter_that_cannot_be_asked_defers(relay, send):
    outcome = await send(relay, smtp_sasl_mechanism_filter="fail:x", **LOGIN)
    assert outcome == ("4.3.0", "SASL mechanism filter lookup error")
    assert "AUTH" not in " ".join(relay.said)


async def test_a_defect_in_a_login_does_not_hold_the_mail(relay, post, job_of):
    made = post(hosts=[Host("there.example", "127.0.0.1", relay.port)], **LOGIN)
    made.agent._context.security.logins.begin = None
    assert await made.texts(job_of()) == [("4.3.0", "internal error of the mail system")]
    assert "error" in made.lines[0]


async def test_a_refused_login_leads_to_the_next_host(relay, tls, send):
    good = await tls()
    assert (await send(relay, good, **LOGIN))[0] == "2.0.0"
    assert "MAIL" not in " ".join(relay.said)
