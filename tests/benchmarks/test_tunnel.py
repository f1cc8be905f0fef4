from benchmarks.tunnel import Tunnel, certificate
from cryptography import x509


def test_a_certificate_is_made_with_its_key_in_one_file(tmp_path):
    text = certificate(tmp_path / "c.pem").read_bytes()
    assert b"PRIVATE KEY" in text
    assert "bench.example" in x509.load_pem_x509_certificate(text).subject.rfc4514_string()
    assert [path.name for path in tmp_path.iterdir()] == ["c.pem"]


def test_only_the_side_that_answers_has_a_certificate(tmp_path):
    Tunnel(tmp_path, 1, 2, client=True, certificate=tmp_path / "c")
    Tunnel(tmp_path, 3, 4, client=False, certificate=tmp_path / "c")
    client, server = (tmp_path / f"stunnel-{port}.conf" for port in (1, 3))
    assert "cert" not in client.read_text()
    assert f"cert = {tmp_path}/c" in server.read_text()
    assert "accept = 127.0.0.1:3\nconnect = 127.0.0.1:4" in server.read_text()
