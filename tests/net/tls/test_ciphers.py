import pytest
from OpenSSL import SSL

from peers.certificates import self_signed
from peers.tlsends import client_context, client_of, options_of, pump, server_of, settings
from postroad.net.tls import ciphers
from postroad.net.tls.context import new_context
from postroad.net.tls.errors import TlsError
from postroad.net.tls.pipe import TlsPipe

TLS1, TLS11, TLS12, TLS13 = range(0x0301, 0x0305)
KEY = self_signed("mx.test")


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", [TLS1, TLS11, TLS12, TLS13]),
        (">=TLSv1", [TLS1, TLS11, TLS12, TLS13]),
        (">=TLSv1.2, <=TLSv1.3", [TLS12, TLS13]),
        (">=tlsv1.2", [TLS12, TLS13]),
        (">=0x0303", [TLS12, TLS13]),
        (">=303:<=0x303", [TLS12]),
        (">=TLSv1.2, <=0305", [TLS12, TLS13]),
        ("!SSLv2, !SSLv3", [TLS1, TLS11, TLS12, TLS13]),
        ("!SSLv2 !SSLv3 !TLSv1 !TLSv1.1", [TLS12, TLS13]),
        ("!TLSv1.3", [TLS1, TLS11, TLS12]),
        ("TLSv1.2 TLSv1.3", [TLS12, TLS13]),
        ("TLSv1.2:!TLSv1.3", [TLS12]),
    ],
)
def test_protocols_as_main_cf_writes_them(text, allowed):
    found = ciphers.protocols(text)
    assert [version for version in (TLS1, TLS11, TLS12, TLS13) if found.allows(version)] == allowed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TLSv1.4", "unknown TLS protocol"),
        ("!0x0301", "unknown TLS protocol"),
        (">= TLSv1.2", "unknown TLS protocol"),
        (">=TLSv1.9", "unknown TLS protocol"),
        ("SSLv2", "no TLS protocol is left"),
        (">=TLSv1.3, !TLSv1.3", "no TLS protocol is left"),
        (">=0305", "no TLS protocol is left"),
    ],
)
def test_protocols_that_cannot_be_are_named(text, words):
    with pytest.raises(ValueError, match=words):
        ciphers.protocols(text)


def test_every_grade_can_be_used_with_any_exclusion():
    for grade in ("high", "medium", "low", "export", "null", "MEDIUM"):
        context = new_context()
        text = ciphers.cipher_list(settings(), grade, ["aNULL", "DES+MD5", "NO-SUCH-CIPHER"])
        ciphers.restrict(context, settings(), ciphers.protocols(">=TLSv1"), text)


def test_what_a_grade_has_and_what_is_excluded():
    def names(grade, *exclude):
        context = new_context()
        text = ciphers.cipher_list(settings(), grade, exclude)
        ciphers.restrict(context, settings(), ciphers.Protocols(), text)
        return SSL.Connection(context, None).get_cipher_list()

    assert "ECDHE-RSA-AES256-GCM-SHA384" in names("high")
    assert "ADH-AES256-GCM-SHA384" in names("medium")
    assert "ADH-AES256-GCM-SHA384" not in names("medium", "aNULL")
    assert "AES256-SHA" not in names("high", "AES256-SHA")
    assert "NULL-SHA256" in names("null")
    assert "NULL-SHA256" not in names("export")


@pytest.mark.parametrize("item", ["!aNULL", "a:b", "+RC4", "@STRENGTH", "a,b"])
def test_an_exclusion_that_is_a_command_is_refused(item):
    with pytest.raises(ValueError, match="cipher exclusion"):
        ciphers.cipher_list(settings(), "medium", [item])


def test_unknown_grades_and_lists_without_a_cipher_are_named():
    with pytest.raises(ValueError, match='invalid TLS cipher grade: "strong"'):
        ciphers.cipher_list(settings(), "strong")
    mine = settings(tls_high_cipherlist="NOTHING")
    with pytest.raises(ValueError, match="no cipher of OpenSSL"):
        ciphers.restrict(new_context(), mine, ciphers.Protocols(), ciphers.cipher_list(mine, "high"))


def test_a_list_that_names_its_security_level_keeps_it():
    mine = settings(tls_high_cipherlist="HIGH:@SECLEVEL=3")
    assert ciphers.cipher_list(mine, "high") == "HIGH:@SECLEVEL=3:!SEED:!IDEA"
    assert ciphers.cipher_list(settings(), "high").endswith(":@SECLEVEL=0")


def test_options_and_workarounds_by_name_and_by_number():
    assert ciphers.option_bits(("no_ticket", "PRIORITIZE_CHACHA")) == SSL.OP_NO_TICKET | 1 << 21
    assert ciphers.option_bits(("0x4000",)) == SSL.OP_NO_TICKET
    assert ciphers.workaround_bits(()) & SSL.OP_DONT_INSERT_EMPTY_FRAGMENTS
    assert not ciphers.workaround_bits(("DONT_INSERT_EMPTY_FRAGMENTS",)) & SSL.OP_DONT_INSERT_EMPTY_FRAGMENTS
    assert ciphers.workaround_bits(("0xFFFFFFFF",)) == 0
    assert ciphers.workaround_bits(("CVE-2010-4180",)) == ciphers.workaround_bits(())
    for wrong in ("NO_SUCH", "0xZZ"):
        with pytest.raises(ValueError):
            ciphers.option_bits((wrong,))
        with pytest.raises(ValueError):
            ciphers.workaround_bits((wrong,))


def test_options_are_obeyed():
    assert options_of(context_with()) & SSL.OP_NO_COMPRESSION
    assert not options_of(context_with()) & SSL.OP_NO_TICKET
    assert options_of(context_with(tls_ssl_options="NO_TICKET")) & SSL.OP_NO_TICKET
    assert not options_of(context_with()) & SSL.OP_CIPHER_SERVER_PREFERENCE
    assert options_of(context_with(tls_preempt_cipherlist="yes")) & SSL.OP_CIPHER_SERVER_PREFERENCE
    assert options_of(context_with()) & SSL.OP_DONT_INSERT_EMPTY_FRAGMENTS
    plain = context_with(tls_disable_workarounds="DONT_INSERT_EMPTY_FRAGMENTS")
    assert not options_of(plain) & SSL.OP_DONT_INSERT_EMPTY_FRAGMENTS


def context_with(**texts):
    context, mine = new_context(), settings(**texts)
    ciphers.restrict(context, mine, ciphers.Protocols(), ciphers.cipher_list(mine, "medium"))
    return context


def test_unknown_groups_are_left_out_and_all_unknown_is_a_mistake():
    context = client_context()
    ciphers.set_groups(context, ["no-such-group", "secp384r1"])
    client, accepted = client_of(context), server_of(KEY).accept()
    pump(client, accepted)
    assert accepted.facts().key_exchange == "ECDHE (secp384r1)"
    with pytest.raises(ValueError, match='no group of OpenSSL is among "a b"'):
        ciphers.set_groups(new_context(), ["a", "b"])
    ciphers.set_groups(new_context(), [])


def test_the_usual_groups_are_those_of_the_parameter():
    context = client_context()
    ciphers.set_usual_groups(context, settings(tls_eecdh_auto_curves="prime256v1"))
    pipe = TlsPipe(SSL.Connection(context, None), server=False)
    pipe.start()
    accepted = server_of(KEY).accept()
    pump(pipe, accepted)
    assert accepted.facts().key_exchange == "ECDHE (prime256v1)"


def test_protocols_are_obeyed():
    client, accepted = client_of(old=True), server_of(KEY, smtpd_tls_protocols=">=TLSv1.3").accept()
    with pytest.raises(TlsError, match="unsupported protocol"):
        pump(client, accepted)
    client, accepted = client_of(), server_of(KEY, smtpd_tls_protocols="!TLSv1.3").accept()
    pump(client, accepted)
    assert accepted.facts().protocol == "TLSv1.2"


def test_seed_and_idea_are_used_only_where_the_list_names_them():
    assert ciphers.cipher_list(settings(), "medium").endswith(":!SEED:!IDEA:@SECLEVEL=0")
    named = settings(tls_medium_cipherlist="HIGH:SEED")
    assert ciphers.cipher_list(named, "medium") == "HIGH:SEED:!IDEA:@SECLEVEL=0"
