import threading

import pytest

from postroad.auth.libcrypt import crypt


@pytest.mark.parametrize(
    "hashed",
    [
        "$6$abcdefgh$4scSC27wP3uFe698zCWCOnKDhChjJKTao4yFBJWQ0DON0AhaOlyVNFETTFNbNmVi62zoK8Lqr7xcxuXcgYtpx0",
        "$1$abcdefgh$/x42kSnWenMZC8M4Vwmih0",
        "$2y$05$KVx/3NNyJGrsrrtZv7vb2eCE8Vq.CTzCMSBgBjjMxtwX/cYnUiQDq",
        "$5$z0l7G0GCbuAZ1bNk$4qBfcU9NuQjXRm6L3ksuWD9l8.GStmIlADxagwukxZD",
        "zX1vfwQe50fbQ",
    ],
)
def test_hashes_of_openssl_and_dovecot_are_made_again(hashed):
    assert crypt("Geheim§1".encode(), hashed) == hashed
    assert crypt(b"another", hashed) != hashed


@pytest.mark.parametrize("setting", ["", "$", "$99$salt", "$6", "*0", "§", "\udcff", "$2y$99$x"])
def test_a_setting_that_is_none(setting):
    with pytest.raises(ValueError, match="libcrypt"):
        crypt(b"x", setting)


def test_threads_do_not_mix():
    found: dict[int, str] = {}

    def one(number):
        for _ in range(20):
            found[number] = crypt(str(number).encode(), "$1$abcdefgh$")

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: crypt(str(number).encode(), "$1$abcdefgh$") for number in range(8)}
