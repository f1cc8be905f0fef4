"""What smtp_tls_security_level and the tables make of a next hop."""

import pytest

from delivery.smtp.conftest import settings
from postroad.delivery.smtp.tls_policy import PolicyProblem, TlsPolicies, parents
from postroad.tables.context import TableContext


def policies(warnings=None, program="smtp", **texts):
    made = settings(**{f"{program}_{name}": value for name, value in texts.items()})
    warn = ([] if warnings is None else warnings).append
    return TlsPolicies(made, program, TableContext(texts=made.texts), warn)


def table(**rows):
    return "inline:{ " + ", ".join(f"{{{key} = {value}}}" for key, value in rows.items()) + " }"


async def level(nexthop="dest.example", host="mx.example", **texts):
    return (await policies(**texts).find(nexthop, host)).level


@pytest.mark.parametrize("program", ["smtp", "lmtp"])
@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({}, "none"),
        ({"tls_security_level": "encrypt"}, "encrypt"),
        ({"use_tls": "yes"}, "may"),
        ({"enforce_tls": "yes"}, "verify"),
        ({"enforce_tls": "yes", "tls_enforce_peername": "no"}, "encrypt"),
        ({"enforce_tls": "yes", "tls_security_level": "may"}, "may"),
        ({"use_tls": "yes", "tls_security_level": "none"}, "none"),
    ],
)
async def test_the_level_of_main_cf(program, texts, expected):
    assert await level(program=program, **texts) == expected


@pytest.mark.parametrize(
    ("nexthop", "expected"),
    [
        ("dest.example", "verify"),
        ("DEST.example", "verify"),
        ("a.dest.example", "secure"),
        ("b.a.dest.example", "secure"),
        ("[dest.example]", "may"),
        ("[dest.example]:587", "encrypt"),
        ("dest.example:587", "dane"),
        ("a.dest.example:587", "none"),
        ("[a.dest.example]", "none"),
        ("notdest.example", "none"),
        ("/var/run/lmtp", "fingerprint"),
    ],
)
async def test_a_policy_is_found_by_the_next_hop_and_domains_above_it(nexthop, expected):
    rows = {
        "dest.example": "verify",
        ".dest.example": "secure",
        "[dest.example]": "may",
        "[dest.example]:587": "encrypt",
        "dest.example:587": "dane",
        "/var/run/lmtp": "fingerprint match=11:22",
    }
    assert await level(nexthop, tls_policy_maps=table(**rows)) == expected


def test_domains_above_a_domain():
    assert parents("a.b.c") == [".b.c", ".c"]
    assert parents("c") == []


async def read(value, warnings=None, **texts):
    return await policies(warnings, tls_policy_maps=table(**{"dest.example": value}), **texts).find(
        "dest.example", "h"
    )


async def test_attributes_override_main_cf():
    policy = await read(
        "secure match=a.example:.b.example match=nexthop protocols=TLSv1.2:TLSv1.3, ciphers=high"
        " exclude=aNULL:MD5 servername=sni.example tafile=/a.pem tafile=/b.pem connection_reuse=yes"
    )
    assert policy.match == ("a.example", ".b.example", "nexthop")
    assert (policy.protocols, policy.ciphers, policy.exclude) == ("TLSv1.2:TLSv1.3", "high", ("aNULL", "MD5"))
    assert (policy.servername, policy.anchors, policy.reuse) == ("sni.example", ("/a.pem", "/b.pem"), True)


async def test_no_protocols_mean_all_of_them():
    policy = await read("encrypt protocols= exclude=")
    assert (policy.protocols, policy.exclude) == ("", ("",))


async def test_what_the_table_does_not_say_is_main_cfs():
    texts = {
        "tls_servername": "hostname",
        "tls_connection_reuse": "yes",
        "tls_trust_anchor_file": "/ta.pem",
        "tls_secure_cert_match": "nexthop, .nexthop.example:hostname",
    }
    policy = await read("secure", **texts)
    assert policy.match == ("nexthop", ".nexthop.example", "hostname")
    assert (policy.servername, policy.reuse, policy.anchors) == ("hostname", True, ("/ta.pem",))
    assert (await read("verify", **texts)).match == ("hostname",)
    assert (await read("encrypt", **texts)).anchors == ()


async def test_fingerprints_may_be_several_and_have_colons_or_not():
    policy = await read("fingerprint match=AA:bb|ccDD match=EE:FF")
    assert policy.match == ("aabb", "ccdd", "eeff")
    policy = await policies(tls_security_level="fingerprint", tls_fingerprint_cert_match="AA:BB, cc").find(
        "d", "h"
    )
    assert policy.match == ("aabb", "cc")


WHERE = 'smtp_tls_policy_maps, next-hop destination "dest.example": '


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("nonsense", WHERE + 'invalid security level "nonsense"'),
        (",", WHERE + "invalid empty policy"),
        ("secure match=a bogus=1", WHERE + 'invalid attribute name: "bogus"'),
        (
            "secure match",
            WHERE + "malformed attribute/value pair \"match\": missing '=' after attribute name",
        ),
        ("secure match=", WHERE + 'attribute "match" has empty value'),
        ("may match=x", WHERE + 'attribute "match" invalid at security level "may"'),
        ("dane match=x", WHERE + 'attribute "match" invalid at security level "dane"'),
        (
            "fingerprint match=11 tafile=/x",
            WHERE + 'attribute "tafile" invalid at security level "fingerprint"',
        ),
        ("encrypt ciphers=high ciphers=low", WHERE + 'attribute "ciphers" is specified multiple times'),
        ("encrypt connection_reuse=maybe", WHERE + 'attribute "connection_reuse" has bad value: "maybe"'),
        (
            "encrypt servername=bad_name..x",
            '"smtp_tls_servername = bad_name..x" specifies an invalid hostname',
        ),
        (
            "fingerprint",
            "nexthop domain dest.example: configured at fingerprint security level, but with no fingerprints to match.",
        ),
    ],
)
async def test_a_malformed_policy_is_none(value, words):
    with pytest.raises(PolicyProblem) as caught:
        await read(value)
    assert str(caught.value) == words


async def test_attributes_without_tls_are_ignored_and_told():
    warnings = []
    assert (await read("none ciphers=high", warnings)).level == "none"
    assert warnings == [WHERE + 'ignoring attribute "ciphers=high" with TLS disabled']


async def test_a_table_that_cannot_be_asked_says_nothing_about_a_policy():
    warnings = []
    with pytest.raises(PolicyProblem, match="policy table lookup error"):
        await policies(warnings, tls_policy_maps="fail:x", tls_security_level="may").find("dest.example", "h")
    assert warnings


async def test_a_name_that_is_none_is_told():
    with pytest.raises(PolicyProblem, match="specifies an invalid hostname"):
        await policies(tls_security_level="may", tls_servername="a..b").find("d", "h")
    assert await level(tls_servername="a..b") == "none"


# --- the old table


@pytest.mark.parametrize(
    ("nexthop", "host", "usual", "expected"),
    [
        ("", "", "none", "none"),
        ("MAY", "", "none", "may"),
        ("NONE", "", "encrypt", "none"),
        ("MAY", "NONE", "none", "none"),
        ("NONE", "MAY", "none", "none"),
        ("MUST", "NONE", "none", "verify"),
        ("NONE", "MUST", "none", "verify"),
        ("MUST_NOPEERMATCH", "MAY", "none", "encrypt"),
        ("MUST_NOPEERMATCH", "MUST", "none", "verify"),
        ("MUST", "MUST_NOPEERMATCH", "none", "verify"),
        ("MAY", "", "encrypt", "encrypt"),
        ("must", "", "may", "verify"),
    ],
)
async def test_the_old_table_joins_next_hop_and_host(nexthop, host, usual, expected):
    rows = {name: value for name, value in (("dest.example", nexthop), ("mx.example", host)) if value}
    texts = {"tls_per_site": table(**rows)} if rows else {}
    assert await level(tls_security_level=usual, **texts) == expected


async def test_the_old_table_does_not_count_beside_the_new_one():
    texts = {
        "tls_per_site": table(**{"dest.example": "MUST"}),
        "tls_policy_maps": table(**{"x.example": "may"}),
    }
    assert await level(**texts) == "none"


async def test_an_unknown_word_in_the_old_table_defers():
    with pytest.raises(PolicyProblem, match="unknown TLS policy 'PERHAPS' for server hostname mx.example"):
        await level(tls_per_site=table(**{"mx.example": "PERHAPS"}))


@pytest.mark.parametrize(
    ("texts", "never"),
    [
        ({}, True),
        ({"tls_security_level": "may"}, False),
        ({"tls_policy_maps": "static:may"}, False),
        ({"tls_per_site": "static:MAY"}, False),
    ],
)
def test_where_nothing_can_ask_for_tls_nobody_looks(texts, never):
    assert policies(**texts).never == never
