"""The milter that most mail servers sign with."""

import asyncio
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from filters.conftest import a_session, whole
from peers.harness import a_place, free_port
from peers.programs import running
from postroad.model.message import Recipient

HEADER = (
    b"Received: from c.example (localhost [127.0.0.1])\r\n\tby mx.example.org (Postfix) id 1\r\n"
    b"From: Someone <s@example.org>\r\nTo: u@example.net\r\nSubject: a  subject\r\n\tthat is folded\r\n"
    b"Date: Sun, 29 Nov 2026 22:45:40 +0000\r\nMessage-Id: <1@example.org>\r\n"
)
BODY = b"Dear u,\r\n.dots and\r\n" + b"lines of a body that takes more than one packet\r\n" * 3000
_CONF = """\
Syslog no
Mode sv
Domain example.org
Selector sel
KeyFile {place}/key.pem
Canonicalization relaxed/simple
TestPublicKeys {place}/keys
RequireSafeKeys no
AlwaysAddARHeader yes
AuthservID mx.example.org
InternalHosts {place}/internal
UMask 000
"""


def _keys(place: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    encoding, form = serialization.Encoding, serialization.PrivateFormat
    pem = key.private_bytes(encoding.PEM, form.TraditionalOpenSSL, serialization.NoEncryption())
    (place / "key.pem").write_bytes(pem)
    public = key.public_key().public_bytes(encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    value = "".join(public.decode().splitlines()[1:-1])
    (place / "keys").write_text(f"sel._domainkey.example.org v=DKIM1; k=rsa; p={value}\n")


@pytest.fixture(scope="module")
def opendkim():
    with a_place() as place:
        _keys(place)
        (place / "internal").write_text("192.0.2.7\n127.0.0.1\n")
        (place / "conf").write_text(_CONF.format(place=place))
        port = free_port()
        command = ["opendkim", "-f", "-x", str(place / "conf"), "-p", f"inet:{port}@127.0.0.1"]
        with running(command, ("127.0.0.1", port), place / "out") as process:
            yield f"inet:127.0.0.1:{port}"
            process.kill()  # it would take five seconds to end by itself


async def signed(bench, opendkim) -> bytes:
    outcome = await whole(await bench.chain(opendkim), HEADER, BODY)
    assert outcome.reply is None
    assert outcome.body is None
    assert outcome.header.endswith(HEADER)  # nothing else of it has changed
    return outcome.header


async def verified(bench, opendkim, header, body) -> str:
    chain = await bench.chain(opendkim, session=a_session(address="198.51.100.1"))
    outcome = await whole(chain, header, body)
    results = re.search(rb"Authentication-Results: mx.example.org;\s*(dkim=\S+)", outcome.header)
    return results[1].decode()


async def test_it_signs_for_our_clients_and_finds_its_own_signature_good(bench, opendkim):
    header = await signed(bench, opendkim)
    assert header.startswith(b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=example.org; s=sel;")
    assert await verified(bench, opendkim, header, BODY) == "dkim=pass"


async def test_it_sees_what_was_changed(bench, opendkim):
    header = await signed(bench, opendkim)
    assert await verified(bench, opendkim, header, BODY.replace(b"Dear", b"dear")) == "dkim=fail"
    changed = header.replace(b"a  subject", b"another subject")
    assert await verified(bench, opendkim, changed, BODY) == "dkim=fail"


async def test_a_message_of_our_own_is_signed(bench, opendkim):
    session = a_session()
    session.transaction.sender = ""
    session.transaction.recipients.append(Recipient("s@example.org"))
    filters = bench.others(non_smtpd_milters=opendkim)
    outcome = await asyncio.wait_for(filters.message(session, HEADER, lambda: iter([BODY])), 30)
    assert outcome.header.startswith(b"DKIM-Signature: ")
    assert bench.lines == []
