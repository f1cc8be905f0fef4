import os
import stat

import pytest
from cryptography import x509

from postroad.app import selfsigned
from postroad.net.tls.chains import read_chains
from postroad.net.tls.context import new_context

NOW = 1_790_000_000.0


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "tls/self-signed.pem")


def test_it_is_made_once_and_for_its_owner_only(path, tmp_path):
    assert selfsigned.read(path) == b""
    assert selfsigned.ensure(path, "mx.example.test", NOW)
    made = selfsigned.read(path)
    assert not selfsigned.ensure(path, "other.test", NOW)
    assert selfsigned.read(path) == made
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(tmp_path / "tls").st_mode) == 0o700
    assert os.listdir(tmp_path / "tls") == ["self-signed.pem"]


def test_it_can_be_served_and_says_whose_it_is():
    pem = selfsigned.make("mx.example.test", NOW)
    [chain] = read_chains([("made", pem)])
    chain.put_into(new_context())
    certificate = chain.certificate
    assert certificate.subject.rfc4514_string() == "CN=mx.example.test"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mx.example.test"]
    assert certificate.not_valid_before_utc.timestamp() < NOW
    assert certificate.not_valid_after_utc.timestamp() > NOW + 10 * 365 * 86400
    certificate.verify_directly_issued_by(certificate)


@pytest.mark.parametrize("name", ["mx." + "long" * 30 + ".test", "localhost", "bücher.test"])
def test_any_host_name_will_do(name):
    read_chains([("made", selfsigned.make(name, NOW))])[0].put_into(new_context())


def test_nothing_is_followed_that_another_user_may_have_put_there(path, tmp_path):
    secret = tmp_path / "secret.pem"
    secret.write_bytes(selfsigned.make("secret.test", NOW))
    (tmp_path / "tls").mkdir()
    os.symlink(secret, path)
    assert selfsigned.read(path) == b""
    os.unlink(path)
    os.rmdir(tmp_path / "tls")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/self-signed.pem").write_bytes(secret.read_bytes())
    os.symlink(tmp_path / "elsewhere", tmp_path / "tls")
    assert selfsigned.read(path) == b""
    with pytest.raises(OSError):
        selfsigned.ensure(path, "mx.test", NOW)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the rights of root")
def test_a_directory_of_another_user_is_not_trusted(path, tmp_path):
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/self-signed.pem").write_bytes(selfsigned.make("theirs.test", NOW))
    os.chown(tmp_path / "tls", 65534, 65534)
    assert selfsigned.read(path) == b""
    with pytest.raises(PermissionError, match="belongs to another user"):
        selfsigned.ensure(path, "mx.test", NOW)


def test_what_cannot_be_written_leaves_nothing(path, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError):
        selfsigned.ensure(path, "mx.test", NOW)
    assert os.listdir(tmp_path / "tls") == []
