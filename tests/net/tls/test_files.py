import pytest

from peers.tlsends import settings
from postroad.net.tls.errors import TlsError
from postroad.net.tls.files import named, self_signed_path


def test_a_file_and_its_name():
    assert named({"/a": b"text"}, "/a") == ("/a", b"text")
    with pytest.raises(TlsError, match=r"^/b: cannot be read$"):
        named({"/a": b"text"}, "/b")


def test_where_the_certificate_of_our_own_making_is():
    assert self_signed_path(settings(data_directory="/data")) == "/data/tls/self-signed.pem"
