"""What is asked of a connection: policies, TLSA records and logins together."""

import pytest

from delivery.smtp.conftest import secure, settings
from delivery.smtp.tlsserver import make
from postroad.base.clock import TestClock
from postroad.base.errors import LookupUnavailable
from postroad.base.log import ListSink, Log
from postroad.delivery.smtp.security import Bond
from postroad.model.outcome import Outcome
from postroad.net.dane import Dane, DaneState, Tlsa
from postroad.net.mailhosts import Host
from postroad.proto.client_values import Peer, Terms

RECORD = Tlsa(3, 1, 1, b"x" * 32)
CA = make("CA", authority=True)
HOST = Host("mx.example", "192.0.2.1", 25, secure_mx=True)
NEXTHOP = "dest.example"


class Records:
    def __init__(self, answer):
        self.answer = answer
        self.forced = None

    async def find(self, host, *, force=False):
        self.forced = force
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Case:
    """Settings, and what they ask; ``lines`` has the log."""

    def __init__(self, dane=None, program="smtp", files=None, **texts):
        self.sink = ListSink()
        self.security = secure(
            settings(**texts), program, Log(self.sink), TestClock(), files=files or {}, dane=dane
        )

    async def agree(self, nexthop=NEXTHOP, host=HOST, sender="a@x"):
        name, address, port = (
            (host.name, host.address, host.port) if host else ("mx.example.test", nexthop, 0)
        )
        return await self.security.agree(Peer(name, address, port, nexthop=nexthop), host, sender)

    @property
    def lines(self):
        return self.sink.lines


def failure(outcome):
    assert isinstance(outcome, Outcome)
    return outcome.status, outcome.text


async def test_nothing_is_asked_by_default():
    case = Case()
    assert case.security.never
    assert (await case.agree()).terms == Terms()


@pytest.mark.parametrize(
    ("level", "terms"),
    [
        ("may", Terms(tls=True)),
        ("encrypt", Terms(tls=True, required=True)),
        ("verify", Terms(tls=True, required=True)),
    ],
)
async def test_the_level_says_what_the_conversation_has_to_do(level, terms):
    bond = await Case(smtp_tls_security_level=level).agree()
    assert bond.terms == terms
    assert bond.may_be_plain == (level == "may")


async def test_a_problem_with_the_policy_defers():
    case = Case(smtp_tls_policy_maps="static:nonsense")
    assert failure(await case.agree("[mx.example]:25")) == ("4.7.5", "client TLS configuration problem")
    assert case.lines == [
        'smtp: warning: smtp_tls_policy_maps, next-hop destination "[mx.example]:25": invalid security level "nonsense"',
        "smtp: warning: TLS policy lookup for [mx.example]:25/mx.example: client TLS configuration problem",
    ]


# --- names, ciphers


@pytest.mark.parametrize(
    ("texts", "nexthop", "names"),
    [
        ({"smtp_tls_security_level": "verify"}, "dest.example", ("mx.example",)),
        ({"smtp_tls_security_level": "secure"}, "[dest.example]:587", ("dest.example", ".dest.example")),
        (
            {"smtp_tls_policy_maps": "static:{secure match=nexthop:.a.example:b.example}"},
            "dest.example",
            ("dest.example", ".a.example", "b.example"),
        ),
    ],
)
async def test_strategies_become_names(texts, nexthop, names):
    demand = (await Case(**texts).agree(nexthop)).demand
    assert (demand.level, demand.names) == ("verify", names)


@pytest.mark.parametrize(
    ("level", "protocols", "ciphers", "exclude", "anonymous"),
    [
        ("may", ">=TLSv1", "low", ("A",), True),
        ("encrypt", ">=TLSv1.2", "high", ("A", "B"), True),
        ("verify", ">=TLSv1.2", "high", ("A", "B"), False),
    ],
)
async def test_what_is_offered_depends_on_the_level(level, protocols, ciphers, exclude, anonymous):
    texts = {
        "smtp_tls_ciphers": "low",
        "smtp_tls_mandatory_ciphers": "high",
        "smtp_tls_mandatory_protocols": ">=TLSv1.2",
        "smtp_tls_exclude_ciphers": "A",
        "smtp_tls_mandatory_exclude_ciphers": "B",
    }
    offer = (await Case(smtp_tls_security_level=level, **texts).agree()).offer
    assert (offer.protocols, offer.ciphers, offer.exclude, offer.anonymous) == (
        protocols,
        ciphers,
        exclude,
        anonymous,
    )
    table = f"static:{{{level} protocols=TLSv1.3 ciphers=export exclude=C}}"
    offer = (await Case(smtp_tls_policy_maps=table, **texts).agree()).offer
    assert (offer.protocols, offer.ciphers) == ("TLSv1.3", "export")
    assert offer.exclude == (("C",) if level == "may" else ("A", "C"))


@pytest.mark.parametrize(
    ("servername", "host", "expected"),
    [
        ("hostname", HOST, "mx.example"),
        ("nexthop", HOST, "dest.example"),
        ("sni.example", HOST, "sni.example"),
        ("hostname", Host("192.0.2.1", "192.0.2.1", 25), ""),  # RFC 6066 3: no addresses
        ("", HOST, ""),
    ],
)
async def test_a_server_is_asked_for_a_name(servername, host, expected):
    bond = await Case(smtp_tls_security_level="may", smtp_tls_servername=servername).agree(host=host)
    assert bond.offer.server_name == expected


async def test_sessions_go_on_with_the_same_host_and_offer_only():
    case = Case(smtp_tls_policy_maps="inline:{ {a.example = may}, {b.example = may}, {c.example = verify} }")
    other = HOST._replace(address="192.0.2.2")
    keys = [(await case.agree(f"{name}.example")).key for name in "abc"]
    assert keys[0] == keys[1] != keys[2]
    assert keys[0] != (await case.agree("a.example", other)).key


async def test_trust_is_only_looked_for_where_somebody_notices():
    files = {"/ca.pem": CA.pem}
    for level, loglevel, looked in [("encrypt", "0", False), ("encrypt", "1", True), ("verify", "0", True)]:
        texts = {
            "smtp_tls_security_level": level,
            "smtp_tls_loglevel": loglevel,
            "smtp_tls_CAfile": "/ca.pem",
        }
        assert ((await Case(files=files, **texts).agree()).authorities is not None) == looked


async def test_anchors_that_cannot_be_read_defer():
    case = Case(smtp_tls_policy_maps="static:{secure tafile=/nonexistent}")
    assert failure(await case.agree()) == ("4.7.5", "client TLS configuration problem")
    assert "error opening trust anchor file: /nonexistent: No such file or directory" in case.lines[0]


# --- sockets in the file system


@pytest.mark.parametrize(
    ("level", "expected"), [("none", "none"), ("may", "none"), ("encrypt", "encrypt"), ("verify", "verify")]
)
async def test_a_socket_in_the_file_system_has_tls_only_if_it_is_required(level, expected):
    case = Case(program="lmtp", lmtp_tls_security_level=level)
    bond = await case.agree("private/x", None)
    assert bond.policy.level == expected
    assert len(case.lines) == (level == "may")
    if level == "verify":
        assert bond.demand.names == ("mx.example.test",)


async def test_there_is_no_dane_for_a_socket_in_the_file_system():
    case = Case(program="lmtp", lmtp_tls_security_level="dane")
    assert failure(await case.agree("private/x", None)) == ("4.7.5", "client TLS configuration problem")


# --- DANE

DANE = {"smtp_dns_support_level": "dnssec", "smtp_tls_security_level": "dane"}
ONLY = DANE | {"smtp_tls_security_level": "dane-only"}
USABLE = Dane(DaneState.USABLE, (RECORD,), "mx.example", authenticated=True)
INSECURE_MX = Dane(DaneState.USABLE, (RECORD,), "mx.example", authenticated=False)


@pytest.mark.parametrize(
    ("answer", "texts", "level"),
    [
        (USABLE, DANE, "dane"),
        (USABLE, ONLY, "dane"),
        (Dane(DaneState.UNUSABLE, (), "mx.example", authenticated=True), DANE, "encrypt"),
        (Dane(DaneState.NONE), DANE, "may"),
        (Dane(DaneState.INSECURE), DANE, "may"),
        (INSECURE_MX, DANE, "dane"),
        (INSECURE_MX, DANE | {"smtp_tls_dane_insecure_mx_policy": "encrypt"}, "encrypt"),
        (INSECURE_MX, DANE | {"smtp_tls_dane_insecure_mx_policy": "may"}, "may"),
        (
            Dane(DaneState.UNUSABLE, (), "mx.example", authenticated=False),
            DANE | {"smtp_tls_dane_insecure_mx_policy": "may"},
            "may",
        ),
    ],
)
async def test_records_make_the_level(answer, texts, level):
    bond = await Case(dane=Records(answer), **texts).agree()
    assert bond.policy.level == level
    assert bond.terms.required == (level != "may")
    assert bond.demand.level == ("dane" if level == "dane" else "")
    assert bond.demand.records == ((RECORD,) if level == "dane" else ())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Dane(DaneState.NONE), "no TLSA records found"),
        (Dane(DaneState.INSECURE), "no TLSA records found"),
        (Dane(DaneState.UNUSABLE, authenticated=True), "TLSA records unusable"),
    ],
)
async def test_dane_only_has_nothing_to_fall_back_to(answer, text):
    assert failure(await Case(dane=Records(answer), **ONLY).agree()) == ("4.7.5", text)


async def test_dane_only_asks_for_no_records_behind_mx_records_that_are_not_validated():
    records = Records(USABLE)
    outcome = await Case(dane=records, **ONLY).agree(host=HOST._replace(secure_mx=False))
    assert failure(outcome) == ("4.7.5", "non DNSSEC destination")
    assert records.forced is None


@pytest.mark.parametrize("texts", [DANE, ONLY])
async def test_who_keeps_answers_away_does_not_switch_tls_off(texts):
    records = Records(LookupUnavailable("TLSA lookup error for mx.example:25"))
    outcome = await Case(dane=records, **texts).agree()
    assert failure(outcome) == ("4.7.5", "TLSA lookup error for mx.example:25")


async def test_names_of_an_authority_of_the_zones_are_host_and_next_hop():
    bond = await Case(dane=Records(USABLE), **DANE).agree()
    assert set(bond.demand.names) == {"mx.example", "dest.example"}
    assert bond.demand.secure
    assert bond.offer.server_name == "mx.example"
    assert not bond.offer.anonymous
    bond = await Case(dane=Records(INSECURE_MX), **DANE).agree()
    assert set(bond.demand.names) == {"mx.example"}
    assert not bond.demand.secure


async def test_without_dnssec_there_is_no_dane():
    case = Case(dane=Records(USABLE), smtp_tls_security_level="dane")
    assert (await case.agree()).policy.level == "may"
    assert case.lines == ["smtp: warning: dest.example: dane configured with dnssec lookups disabled"]
    case = Case(dane=Records(USABLE), smtp_tls_security_level="dane-only")
    assert failure(await case.agree()) == ("4.7.5", "client TLS configuration problem")


@pytest.mark.parametrize("force", ["yes", "no"])
async def test_records_of_insecure_hosts_are_looked_for_if_that_is_wanted(force):
    records = Records(USABLE)
    await Case(dane=records, smtp_tls_force_insecure_host_tlsa_lookup=force, **DANE).agree()
    assert records.forced == (force == "yes")


# --- wrapper mode, the engine


async def test_wrapper_mode_needs_a_level_and_an_engine():
    case = Case(smtp_tls_wrappermode="yes", smtp_tls_security_level="may")
    assert not case.security.never
    assert failure(await case.agree()) == ("4.3.0", "server unavailable or unable to receive mail")
    case = Case(smtp_tls_wrappermode="yes", smtp_tls_security_level="encrypt", smtp_tls_cert_file="/missing")
    assert failure(await case.agree()) == ("4.7.5", "TLS is required, but our TLS engine is unavailable")
    assert case.lines == ["smtp: warning: /missing: cannot be read: disabling TLS support"]
    assert (await Case(smtp_tls_wrappermode="yes", smtp_tls_security_level="encrypt").agree()).terms.wrapper


async def test_without_an_engine_the_terms_say_so():
    bond = await Case(smtp_tls_security_level="may", smtp_tls_cert_file="/missing").agree()
    assert bond.terms == Terms(tls=True, engine=False)


# --- logins

LOGIN = {"smtp_sasl_auth_enable": "yes", "smtp_sasl_password_maps": "inline:{mx.example=user:secret}"}


async def test_a_login_is_asked_for_where_there_is_a_password():
    case = Case(**LOGIN)
    bond = await case.agree()
    assert bond.terms == Terms(login=True)
    assert bond.credentials.username == "user"
    assert "secret" not in repr(bond)
    assert (await case.agree(host=HOST._replace(name="other.example"))).terms == Terms()


async def test_who_logs_in_does_not_fall_back_to_plain_text():
    bond = await Case(smtp_tls_security_level="may", **LOGIN).agree()
    assert isinstance(bond, Bond)
    assert not bond.may_be_plain


async def test_passwords_that_cannot_be_looked_up_defer():
    case = Case(**LOGIN | {"smtp_sasl_password_maps": "fail:x"})
    assert failure(await case.agree()) == ("4.3.0", "SASL password lookup error")
    assert len(case.lines) == 1
