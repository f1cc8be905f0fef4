import subprocess

from postroad.net.tls.dh import FFDHE2048


def test_it_is_the_group_of_the_rfc():
    command = ["openssl", "genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"]
    assert subprocess.run(command, capture_output=True, check=True).stdout.split() == FFDHE2048.split()
