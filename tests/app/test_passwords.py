"""Tables of passwords that only root may read reach the workers as keys do."""

from __future__ import annotations

from app.texts import config_of
from postroad.app.certificates import Collector
from postroad.app.keyring import Keyring
from postroad.tables.context import TableContext
from postroad.tables.registry import open_table

LOGIN = "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = {}\n"


def given(main, directory="/nowhere"):
    certificates = Collector(config_of(main, directory=str(directory))).collect().certificates
    return Keyring(type(certificates).unpack(certificates.pack()))


def test_the_tables_of_clients_that_log_in_are_handed_on(tmp_path):
    (tmp_path / "passwords").write_text("mx.example bob:secret\n")
    for spec in (f"hash:{tmp_path}/passwords", "texthash:passwords", f"proxy:hash:{tmp_path}/passwords"):
        keyring = given(LOGIN.format(spec), tmp_path)
        assert keyring.file(str(tmp_path / "passwords")) == b"mx.example bob:secret\n"
    assert (
        given(LOGIN.format("hash:passwords").replace("yes", "no"), tmp_path).file(str(tmp_path / "passwords"))
        is None
    )


def test_a_table_without_a_file_or_with_none_is_no_problem(tmp_path):
    keyring = given(LOGIN.format(f"static:a:b, hash:{tmp_path}/none"))
    assert keyring.file(f"{tmp_path}/none") is None


async def test_a_worker_looks_into_what_it_may_not_read(tmp_path, monkeypatch):
    path = tmp_path / "passwords"
    path.write_text("mx.example bob:secret\n")
    keyring = given(LOGIN.format(f"hash:{path}"))

    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(type(path), "read_bytes", refuse)
    table = open_table(f"hash:{path}", TableContext(private=keyring.file))
    assert await table.lookup("mx.example") == "bob:secret"
