import hmac

import pytest

from postroad.auth import passwords as module
from postroad.auth.accounts import AuthUnavailable
from postroad.auth.passwords import StoredPasswords
from postroad.auth.schemes import derive_scram, make, read, scram_keys
from postroad.auth.verifier import Verifier, Workshop
from postroad.base.clock import TestClock

SCRAM = make("SCRAM-SHA-256", "pässword".encode())
USERS = {
    "plain": "{PLAIN}p\u00adw\u00aa",
    "scram": SCRAM,
    "broken": "{SCRAM-SHA-256}1,2,3",
    "hash": "{SHA}xBL/HSb4zaVqdFx11AR0v/6/SdY=",
    "cram": make("CRAM-MD5", b"secret"),
    "bad": "{CRAM-MD5}00",
    "shut": "{LOCKED}{PLAIN}x",
}


class FakeAccounts:
    name = "fake"

    def __init__(self, like="scram"):
        self.like = like

    async def find(self, username, address):
        assert address == "192.0.2.1"
        value = USERS.get(username)
        return None if value is None else read(value)

    def sample(self):
        return read(USERS[self.like]) if self.like else None

    def load(self):
        pass


@pytest.fixture
def make_passwords():
    workshop = Workshop(1, 5)

    def made(like="scram"):
        return StoredPasswords(FakeAccounts(like), Verifier(workshop, TestClock(), 60), workshop)

    yield made
    workshop.close()


@pytest.mark.parametrize(
    ("username", "password", "right"),
    [
        ("scram", "pässword", True),
        ("scram", "pa\u0308ssword", True),  # as another keyboard writes it
        ("scram", "password", False),
        ("plain", "p\u00adw\u00aa", True),
        ("plain", "pwa", False),
        ("hash", "Geheim§1", True),
        ("cram", "secret", True),
        ("shut", "x", False),
        ("nobody", "x", False),
    ],
)
async def test_passwords(make_passwords, username, password, right):
    assert await make_passwords().check(username, password, "192.0.2.1") is right


async def test_scram_keys(make_passwords):
    passwords = make_passwords()
    assert await passwords.scram("scram", "SCRAM-SHA-256", "192.0.2.1") == scram_keys(read(SCRAM))
    made = await passwords.scram("plain", "SCRAM-SHA-1", "192.0.2.1")
    assert made == derive_scram("SCRAM-SHA-1", b"pwa", made.salt, 4096)
    with pytest.raises(AuthUnavailable, match="broken"):
        await passwords.scram("broken", "SCRAM-SHA-256", "192.0.2.1")


@pytest.mark.parametrize("username", ["nobody", "hash", "shut", "scram"])
@pytest.mark.parametrize("like", ["scram", "plain", ""])
async def test_who_has_no_keys_looks_like_who_has(make_passwords, username, like):
    scheme = "SCRAM-SHA-1" if username == "scram" else "SCRAM-SHA-256"
    first = await make_passwords(like).scram(username, scheme, "192.0.2.1")
    again = await make_passwords(like).scram(username, scheme, "192.0.2.1")
    assert (first.salt, first.iterations) == (again.salt, again.iterations)
    assert (len(first.salt), first.iterations) == (16, 4096)
    assert first.stored_key != again.stored_key  # nothing that anybody could prove
    assert (await make_passwords(like).scram("other", scheme, "192.0.2.1")).salt != first.salt


async def test_a_salt_has_the_length_of_the_others(make_passwords, monkeypatch):
    keys = "{SCRAM-SHA-256}8192," + "QUJD" * 4 + SCRAM[SCRAM.index(",", 23) :]
    monkeypatch.setitem(USERS, "scram", keys)
    found = await make_passwords().scram("nobody", "SCRAM-SHA-256", "192.0.2.1")
    assert (len(found.salt), found.iterations) == (12, 8192)


async def test_cram_digests(make_passwords):
    passwords = make_passwords()
    for username, password in (("cram", b"secret"), ("plain", USERS["plain"][7:].encode())):
        digester = await passwords.cram(username, "192.0.2.1")
        assert digester(b"<1@x>") == hmac.new(password, b"<1@x>", "md5").hexdigest()
    for username in ("nobody", "shut", "hash"):
        one, two = [await passwords.cram(username, "192.0.2.1") for _ in range(2)]
        assert one(b"x") != two(b"x")
        assert one(b"x") != hmac.new(b"x", b"x", "md5").hexdigest()
    with pytest.raises(AuthUnavailable, match="bad"):
        await passwords.cram("bad", "192.0.2.1")


def test_the_machine_has_one_key(monkeypatch):
    module._machine_key.cache_clear()
    key = module._machine_key()
    assert module._machine_key() == key
    module._machine_key.cache_clear()
    monkeypatch.setattr(module.Path, "read_bytes", lambda self: (_ for _ in ()).throw(OSError()))
    assert module._machine_key() != key
    module._machine_key.cache_clear()
