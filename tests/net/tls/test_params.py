"""The parameters of this room: their defaults are Postfix's."""

import shutil
import subprocess

import pytest

from postroad.base.params import settings_of
from postroad.net.tls.params import params

POSTCONF = shutil.which("postconf", path="/usr/sbin:/usr/bin")


@pytest.mark.peer
@pytest.mark.skipif(POSTCONF is None, reason="Postfix is not installed")
def test_the_defaults_are_postfixs():
    said = subprocess.run([POSTCONF, "-d"], capture_output=True, text=True, check=True).stdout
    theirs = dict(line.partition(" =")[::2] for line in said.splitlines())
    for param in params.params:
        if param.name in theirs and isinstance(param.default, str):
            assert param.default == theirs[param.name].strip(), param.name


def test_what_follows_from_another():
    mine = settings_of([params], smtpd_tls_cert_file="/c.pem", smtpd_tls_fingerprint_digest="sha256")
    assert mine.texts["smtpd_tls_key_file"] == "/c.pem"
    assert mine.texts["smtpd_tls_eckey_file"] == ""


def test_a_wrong_value_is_refused():
    for name in ("smtpd_tls_ask_ccert", "smtpd_tls_ccert_verifydepth", "smtpd_tls_session_cache_timeout"):
        with pytest.raises(ValueError):
            settings_of([params], smtpd_tls_fingerprint_digest="sha256", **{name: "sometimes"})
