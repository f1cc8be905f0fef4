import pytest

from filters.conftest import KEY, a_session, settings
from postroad.base.errors import TableUnavailable
from postroad.filters.macros import Macros, Moment
from postroad.model.reply import Reply
from postroad.model.route import AddressClass, Route
from postroad.model.tls import PeerCertificate, TlsFacts
from postroad.proto.milter import codec

NO_SYMBOLS: dict[bytes, tuple[str, ...]] = {}


def values(*names, session=None, recipient=None, refusal=None, **texts):
    macros = Macros(settings(**texts))
    return macros.values(Moment(session or a_session(), recipient, refusal), names)


class Router:
    def __init__(self):
        self.asked = []

    def remembered(self, address):
        return ("local", "") if address == "u@example.org" else None

    async def route(self, address, sender=""):
        self.asked.append((address, sender))
        if address.startswith("down"):
            raise TableUnavailable("x")
        return Route("smtp", "[relay.test]:25", address, AddressClass.DEFAULT)


def test_the_names_of_stages():
    macros = Macros(settings(milter_unknown_command_macros="j v"))
    assert macros.names(codec.CONNECT, NO_SYMBOLS) == ("j", "{daemon_name}", "{daemon_addr}", "v", "_")
    assert macros.names(codec.HEADER, NO_SYMBOLS) == ("i",)
    assert macros.names(codec.BODY, {codec.END: ("x",)}) == ("x",)
    assert macros.names(codec.HEADER, {codec.END_OF_HEADER: ()}) == ()
    assert macros.names(codec.UNKNOWN, NO_SYMBOLS) == ("j", "v")


def test_a_connection():
    found = values(
        "j", "{daemon_name}", "{daemon_addr}", "{daemon_port}", "v", "_", "{client_addr}", "{client_name}",
        "{client_port}", "{client_ptr}", "{client_resolve}", "i", "nonsense",
        milter_macro_daemon_name="ORIGINATING", milter_macro_v="Us 1",
    )  # fmt: skip
    assert found == {
        "j": "mx.example.org",
        "{daemon_name}": "ORIGINATING",
        "{daemon_addr}": "192.0.2.25",
        "{daemon_port}": "25",
        "v": "Us 1",
        "_": "c.example [192.0.2.7]",
        "{client_addr}": "192.0.2.7",
        "{client_name}": "c.example",
        "{client_port}": "4321",
        "{client_ptr}": "c.example",
        "{client_resolve}": "OK",
    }
    assert values("v") == {"v": "Postfix 3.9.0"}
    assert values("{client_connections}") == {"{client_connections}": "0"}
    session = a_session()
    session.memory["client_connections"] = 3
    assert values("{client_connections}", session=session) == {"{client_connections}": "3"}


@pytest.mark.parametrize(
    ("code", "reverse", "resolved"), [(2, 2, "OK"), (4, 2, "TEMP"), (5, 2, "FORGED"), (5, 5, "FAIL"), (4, 4, "TEMP")]
)  # fmt: skip
def test_how_a_name_was_found(code, reverse, resolved):
    session = a_session(name_code=code, reverse_name_code=reverse)
    assert values("{client_resolve}", session=session) == {"{client_resolve}": resolved}


def test_clients_without_a_good_name():
    forged = a_session(name="unknown", name_code=5, address="2001:db8::1")
    assert values("_", "{client_addr}", "{client_name}", session=forged) == {
        "_": "c.example [2001:db8::1] (may be forged)",
        "{client_addr}": "IPv6:2001:db8::1",
        "{client_name}": "unknown",
    }
    local = a_session(name="localhost", address="127.0.0.1", reverse_name="unknown", local_uid=0)
    assert values("_", "{client_ptr}", session=local) == {
        "_": "localhost [127.0.0.1]",
        "{client_ptr}": "localhost",
    }


def test_tls_and_certificates():
    names = ("{tls_version}", "{cipher}", "{cipher_bits}", "{cert_subject}", "{cert_issuer}")
    session = a_session()
    assert values(*names, session=session) == {}
    session.tls_facts = TlsFacts("TLSv1.3", "AES", 256, 256)
    encrypted = {"{tls_version}": "TLSv1.3", "{cipher}": "AES", "{cipher_bits}": "256"}
    assert values(*names, session=session) == encrypted
    for trusted in (False, True):
        peer = PeerCertificate("c.example", "An Authority", "", "", trusted)
        session.tls_facts = TlsFacts("TLSv1.3", "AES", 256, 256, peer=peer)
        shown = {"{cert_subject}": "c.example", "{cert_issuer}": "An Authority"} if trusted else {}
        assert values(*names, session=session) == encrypted | shown


def test_a_transaction():
    session = a_session()
    names = ("i", "{auth_type}", "{auth_authen}", "{auth_author}", "{mail_addr}", "{rcpt_addr}")
    assert values(*names, session=session) == {}
    session.sasl_method, session.sasl_username, session.sasl_sender = "PLAIN", "me", "you"
    session.transaction.sender, session.transaction.queue_key = "a b@example.net", KEY
    assert values(*names, session=session, recipient="u@example.org") == {
        "i": "000030640210263",
        "{auth_type}": "PLAIN",
        "{auth_authen}": "me",
        "{auth_author}": "you",
        "{mail_addr}": '"a b"@example.net',
        "{rcpt_addr}": "u@example.org",
    }
    session.transaction.sender = ""
    assert values("{mail_addr}", session=session) == {"{mail_addr}": ""}


def test_a_refused_recipient():
    names = ("{rcpt_addr}", "{rcpt_host}", "{rcpt_mailer}")
    refusal = Reply(554, "5.7.9", "<bad@x>: Recipient address rejected: no")
    assert values(*names, recipient="bad@x", refusal=refusal) == {
        "{rcpt_addr}": "Recipient address rejected: no",
        "{rcpt_host}": "5.7.9",
        "{rcpt_mailer}": "error",
    }
    refusal = Reply(452, "4.5.3", "Error: too many recipients")
    assert values("{rcpt_addr}", refusal=refusal) == {"{rcpt_addr}": "Error: too many recipients"}


async def test_next_hops_are_looked_up_only_where_they_are_wanted():
    router = Router()
    macros = Macros(settings(), router)
    session = a_session()
    session.transaction.sender = "s@example.net"
    names = ("{mail_host}", "{mail_mailer}", "{rcpt_host}", "{rcpt_mailer}")
    moment = Moment(session, "u@example.org")
    await macros.route(moment, ("i",))
    assert router.asked == []
    await macros.route(moment, names)
    await macros.route(moment, names)
    assert router.asked == [("s@example.net", "s@example.net")]
    assert macros.values(moment, names) == {
        "{mail_host}": "[relay.test]:25",
        "{mail_mailer}": "smtp",
        "{rcpt_host}": "example.org",
        "{rcpt_mailer}": "local",
    }
    down = Moment(session, "down@example.org")
    await macros.route(down, names)
    assert "{rcpt_host}" not in macros.values(down, names)
    unrouted = Moment(session, "u@example.org", routed=False)
    await macros.route(unrouted, names)
    assert macros.values(unrouted, names) == {}


def test_defaults_stand_where_nothing_else_does():
    texts = {"milter_macro_defaults": "{auth_type}=none, { {client_resolve} = a b } j=x v=1"}
    assert values("{auth_type}", "{client_resolve}", "j", **texts) == {
        "{auth_type}": "none",
        "{client_resolve}": "OK",
        "j": "mx.example.org",
    }
    assert values("odd", milter_macro_defaults="{odd = a, b}") == {"odd": "a, b"}
    for bad in ("nothing", "=x", "{ = x}"):
        with pytest.raises(ValueError, match="milter_macro_defaults"):
            values(milter_macro_defaults=bad)
