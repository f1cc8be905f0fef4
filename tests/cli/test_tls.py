"""The command: files, records, and what it prints of a server."""

from __future__ import annotations

import json

import pytest

from peers.dnssec import validated
from peers.harness import a_place, free_port
from peers.starttls import starttls_server
from postroad.cli.tls import run


@pytest.fixture
def tls(tmp_path, capsys):
    """Run the command with a configuration directory; returns status, output, errors."""

    def tls(*args):
        status = run(str(tmp_path), [str(each) for each in args])
        out = capsys.readouterr()
        return status, out.out, out.err

    return tls


@pytest.fixture
def pair(tls, tmp_path):
    """A key and a certificate, made by the command."""
    assert tls("new-key", "--out", tmp_path / "key")[0] == 0
    certificate = tmp_path / "cert"
    assert tls("self-signed", "mx.signed.test", "--key", tmp_path / "key", "--out", certificate)[0] == 0
    return tmp_path / "key", certificate


def test_files_are_made_and_none_is_overwritten(tls, pair):
    key, certificate = pair
    assert key.stat().st_mode & 0o777 == 0o600
    assert certificate.stat().st_mode & 0o777 == 0o644
    before = key.read_bytes()
    status, _, errors = tls("new-key", "--out", key)
    assert (status, errors) == (1, f"postroad tls: {key}: File exists\n")
    assert key.read_bytes() == before


def test_a_request_goes_to_standard_output(tls, pair):
    status, out, _ = tls("csr", "mx.signed.test", "--key", pair[0])
    assert status == 0
    assert out.startswith("-----BEGIN CERTIFICATE REQUEST-----")
    assert tls("new-key", "--rsa", "--bits", "2048")[1].startswith("-----BEGIN PRIVATE KEY-----")


def test_records_are_printed_for_the_certificates_names(tls, pair):
    key, certificate = pair
    status, out, _ = tls("tlsa", certificate)
    assert status == 0
    assert out.startswith("_25._tcp.mx.signed.test. IN TLSA 3 1 1 ")
    assert json.loads(tls("tlsa", certificate, "--json")[1])["records"] == [out.strip()]
    other = tls("tlsa", key, "--host", "a.test", "--host", "b.test.", "--port", 465)[1].splitlines()
    data = out.partition("TLSA ")[2].strip()
    assert other == [f"_465._tcp.{name}.test. IN TLSA {data}" for name in "ab"]


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["tlsa", "KEY"], 2, "names no host"),
        (["tlsa", "/nowhere"], 1, "No such file"),
        (["csr", "a b", "--key", "KEY"], 1, "not a host name"),
        (["csr", "--key", "KEY"], 2, "NAME"),
        (["nosuch"], 2, "nosuch"),
        (["finger", "[127.0.0.1]:1"], 1, "Connection refused"),
        (["finger", "[127.0.0.1"], 1, "bad syntax"),
        (["finger", "x", "--ca", "/nowhere"], 1, "No such file"),
    ],
)
def test_what_is_wrong_is_said(tls, pair, args, status, words):
    found = tls(*(str(pair[0]) if each == "KEY" else each for each in args))
    assert found[0] == status
    assert words in found[2]
    assert "Traceback" not in found[2]


def test_a_server_is_fingered(tls, pair, tmp_path):
    key, certificate = (each.read_bytes() for each in pair)
    with starttls_server(tmp_path, key, certificate) as port:
        status, out, _ = tls("finger", f"[127.0.0.1]:{port}")
        values = json.loads(tls("finger", f"[127.0.0.1]:{port}", "--json")[1])
    assert status == 0
    assert out.startswith(f"127.0.0.1[127.0.0.1]:{port}\n  TLSv1.3 with cipher ")
    assert "level may: sends (Untrusted)" in out
    assert "level verify: mail waits" in out
    assert values["tls"]["protocol"] == "TLSv1.3"
    assert values["certificates"][0]["names"] == ["mx.signed.test"]
    assert values["dane"]["state"] == "insecure"
    assert values["levels"]["may"]["sends"]


@pytest.mark.peer
def test_its_zone_says_whether_dane_would_send(tls, pair, tmp_path):
    key, certificate = (each.read_bytes() for each in pair)
    data = tls("tlsa", pair[1])[1].partition("TLSA ")[2].strip()
    other = f"3 1 1 {'00' * 32}"
    with a_place() as place, starttls_server(tmp_path, key, certificate) as port:
        records = (
            f"mx A 127.0.0.1\n_{port}._tcp.mx TLSA {data}\nbad A 127.0.0.1\n_{port}._tcp.bad TLSA {other}\n"
        )
        with validated(place, {"signed.test": records}) as server:
            main = f"resolver_addresses = {server}\ninet_protocols = ipv4\ncompatibility_level = 3.6\n"
            (tmp_path / "main.cf").write_text(main)
            good = tls("finger", f"[mx.signed.test]:{port}")[1]
            bad = tls("finger", f"[bad.signed.test]:{port}")[1]
            none = tls("finger", f"[none.signed.test]:{port}")
    assert f"TLSA {data}  matches" in good
    assert "level dane: sends (Verified)" in good
    assert f"TLSA {other}  does not match" in bad
    assert "level dane: mail waits" in bad
    assert none[0] == 1
    assert "Host not found" in none[2]


def test_a_resolver_that_is_not_there_is_told(tls, tmp_path):
    (tmp_path / "main.cf").write_text(f"resolver_addresses = [127.0.0.1]:{free_port()}\n")
    status, _, errors = tls("finger", "x.test")
    assert status == 1
    assert "Host not found, try again" in errors
