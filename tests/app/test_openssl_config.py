import os
import subprocess
import sys

import pytest

from postroad.app.openssl_config import OpensslConfig, applications, check
from postroad.app.registry import registry
from postroad.base.config import load_texts
from postroad.base.params import Facts, settings_of

FILE = """\
# applications
openssl_conf = usual
postfix = ours   # mail
[usual]
ssl_conf = a
[a]
system_default = b
[b]
MaxProtocol = TLSv1.2
[ours]
ssl_conf = c
[c]
system_default = d
[d]
MinProtocol = TLSv1.3
"""
#: What a session gets whose two ends say nothing of protocols; the client may have at most TLS 1.2.
SHAKE = """\
import sys
sys.path.insert(0, {tests!r})
from OpenSSL import SSL
from peers.certificates import self_signed
pair = self_signed("a.example")
server, client = SSL.Context(SSL.TLS_METHOD), SSL.Context(SSL.TLS_METHOD)
server.use_certificate(pair.certificate)
server.use_privatekey(pair.key)
ends = SSL.Connection(client, None), SSL.Connection(server, None)
ends[0].set_connect_state(), ends[1].set_accept_state()
try:
    for _ in range(4):
        for end, other in (ends, ends[::-1]):
            try:
                end.do_handshake()
            except SSL.WantReadError:
                pass
            try:
                other.bio_write(end.bio_read(65536))
            except SSL.WantReadError:
                pass
    print(ends[1].get_protocol_version_name())
except SSL.Error as error:
    print(error)
"""


def settings(**texts):
    return settings_of(registry().groups, **texts)


def protocol(config):
    """Return what a process under the configuration agrees on with itself."""
    environment, fds = config.environment()
    tests = os.path.dirname(os.path.dirname(__file__))
    command = [sys.executable, "-c", SHAKE.format(tests=tests)]
    try:
        done = subprocess.run(
            command, env=environment, pass_fds=fds, capture_output=True, text=True, timeout=60
        )
    finally:
        for fd in fds:
            os.close(fd)
    return done.stdout.strip() or done.stderr


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "openssl.cnf"
    path.write_text(FILE)
    return str(path)


def test_a_file_is_the_baseline_of_every_session(file):
    assert protocol(OpensslConfig(settings(tls_config_file=file))) == "TLSv1.2"


def test_an_application_has_a_section_of_its_own(file):
    assert protocol(OpensslConfig(settings(tls_config_file=file, tls_config_name="postfix"))) == "TLSv1.3"


def test_none_reads_no_file():
    config = OpensslConfig(settings(tls_config_file="none"))
    assert config.path == os.devnull
    assert protocol(config) == "TLSv1.3"


def test_by_default_the_systems_file_counts_and_a_name_that_it_lacks_is_none():
    config = OpensslConfig(settings(tls_config_name="nobody"))
    assert os.path.exists(config.path)
    assert config.section == ""
    assert protocol(config) == "TLSv1.3"


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"tls_config_file": "openssl.cnf"}, "expected default, none or /path"),
        ({"tls_config_file": "/nowhere/openssl.cnf"}, "No such file"),
        ({"tls_config_name": "a b"}, "tls_config_name"),
    ],
)
def test_what_cannot_be_used_is_said(texts, words):
    with pytest.raises(ValueError, match=words):
        OpensslConfig(settings(**texts))
    lines = "".join(f"{name} = {value}\n" for name, value in texts.items())
    (problem,) = check(load_texts(lines, None, "/etc/postroad", registry(), Facts()))
    assert problem.where == "main.cf:1"


def test_a_file_must_know_the_application(file):
    with pytest.raises(ValueError, match="no settings for nobody"):
        OpensslConfig(settings(tls_config_file=file, tls_config_name="nobody"))


def test_applications_stand_in_front_of_the_first_section():
    assert applications(FILE) == {"openssl_conf": "usual", "postfix": "ours"}
