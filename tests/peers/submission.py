"""A server that people submit mail to, as Debian's master.cf has it, with a real Dovecot that knows them."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from peers.certificates import Authority
from peers.harness import Postroad, free_port
from peers.nexthop import NextHop
from peers.programs import Dovecot, Postfix, dovecot_auth, postfix

USER, SECRET = "al@example.test", "corr3ct-Horse+battery"

#: The lines of Debian's master.cf with their marks of comment taken off, but for ports and chroot.
MASTER = """\
{submission} inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
  -o smtpd_reject_unlisted_recipient=no
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
  -o milter_macro_daemon_name=ORIGINATING
{submissions} inet n - n - - smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_reject_unlisted_recipient=no
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
  -o milter_macro_daemon_name=ORIGINATING
{clear} inet n - n - - smtpd
  -o smtpd_tls_security_level=may
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_tls_auth_only=yes
{open} inet n - n - - smtpd
  -o smtpd_tls_security_level=may
  -o smtpd_sasl_auth_enable=yes
"""
_MAIN = """
smtpd_tls_cert_file = {place}/server.pem
smtpd_tls_key_file = {place}/server.key
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_sasl_authenticated_header = no
smtp_tls_security_level = none
mynetworks = 192.0.2.1
relayhost = [127.0.0.1]:{hop}
"""


@dataclass
class Submission:
    """A server with its four ports: submission, submissions, clear (auth only under TLS), open."""

    server: Postfix | Postroad
    hop: NextHop
    place: Path
    dovecot: Dovecot | None
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def roots(self) -> Path:
        return self.place / "roots.pem"

    def context(self) -> ssl.SSLContext:
        """Return a client's context that trusts the authority, and asks for the name localhost."""
        return ssl.create_default_context(cafile=str(self.roots))

    def files(self) -> Iterator[Path]:
        """Yield every file that the server wrote."""
        for folder, _, names in os.walk(self.server.work):
            yield from (Path(folder) / name for name in names)


@contextlib.contextmanager
def a_submission(
    place: Path, kind: str = "postroad", *, main: str = "", mechanisms: str = "plain login cram-md5"
) -> Iterator[Submission]:
    """Run it; ``kind`` is ``postroad`` or ``postfix``.  What is relayed goes to the next hop."""
    authority = Authority()
    authority.issue("localhost").write(place, "server")
    (place / "roots.pem").write_bytes(authority.pem)
    (place / "roots.pem").chmod(0o644)
    ports = {name: free_port() for name in ("submission", "submissions", "clear", "open")}
    with contextlib.ExitStack() as stack:
        hop = stack.enter_context(NextHop())
        texts = {"main": _MAIN.format(place=place, hop=hop.port) + main, "master": MASTER.format(**ports)}
        server: Postfix | Postroad
        if kind == "postfix":
            server = stack.enter_context(postfix(place, "mx", domain="example.test", **texts))
        else:
            server = Postroad(place, **texts)
        private = server.work / "queue/private"
        if kind != "postfix":
            private.mkdir(mode=0o755)
            shutil.chown(private, "nobody")
        users = {USER: SECRET}
        dovecot = stack.enter_context(dovecot_auth(place, private / "auth", users, mechanisms))
        if isinstance(server, Postroad):
            stack.enter_context(server)
        yield Submission(server, hop, place, dovecot, ports)
