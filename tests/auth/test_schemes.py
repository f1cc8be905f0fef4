"""Stored passwords: those that Dovecot and OpenSSL have made, and our own by Dovecot."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.auth.schemes import LOCKED, MAKE, derive_scram, make, read, scram_keys, verify

SECRET = "Geheim§1"
#: Made by `doveadm pw -p 'Geheim§1' -s SCHEME`, `openssl passwd` and crypt(3).
MADE = """\
{PLAIN}Geheim§1
{CLEARTEXT.b64}R2VoZWltwqcx
{CRYPT}$2y$05$Io71IajFdywKALV76WdxXenrecVKwVfY.V38kAn8622GPJoFg/WJ.
{CRYPT}$y$j9T$F5Jx5fExrKuPp53xLKQ..1$9K0hdnoREOONVI.O0nU.Hqcgrh93Wd3kHsovZA7KKlC
$6$abcdefgh$4scSC27wP3uFe698zCWCOnKDhChjJKTao4yFBJWQ0DON0AhaOlyVNFETTFNbNmVi62zoK8Lqr7xcxuXcgYtpx0
$1$abcdefgh$/x42kSnWenMZC8M4Vwmih0
{SHA512-CRYPT}$6$42GZEd/01Kfpdx2x$Cs2tEYuah7kMKI0fRNYsbf.e4GHX9XxWdSlLhqJiPQsBj7QQ9oYeFishOkS6eywcJG/52.pub0DUbVYGjN1Ub1
{SHA512-CRYPT.B64}JDYkYld3dWxZRFloV2lWSk1nUCRDeXdJUjJqcVVudmFGeWZDaEYuMENSaDRKRHpYQ0R2MkNFc21RYzF1dXNDTWc1ZVpYT2hiWHh1VFJON2cvZDBsb2ptanV5OExVNzZPZFEudEJ0dFdzMQ==
{SHA256-CRYPT}$5$z0l7G0GCbuAZ1bNk$4qBfcU9NuQjXRm6L3ksuWD9l8.GStmIlADxagwukxZD
{MD5-CRYPT}$1$HwxffsjG$PyzQl4EmX7pHQkb9YLUkX0
{MD5}$1$1tiRSZET$logAV.Ib81wnVjz7YS3DU1
{BLF-CRYPT}$2y$05$KVx/3NNyJGrsrrtZv7vb2eCE8Vq.CTzCMSBgBjjMxtwX/cYnUiQDq
{DES-CRYPT}zX1vfwQe50fbQ
{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$/7LFfxHLGgw8Ohc3ZDIMkQ$b3gu+vCiVxgHaS/UV83q46KE++obokq1mXNure6Mj8k
{argon2id}$argon2id$v=19$m=65536,t=3,p=1$H6QqSm1r3NsAp3lX3o4q+w$Rdc2RJJlY7Oerz6HF+Uyfqc/2xgeHdsHmwOwmuAjZLs
{SSHA}973wqNsmCeLFT6WwTIv8vbR+5XCGydEk
{SSHA.b64}PywAK2JNXqh99O8dMsV1ub44d4GIQvQ9
{SSHA256}MtdploJ3TRa5LTFOxZJP5BvZrALdUE0m7VdQQ+FH9Bk9ezrx
{SSHA256.HEX}b4ab8d44e7f8997ab258c2ccd48abc35eaf0a00d2534c46f3b98202f1c17fadee923949d
{SSHA512}yrdyH6cX8m4PAahPNY7cSwyNvahMblodw7+cVZy6WPZG5ZHaNv4ABdcsfie3R7MWT2evWmZv04BTODIj/tjyRABn0Xc=
{SHA}xBL/HSb4zaVqdFx11AR0v/6/SdY=
{SHA1}xBL/HSb4zaVqdFx11AR0v/6/SdY=
{SHA.HEX}c412ff1d26f8cda56a745c75d40474bffebf49d6
{SHA}c412ff1d26f8cda56a745c75d40474bffebf49d6
{SHA256}Wa+qI+XzeCEDPJifPmq3x7X6GKOgK58C+ZJK4z8n9Xs=
{SHA512}8wOUM923YULa8kOUU2jqR/fyHMgXf/UOumNjxA9lMaEw6UrbhEEe988LvTCvKZ0WdEUQdY3lfOjpaDkZhu6Jtg==
{SMD5}mjdGWxwlSRBhIT4cnGdFK4SJnKc=
{PLAIN-MD5}fea9f1a604f4712db9ca90ebdb380959
{LDAP-MD5}/qnxpgT0cS25ypDr2zgJWQ==
{PBKDF2}$1$Q6l58xue3HSFxZNS$5000$a78e29bafe4632a0f0163aeead50b619fb0ba1ee
{SCRAM-SHA-1}4096,qQoxiehCYdAFrq6O9G12qw==,6r8hVnMHhxYXiMWswi/ZxETum9E=,ASCG5wF6vIu6atWDmkJ5iDA5I9U=
{SCRAM-SHA-256}4096,1BOAhByipNNrw42d3tLcWA==,g7cp/AmqA3979pKWmB0mvhwhUxrAM6qOzNhtDBxdpl8=,T1XO/whR3XyXtJgUMHZUGi76/adTzguoMGs6gSgAjo8=
{CRAM-MD5}0fe7f05fe9fbd352ebc5807685519b66e1c813a5e65e02b30e60369174783de7
{HMAC-MD5}0fe7f05fe9fbd352ebc5807685519b66e1c813a5e65e02b30e60369174783de7
"""


@pytest.mark.parametrize("value", MADE.splitlines())
def test_what_others_have_made(value):
    stored = read(value)
    assert verify(stored, SECRET.encode())
    assert not verify(stored, b"geheim")
    assert value.rpartition("}")[2] not in repr(stored)


@pytest.mark.parametrize(
    "value",
    [f"{LOCKED}{{PLAIN}}x", "{CRYPT}!$6$abc$def", "{CRYPT}*", "!", "*", "", "{LOCKED}"],
)
def test_nothing_opens_what_is_locked(value):
    stored = read(value)
    assert stored.locked
    assert not any(verify(stored, password) for password in (b"x", b"", value.encode()))


@pytest.mark.parametrize("value", ["{ROT13}frperg", "{PLAIN.rot13}frperg", "{PLAIN.hex}xyz", "{CRYPT.b64}%"])
def test_what_cannot_be_read(value):
    with pytest.raises(ValueError, match="scheme|encoding"):
        read(value)


@pytest.mark.parametrize(
    "value",
    [
        "plain text",
        "{ARGON2ID}secret",
        "{ARGON2ID}§",
        "{SHA}secret",
        "{SHA}AAAA",
        "{SHA256}" + "A" * 200,
        "{SSHA}AAAA",
        "{SSHA}é",
        "{PBKDF2}$1$salt$0$" + "0" * 40,
        "{PBKDF2}$2$salt$10$" + "0" * 40,
        "{SCRAM-SHA-1}4096,a,b",
        "{SCRAM-SHA-1}0,AAAA,6r8hVnMHhxYXiMWswi/ZxETum9E=,ASCG5wF6vIu6atWDmkJ5iDA5I9U=",
        "{SCRAM-SHA-256}4096,AAAA,6r8hVnMHhxYXiMWswi/ZxETum9E=,ASCG5wF6vIu6atWDmkJ5iDA5I9U=",
        "{CRAM-MD5}00",
    ],
)
def test_what_cannot_be_used_is_no_answer(value):
    with pytest.raises(ValueError) as caught:
        verify(read(value), b"secret")
    assert "secret" not in str(caught.value)


@given(st.text(max_size=80), st.binary(max_size=20).filter(lambda word: b"\0" not in word))
def test_whatever_is_stored_gives_an_answer_or_a_value_error(value, password):
    try:
        right = verify(read(value), password)
    except ValueError:
        return
    assert right in (True, False)


@pytest.mark.parametrize("scheme", MAKE)
def test_new_passwords_are_what_they_should_be(scheme):
    value = make(scheme.lower(), SECRET.encode())
    assert value.startswith(f"{{{scheme}}}")
    assert verify(read(value), SECRET.encode())
    assert not verify(read(value), b"x")
    assert scheme in ("PLAIN", "CRAM-MD5") or make(scheme, SECRET.encode()) != value


def test_a_scheme_for_no_new_password():
    with pytest.raises(ValueError, match="SHA512-CRYPT"):
        make("SMD5", b"x")


def test_scram_keys_are_those_of_rfc_7677():
    keys = derive_scram(
        "SCRAM-SHA-256", b"pencil", bytes.fromhex("5b6d99689d12355d8eec4b14112cb8fa"[:32]), 4096
    )
    assert len(keys.stored_key) == 32
    assert scram_keys(read(make("SCRAM-SHA-1", b"x"))).iterations == 4096


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("doveadm") is None, reason="doveadm is not installed")
@pytest.mark.parametrize("scheme", MAKE)
def test_dovecot_takes_ours(scheme):
    told = subprocess.run(
        ["doveadm", "pw", "-t", make(scheme, SECRET.encode()), "-p", SECRET], capture_output=True, text=True
    )
    assert "(verified)" in told.stdout, told.stderr
