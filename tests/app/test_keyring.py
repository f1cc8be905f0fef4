import gc

import pytest

from app.texts import config_of
from peers.certificates import self_signed
from peers.tlsends import meet, pem
from postroad.app.certificates import Certificates
from postroad.app.keyring import Keyring
from postroad.net.tls.errors import TlsError

ONE, TWO, NAME = self_signed("one.test"), self_signed("two.test"), self_signed("name.test")
MAIN = (
    "smtpd_tls_security_level = encrypt\n"
    "smtpd_tls_chain_files = /a.pem\n"
    "tls_server_sni_maps = hash:/sni\n"
    "smtpd_tls_mandatory_protocols = >=TLSv1.3\n"
)


@pytest.fixture
def settings():
    return config_of(MAIN).settings


def given(pair, name=None):
    return Certificates({"/a.pem": pem(pair)}, {"hash:/sni": {"name.test": pem(name)} if name else {}})


def served(tls, name=""):
    return meet(tls, name=name)[0].facts().peer.subject


def test_services_follow_new_certificates(settings):
    keyring = Keyring(given(ONE))
    tls, other = keyring.server(settings), keyring.server(settings)
    assert (served(tls), served(tls, "name.test")) == ("one.test", "one.test")
    assert keyring.replace(given(TWO, NAME)) == []
    assert (served(tls), served(tls, "name.test"), served(other)) == ("two.test", "name.test", "two.test")
    assert served(keyring.server(settings)) == "two.test"


def test_what_is_demanded_follows_from_the_settings(settings):
    tls = Keyring(given(ONE)).server(settings)
    with pytest.raises(TlsError, match="unsupported protocol"):
        meet(tls, old=True)


def test_what_cannot_be_used_is_told_and_the_former_is_kept(settings):
    keyring = Keyring(given(ONE))
    tls = keyring.server(settings)
    broken = Certificates({"/a.pem": ONE.key_pem + TWO.certificate_pem})
    assert keyring.replace(broken) == ["/a.pem: the private key is not that of the certificate"]
    assert served(tls) == "one.test"
    # settings of before, whose files are named no more
    assert keyring.replace(Certificates()) == []
    assert served(tls) == "one.test"
    with pytest.raises(TlsError):
        keyring.server(settings)


def test_who_is_gone_is_forgotten(settings):
    keyring = Keyring(given(ONE))
    told = []

    class User:
        pass

    gc.disable()  # a worker keeps what was there at its start out of the collector's way
    user = keyring.attach(User(), lambda _user, certificates: told.append(certificates))
    keyring.replace(given(TWO))
    assert told == [given(TWO)]
    del user
    tls = keyring.server(settings)
    keyring.replace(given(ONE, NAME))
    assert served(tls, "name.test") == "name.test"
    del tls
    assert told == [given(TWO)]
    assert len(keyring._users) == 0
    gc.enable()
