"""Certificates that change: what is handed on, what is not, and what is said of it."""

import os

import pytest

from app.texts import config_of
from peers.certificates import self_signed
from peers.tlsends import pem
from postroad.app.certificates import Certificates
from postroad.app.renewal import Renewal
from postroad.base.clock import TestClock
from postroad.base.log import ListSink, Log

ONE, TWO, NAME, OTHER = (self_signed(f"{name}.test") for name in ("one", "two", "name", "other"))


class Case:
    """A directory with a certificate and a key, looked at by a Renewal."""

    def __init__(self, folder, main=""):
        self.folder = folder
        self.write("cert.pem", ONE.certificate_pem)
        self.write("key.pem", ONE.key_pem)
        self.sink = ListSink()
        self.clock = TestClock(2_000_000_000.0)  # so that no file looks fresh
        self.sent = []
        text = (
            f"queue_directory = {folder}\ndata_directory = {folder}\nsmtpd_tls_security_level = may\n"
            "smtpd_tls_cert_file = cert.pem\nsmtpd_tls_key_file = key.pem\n" + main
        )
        config = config_of(text, directory=str(folder))
        self.renewal = Renewal(config, Log(self.sink), self.clock, self._send)

    def _send(self, fd):
        self.sent.append(Certificates.unpack(os.dup(fd)))

    def write(self, name, data):
        (self.folder / name).write_bytes(data)

    def look(self, seconds=0.5):
        self.clock.advance(seconds)
        self.renewal.look()
        return [line.removeprefix("master: ") for line in self.sink.lines]


@pytest.fixture
def case(tmp_path):
    made = Case(tmp_path)
    yield made
    made.renewal.close()


def test_nothing_happens_while_nothing_changes(case):
    given = Certificates.unpack(os.dup(case.renewal.fd))
    assert given.files == {"cert.pem": ONE.certificate_pem, "key.pem": ONE.key_pem}
    assert case.look() == []
    assert case.sent == []


def test_new_files_are_handed_on(case):
    case.write("cert.pem", TWO.certificate_pem)
    case.write("key.pem", TWO.key_pem)
    assert case.look() == ["changed files are in force: cert.pem, key.pem"]
    assert case.sent[0].files == {"cert.pem": TWO.certificate_pem, "key.pem": TWO.key_pem}
    assert Certificates.unpack(os.dup(case.renewal.fd)) == case.sent[0]  # what new workers are given
    case.look()
    assert len(case.sent) == 1


def test_a_link_that_leads_elsewhere_is_a_change(case):
    case.write("two.pem", TWO.certificate_pem + TWO.key_pem)
    for name in ("cert.pem", "key.pem"):
        os.unlink(case.folder / name)
        os.symlink("two.pem", case.folder / name)
    assert case.look() == ["changed files are in force: cert.pem, key.pem"]


def test_a_certificate_and_its_key_may_come_one_after_the_other(case):
    case.write("cert.pem", TWO.certificate_pem)
    assert case.look() == []
    assert case.look() == []
    assert case.sent == []
    case.write("key.pem", TWO.key_pem)
    assert case.look() == ["changed files are in force: cert.pem, key.pem"]
    assert len(case.sent) == 1


def test_what_stays_wrong_is_said_once_and_the_former_stays_in_force(case):
    case.write("cert.pem", TWO.certificate_pem)
    for _ in range(20):
        said = case.look()
    reason = "cert.pem, key.pem: the private key is not that of the certificate"
    assert said == [f"warning: certificates: {reason} -- the former ones stay in force"]
    assert case.sent == []
    case.write("cert.pem", b"")
    for _ in range(20):
        said = case.look()
    assert said[1:] == [
        "warning: certificates: cert.pem: no certificate in PEM -- the former ones stay in force"
    ]
    case.write("cert.pem", ONE.certificate_pem)  # as it was: nothing to hand on
    assert case.look() == said
    assert case.sent == []
    case.write("cert.pem", TWO.certificate_pem)
    for _ in range(20):
        said = case.look()
    assert said[-1] == f"warning: certificates: {reason} -- the former ones stay in force"


def test_a_file_that_is_gone_changes_nothing(case):
    os.unlink(case.folder / "key.pem")
    for _ in range(10):
        said = case.look()
    assert said == [
        "warning: certificates: open key.pem: No such file or directory -- the former ones stay in force"
    ]
    assert case.sent == []


def test_a_change_within_the_same_moment_is_seen(case):
    path = case.folder / "key.pem"
    now = os.stat(path).st_mtime
    case.clock = case.renewal._clock = TestClock(now)
    case.renewal._collector.stamps = lambda found: found.stamps  # as if nothing could be told by the looks
    case.write("cert.pem", TWO.certificate_pem)
    case.write("key.pem", TWO.key_pem)
    case.renewal.look()
    assert len(case.sent) == 1


def test_names_whose_chain_cannot_be_used_keep_the_former(tmp_path):
    (tmp_path / "sni").write_text("name.test name.pem\nother.test other.pem\n")
    (tmp_path / "name.pem").write_bytes(pem(NAME))
    (tmp_path / "other.pem").write_bytes(b"broken")
    case = Case(tmp_path, f"tls_server_sni_maps = texthash:{tmp_path}/sni\n")
    reason = "other.test: other.test (other.pem): no private key and no certificate in PEM"
    assert case.look() == [f"warning: tls_server_sni_maps: {reason}"]
    key = f"texthash:{tmp_path}/sni"
    case.write("name.pem", b"broken")
    case.write("other.pem", pem(OTHER))
    for _ in range(10):
        said = case.look()
    assert case.sent[-1].sni == {key: {"name.test": pem(NAME), "other.test": pem(OTHER)}}
    assert said[1] == "changed files are in force: other.test"
    assert said[2].startswith("warning: tls_server_sni_maps: name.test: ")
    assert len(said) == 3
    os.unlink(tmp_path / "sni")
    for _ in range(10):
        said = case.look()
    assert said[3] == f"warning: tls_server_sni_maps: open {tmp_path}/sni: No such file or directory"
    assert len(case.sent) == 1
    (tmp_path / "sni").write_text("other.test other.pem\n")
    case.look()
    assert case.sent[-1].sni == {key: {"other.test": pem(OTHER)}}
    case.renewal.close()


def test_what_is_wrong_with_one_service_holds_up_no_other(tmp_path):
    (tmp_path / "mine.pem").write_bytes(pem(ONE))
    case = Case(tmp_path, "smtp_tls_chain_files = mine.pem\nsmtp_tls_CAfile = ca.pem\n")
    case.write("cert.pem", TWO.certificate_pem)
    case.write("mine.pem", pem(TWO))
    case.write("ca.pem", OTHER.certificate_pem)
    case.look()
    assert case.sent[-1].files == {
        "cert.pem": ONE.certificate_pem,
        "key.pem": ONE.key_pem,
        "mine.pem": pem(TWO),
        "ca.pem": OTHER.certificate_pem,
    }
    case.write("key.pem", TWO.key_pem)
    case.write("mine.pem", b"broken")
    case.look()
    assert case.sent[-1].files["cert.pem"] == TWO.certificate_pem
    assert case.sent[-1].files["mine.pem"] == pem(TWO)
    case.renewal.close()


def test_files_that_services_share_are_held_back_together(tmp_path):
    main = "smtp_tls_cert_file = cert.pem\nsmtp_tls_key_file = mine.key\n"
    (tmp_path / "mine.key").write_bytes(ONE.key_pem)
    case = Case(tmp_path, main)
    case.write("cert.pem", TWO.certificate_pem)
    case.write("key.pem", TWO.key_pem)  # and not the other's key
    case.look()
    assert case.sent == []
    case.write("mine.key", TWO.key_pem)
    case.look()
    assert case.sent[-1].files["mine.key"] == TWO.key_pem
    case.renewal.close()


def test_the_log_names_a_few(tmp_path):
    (tmp_path / "sni").write_text("".join(f"{number}.test name.pem\n" for number in range(9)))
    (tmp_path / "name.pem").write_bytes(pem(NAME))
    case = Case(tmp_path, f"tls_server_sni_maps = texthash:{tmp_path}/sni\n")
    case.write("name.pem", pem(OTHER))
    assert case.look() == ["changed files are in force: 0.test, 1.test, 2.test, 3.test, 4.test and 4 more"]
    case.renewal.close()


def test_many_files_are_looked_at_less_often(case):
    assert case.renewal.interval == 0.5
    case.renewal._seen.stamps.update({str(number): () for number in range(10_000)})
    assert case.renewal.interval > 4


def test_it_is_closed_once(case):
    fd = case.renewal.fd
    case.renewal.close()
    case.renewal.close()
    with pytest.raises(OSError):
        os.fstat(fd)
