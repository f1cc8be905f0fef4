"""The names that hooks of operators are written with."""

import postroad.hooks
from postroad.model import hooks, tls


def test_the_public_names_are_these():
    assert sorted(postroad.hooks.__all__) == [
        "Accept", "ClientFacts", "Continue", "Defer", "Facts", "Hook", "HookVerdict", "LoginFacts",
        "PeerCertificate", "Permit", "Reject", "Stage", "TlsFacts",
    ]  # fmt: skip


def test_they_are_what_the_server_looks_for():
    assert postroad.hooks.Accept is hooks.Permit
    assert postroad.hooks.TlsFacts is tls.TlsFacts
    for name in postroad.hooks.__all__:
        assert getattr(postroad.hooks, name) is getattr(hooks, name, None) or hasattr(tls, name), name
