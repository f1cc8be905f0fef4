import importlib
import types

import pytest

from postroad.auth import pam as module
from postroad.auth.accounts import AuthUnavailable
from postroad.auth.pam import PamPasswords
from postroad.auth.verifier import Workshop


@pytest.fixture
def passwords():
    workshop = Workshop(1, 5)
    yield PamPasswords("smtp", workshop)
    workshop.close()


@pytest.mark.parametrize(
    ("told", "right"),
    [
        ((True, 0, "Success"), True),
        ((False, 7, "Authentication failure"), False),
        ((False, 10, "User not known"), False),
        ((False, 13, "User account has expired"), False),
    ],
)
async def test_what_pam_says(passwords, monkeypatch, told, right):
    asked = []
    monkeypatch.setattr(module, "ask", lambda *words: asked.append(words) or told)
    assert await passwords.check("joe", "secret", "192.0.2.1") is right
    assert asked == [("smtp", "joe", "secret")]


@pytest.mark.parametrize("told", [(False, 9, "unavailable"), (False, 4, "System error"), (False, 0, "?")])
async def test_what_pam_cannot_say(passwords, monkeypatch, told):
    monkeypatch.setattr(module, "ask", lambda *_words: told)
    with pytest.raises(AuthUnavailable, match="PAM service smtp"):
        await passwords.check("joe", "secret", "192.0.2.1")


@pytest.mark.parametrize(
    "error", [ImportError("no pam"), OSError("libpam.so: cannot open"), ValueError("NUL")]
)
async def test_a_system_without_pam(passwords, monkeypatch, error):
    def ask(*_words):
        raise error

    monkeypatch.setattr(module, "ask", ask)
    with pytest.raises(AuthUnavailable, match="cannot be used"):
        await passwords.check("joe", "secret", "192.0.2.1")


async def test_pam_tells_no_secrets(passwords):
    assert not passwords.secrets
    with pytest.raises(AuthUnavailable):
        await passwords.scram("joe", "SCRAM-SHA-256", "")
    with pytest.raises(AuthUnavailable):
        await passwords.cram("joe", "")


@pytest.mark.parametrize("service", ["", "../passwd"])
def test_a_service_that_is_none(service):
    with pytest.raises(ValueError, match="PAM service"):
        PamPasswords(service, Workshop(1, 1))


@pytest.mark.parametrize(("code", "said", "right"), [(0, True, True), (7, False, False), (7, True, False)])
def test_a_yes_needs_a_code_of_success(monkeypatch, code, said, right):
    class Pam:
        def __init__(self):
            self.code, self.reason = code, "words"

        def authenticate(self, username, password, **_options):
            return said

    monkeypatch.setattr(module, "import_module", lambda _name: types.SimpleNamespace(PamAuthenticator=Pam))
    assert module.ask("smtp", "joe", "x") == (right, code, "words")


def test_the_systems_own_pam_does_not_know_nobody_special():
    try:
        importlib.import_module("pam")
    except (ImportError, OSError):
        pytest.skip("no libpam")
    right, code, words = module.ask("other", "no-such-user-here", "x")
    assert not right
    assert code != 0
    assert words
