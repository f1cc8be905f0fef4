from OpenSSL import SSL

from postroad.net.tls.errors import reason_of


def test_openssl_is_quoted_as_postfix_quotes_it():
    error = SSL.Error([("SSL routines", "", "wrong version number"), ("SSL routines", "", "other")])
    assert reason_of(error) == "error:0A00010B:SSL routines::wrong version number"


def test_what_has_no_number_has_zero():
    assert reason_of(SSL.Error([("nobody", "", "knows")])) == "error:00000000:nobody::knows"


def test_other_ends_are_told_in_words():
    assert reason_of(SSL.SysCallError(-1, "Unexpected EOF")) == "Unexpected EOF"
    assert reason_of(SSL.ZeroReturnError()) == "the connection was closed"
    assert reason_of(SSL.Error()) == "Error"
    assert reason_of(SSL.Error("words")) == "words"
