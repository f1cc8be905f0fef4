from postroad.model.tls import TlsFacts


def test_describes_what_is_known():
    facts = TlsFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256, 256, "X25519", "ECDSA (prime256v1)")
    assert facts.describe() == (
        "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
        " key-exchange X25519 server-signature ECDSA (prime256v1)"
    )


def test_leaves_out_what_is_not_known():
    assert TlsFacts("TLSv1.2", "X", 128, 128).describe() == "TLSv1.2 with cipher X (128/128 bits)"
