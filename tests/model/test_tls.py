import dataclasses

from postroad.model.tls import PeerCertificate, TlsFacts


def test_describes_what_is_known():
    facts = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, 256, "X25519", "ECDSA (prime256v1)")
    assert facts.describe() == (
        "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
        " key-exchange X25519 server-signature ECDSA (prime256v1)"
    )


def test_leaves_out_what_is_not_known():
    assert TlsFacts("TLSv1.2", "X", 128, 128).describe() == "TLSv1.2 with cipher X (128/128 bits)"


FACTS = TlsFacts(
    "TLSv1.3",
    "TLS_AES_256_GCM_SHA384",
    256,
    256,
    key_exchange="X25519",
    server_signature="RSA-PSS (2048 bits)",
    server_digest="SHA256",
)


def test_the_lines_of_the_received_field_are_those_of_postfix():
    assert FACTS.received_clause(asked=False) == (
        "(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
        " key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256)\n"
        "(No client certificate requested)"
    )
    assert FACTS.received_clause(asked=True).endswith("\n(Client did not present a certificate)")
    old = TlsFacts("TLSv1.2", "ECDHE-RSA-AES128-SHA", 128, 128)
    assert old.received_clause(asked=False) == (
        "(using TLSv1.2 with cipher ECDHE-RSA-AES128-SHA (128/128 bits))\n(No client certificate requested)"
    )


def test_the_lines_of_the_received_field_name_the_client():
    peer = PeerCertificate("client.test", "Test CA", "", "", trusted=True)
    facts = dataclasses.replace(
        FACTS, client_signature="ECDSA (prime256v1)", client_digest="SHA256", trust="Trusted", peer=peer
    )
    assert facts.received_clause(asked=True) == (
        "(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
        " key-exchange X25519 server-signature RSA-PSS (2048 bits) server-digest SHA256\n"
        " client-signature ECDSA (prime256v1) client-digest SHA256)\n"
        '(Client CN "client.test", Issuer "Test CA" (verified OK))'
    )
    untrusted = dataclasses.replace(facts, peer=dataclasses.replace(peer, trusted=False))
    assert untrusted.received_clause(asked=True).endswith("(not verified))")


def test_a_name_in_a_certificate_cannot_end_the_field():
    peer = PeerCertificate('x" (verified OK))\r\nFrom: \u2028ö', "a\\b", "", "", trusted=False)
    clause = dataclasses.replace(FACTS, peer=peer).received_clause(asked=True)
    assert clause.splitlines()[-1] == '(Client CN "x? ?verified OK????From: ??", Issuer "a?b" (not verified))'
