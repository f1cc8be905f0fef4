"""smtp_tls_policy_maps beside Postfix: what an entry for a next hop says is done as Postfix does it."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator

import pytest

from peers.certificates import Authority, self_signed
from peers.harness import Postroad, a_place, free_port, until
from peers.programs import Postfix, postfix

pytestmark = pytest.mark.peer

#: Policies by the name of the recipient; where no certificate is named, the server's is a good one.
POLICIES = {
    "none": "none",
    "may": "may",
    "encrypt": "encrypt",
    "verify": "verify",
    "secure": "secure",
    "secure-match": "secure match=elsewhere.test:localhost",
    "secure-other": "secure match=elsewhere.test",
    "secure-dot": "secure match=.test",
    "verify-match": "verify match=hostname:nexthop",
    "fingerprint": "fingerprint match={good}",
    "fingerprint-key": "fingerprint match=00:11|{key}",
    "fingerprint-other": "fingerprint match={own}",
    "fingerprint-none": "fingerprint",
    "no-13": "encrypt protocols=!TLSv1.3",
    "only-13": "encrypt protocols=>=TLSv1.3",
    "range": "encrypt protocols=>=TLSv1.2:<=TLSv1.2 ciphers=high",
    "exclude": "encrypt protocols=TLSv1.2 exclude=AES256:aNULL",
    "bad-protocol": "encrypt protocols=TLSv9",
    "bad-cipher": "encrypt ciphers=strongest",
    "bad-level": "strong",
    "bad-word": "encrypt what=ever",
    "bad-match": "encrypt match=localhost",
    "anchor": "secure tafile={place}/other.pem",
    "anchor-wrong": "secure tafile={place}/good.pem",
    "name": "encrypt servername=elsewhere.test",
    "may-13": "may protocols=>=TLSv1.3",
    "dane": "dane",
    "dane-only": "dane-only",
    "level-case": "ENCRYPT",
    "empty-match": "secure match=",
}


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, dict[str, tuple[str, ...]]]]:
    authority, other = Authority("First"), Authority("Second")
    good, own = authority.issue("localhost"), self_signed("localhost")
    ports = {name: free_port() for name in POLICIES}
    with a_place() as place:
        good.write(place, "good")
        other.issue("localhost").write(place, "second")
        for file, text in {"roots": authority.pem, "other": other.pem}.items():
            (place / f"{file}.pem").write_bytes(text)
            (place / f"{file}.pem").chmod(0o644)
        values = {
            "good": good.fingerprint(),
            "key": good.key_fingerprint(),
            "own": own.fingerprint(),
            "place": place,
        }
        master = ""
        for name, port in ports.items():
            kind = "second" if name.startswith("anchor") else "good"
            master += (
                f"127.0.0.1:{port} inet n - n - - smtpd"
                f" -o smtpd_tls_cert_file={place}/{kind}.pem -o smtpd_tls_key_file={place}/{kind}.key\n"
            )
        taking = "smtpd_tls_security_level = may\nsmtpd_tls_received_header = yes\n"
        main = f"""
transport_maps = texthash:{{etc}}/transport
smtp_tls_policy_maps = texthash:{{etc}}/policy
smtp_host_lookup = native
smtp_tls_security_level = may
smtp_tls_CAfile = {place}/roots.pem
smtp_tls_loglevel = 1
smtp_tls_fingerprint_digest = sha256
"""
        files = {
            "transport": "".join(
                f"{name}@cell.test smtp:[localhost]:{port}\n" for name, port in ports.items()
            ),
            "policy": "".join(
                f"[localhost]:{port} {POLICIES[name].format(**values)}\n" for name, port in ports.items()
            ),
        }
        texts = {"main": main, "files": files, "domain": "client.test"}
        with postfix(place, "peer", main=taking, master=master, domain="cell.test"):
            with postfix(place, "postfix", **texts) as client:
                wanted = outcomes(client, ports)
            with Postroad(place, name="postroad", **texts) as server:
                got = outcomes(server, ports)
        yield {"postfix": wanted, "postroad": got}


def outcomes(client: Postfix | Postroad, ports: dict[str, int]) -> dict[str, tuple[str, ...]]:
    """Return status, code, words and the connections' lines of each policy."""
    with smtplib.SMTP(client.host, client.port, "c.test", timeout=30) as session:
        for name in ports:
            session.sendmail("s@client.test", [f"{name}@cell.test"], "Subject: x\r\n\r\nx\r\n")
    made = {}
    for name, port in ports.items():
        pattern = re.compile(rf"to=<{name}@cell\.test>.*, dsn=(\S+), status=(\w+) \((.*)\)$", re.MULTILINE)
        until(
            lambda pattern=pattern: pattern.search(client.log()),
            25,
            lambda name=name: f"{name}\n{client.log()}",
        )
        match = pattern.search(client.log())
        assert match is not None
        lines = re.findall(
            rf"(\w+ TLS connection established to localhost\[127\.0\.0\.1\]):{port}: (.*)", client.log()
        )
        why = "" if match[2] == "sent" else match[3].replace(str(port), "PORT")
        made[name] = (match[2], match[1], why, *(word for line in lines for word in line))
    return made


@pytest.mark.parametrize("name", POLICIES)
def test_an_entry_means_what_it_means_to_postfix(
    found: dict[str, dict[str, tuple[str, ...]]], name: str
) -> None:
    assert found["postroad"][name] == found["postfix"][name]
