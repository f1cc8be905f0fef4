"""Real programs the tests talk to: Postfix and its test tools, NSD, Dovecot; each in a place of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from peers.harness import free_port, listening, until

_SBIN = {**os.environ, "PATH": "/usr/sbin:/sbin:" + os.environ.get("PATH", "/usr/bin:/bin")}


@contextlib.contextmanager
def running(
    command: list[str], listens: tuple[str, int] | None, output: Path, seconds: float = 15
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in the foreground; wait until it listens; end it and its children afterwards."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True, env=_SBIN
        )
    try:

        def ready() -> bool:
            if process.poll() is not None:
                said = output.read_text(errors="replace")
                raise AssertionError(f"{command} ended with {process.returncode}:\n{said}")
            return listens is None or listens in listening()

        until(ready, seconds, lambda: output.read_text(errors="replace"))
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Sink:
    """Postfix's smtp-sink; it keeps each message in a file of its own."""

    def __init__(self, host: str, port: int, folder: Path) -> None:
        self.host, self.port, self._folder = host, port, folder

    def messages(self) -> list[bytes]:
        return [path.read_bytes() for path in self._folder.iterdir()]


@contextlib.contextmanager
def smtp_sink(place: Path, *options: str, host: str = "127.0.0.1") -> Iterator[Sink]:
    """Run smtp-sink; ``options`` as in smtp-sink(1)."""
    folder = place / f"sink-{free_port()}"
    folder.mkdir()
    folder.chmod(0o777)
    sink = Sink(host, free_port(), folder)
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = ["smtp-sink", *user, *options, "-d", f"{folder}/%M%S-", f"{host}:{sink.port}", "128"]
    with running(command, (host, sink.port), place / "smtp-sink.out"):
        yield sink


def smtp_source(host: str, port: int, *options: str) -> None:
    """Send messages with smtp-source; ``options`` as in smtp-source(1)."""
    done = subprocess.run(
        ["smtp-source", *options, f"{host}:{port}"], capture_output=True, timeout=60, env=_SBIN
    )
    assert done.returncode == 0, done.stderr.decode()


# --- DNS

_NSD = """\
server:
    ip-address: 127.0.0.1@{port}
    username: ""
    zonesdir: "{place}"
    database: ""
    pidfile: "{place}/nsd.pid"
    xfrdfile: "{place}/xfrd.state"
    zonelistfile: "{place}/zone.list"
    xfrdir: "{place}"
    server-count: 1
    hide-version: yes
remote-control:
    control-enable: no
"""


@contextlib.contextmanager
def nsd(place: Path, zones: dict[str, str]) -> Iterator[str]:
    """Serve the zones (name: records, one a line); yields a value for ``resolver_addresses``."""
    home = place / "nsd"
    home.mkdir()
    port = free_port()
    text = _NSD.format(port=port, place=home)
    for zone, records in zones.items():
        soa = f"$ORIGIN {zone}.\n$TTL 60\n@ SOA ns.{zone}. root.{zone}. 1 3600 600 86400 1\n@ NS ns.{zone}.\n"
        (home / f"{zone}.zone").write_text(soa + "ns A 127.0.0.1\n" + records + "\n")
        text += f'zone:\n    name: "{zone}"\n    zonefile: "{zone}.zone"\n'
    (home / "nsd.conf").write_text(text)
    with running(["nsd", "-d", "-c", str(home / "nsd.conf")], ("127.0.0.1", port), home / "nsd.out"):
        yield f"[127.0.0.1]:{port}"


# --- Postfix

_POSTFIX_MAIN = """\
compatibility_level = 3.6
queue_directory = {work}/queue
data_directory = {work}/data
maillog_file = {work}/maillog
maillog_file_prefixes = /
mail_owner = postfix
setgid_group = postdrop
myhostname = {name}.example.test
mydestination =
alias_maps =
alias_database =
inet_interfaces = {host}
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = static:all/
virtual_mailbox_base = {work}/mail
virtual_minimum_uid = 1
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_peername_lookup = no
"""
_POSTFIX_MASTER = """\
{port}    inet  n  -  n  -  -  smtpd
cleanup   unix  n  -  n  -  0  cleanup
qmgr      unix  n  -  n  300  1  qmgr
rewrite   unix  -  -  n  -  -  trivial-rewrite
bounce    unix  -  -  n  -  0  bounce
defer     unix  -  -  n  -  0  bounce
trace     unix  -  -  n  -  0  bounce
flush     unix  n  -  n  1000?  0  flush
proxymap  unix  -  -  n  -  -  proxymap
smtp      unix  -  -  n  -  -  smtp
relay     unix  -  -  n  -  -  smtp
lmtp      unix  -  -  n  -  -  lmtp
showq     unix  n  -  n  -  -  showq
error     unix  -  -  n  -  -  error
retry     unix  -  -  n  -  -  error
discard   unix  -  -  n  -  -  discard
local     unix  -  n  n  -  -  local
virtual   unix  -  n  n  -  -  virtual
anvil     unix  -  -  n  -  1  anvil
scache    unix  -  -  n  -  1  scache
tlsmgr    unix  -  -  n  1000?  1  tlsmgr
postlog   unix-dgram n - n -  1  postlogd
"""
_POSTFIX_QUEUES = (
    "incoming active deferred bounce defer corrupt hold trace flush saved private public maildrop pid"
)


class Postfix:
    """A running Postfix that delivers every address of its ``domain`` into one Maildir."""

    def __init__(self, work: Path, host: str, port: int) -> None:
        self.work, self.host, self.port = work, host, port

    def messages(self) -> list[bytes]:
        folder = self.work / "mail/all/new"
        return [path.read_bytes() for path in folder.iterdir()] if folder.exists() else []

    def log(self) -> str:
        path = self.work / "maillog"
        return path.read_text(errors="replace") if path.exists() else ""


@contextlib.contextmanager
def postfix(
    place: Path,
    name: str,
    *,
    main: str = "",
    master: str = "",
    host: str = "127.0.0.1",
    port: int = 0,
    domain: str = "postfix.test",
    files: dict[str, str] | None = None,
) -> Iterator[Postfix]:
    """Run a Postfix with its own queue; needs root, as Postfix itself.

    ``{etc}`` and ``{work}`` in ``main`` and ``master`` stand for its directories; ``files`` are written
    into the former.
    """
    peer = Postfix(place / name, host, port or free_port(host))
    etc, queue = peer.work / "etc", peer.work / "queue"
    etc.mkdir(parents=True)
    queue.mkdir()
    for each in _POSTFIX_QUEUES.split():
        (queue / each).mkdir()
        if each != "pid":
            shutil.chown(queue / each, "postfix")
    for each in ("maildrop", "public"):
        shutil.chown(queue / each, group="postdrop")
    for each in ("data", "mail"):
        (peer.work / each).mkdir()
    shutil.chown(peer.work / "data", "postfix")
    shutil.chown(peer.work / "mail", "nobody")

    def filled(text: str) -> str:
        return text.replace("{etc}", str(etc)).replace("{work}", str(peer.work))

    text = _POSTFIX_MAIN.format(work=peer.work, name=name, host=host, domain=domain)
    (etc / "main.cf").write_text(text + filled(main) + "\n")
    (etc / "master.cf").write_text(_POSTFIX_MASTER.format(port=peer.port) + filled(master) + "\n")
    for file, content in (files or {}).items():
        (etc / file).write_text(content)
    master = "/usr/lib/postfix/sbin/master"
    try:
        with running([master, "-d", "-c", str(etc)], (host, peer.port), peer.work / "output"):
            yield peer
    except AssertionError:
        print(f"--- log of {name}\n{peer.log()}")  # noqa: T201
        raise


# --- Dovecot

_DOVECOT = """\
base_dir = {work}/run
state_dir = {work}/run
log_path = {work}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
mail_location = maildir:{work}/mail/%n
mail_plugins = quota
lmtp_save_to_detail_mailbox = no
auth_username_format = %Ln
passdb {{
  driver = passwd-file
  args = {work}/users
}}
userdb {{
  driver = passwd-file
  args = {work}/users
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage=100M
  quota_status_success = DUNNO
}}
protocol lmtp {{
  mail_plugins = quota
}}
service lmtp {{
  chroot =
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
  unix_listener {work}/lmtp {{
    mode = 0666
  }}
}}
service stats {{
  chroot =
}}
service anvil {{
  chroot =
}}
"""


class Dovecot:
    """A running Dovecot; ``carol`` and ``dave`` have room, ``full`` has none."""

    def __init__(self, work: Path, port: int) -> None:
        self.work, self.port, self.socket = work, port, work / "lmtp"

    def mailbox(self, user: str) -> list[bytes]:
        folder = self.work / "mail" / user / "new"
        return [path.read_bytes() for path in folder.iterdir()] if folder.exists() else []

    def log(self) -> str:
        path = self.work / "log"
        return path.read_text(errors="replace") if path.exists() else ""


@contextlib.contextmanager
def dovecot(place: Path) -> Iterator[Dovecot]:
    """Run a Dovecot that takes LMTP on a UNIX socket and on a TCP port."""
    peer = Dovecot(place / "dovecot", free_port())
    (peer.work / "run").mkdir(parents=True)
    (peer.work / "mail").mkdir()
    os.chown(peer.work / "mail", 65534, 65534)
    home = "65534:65534::/nonexistent::"
    users = [f"{user}:{{PLAIN}}x:{home}" for user in ("carol", "dave")]
    users.append(f"full:{{PLAIN}}x:{home}userdb_quota_rule=*:bytes=10")
    (peer.work / "users").write_text("\n".join(users) + "\n")
    (peer.work / "dovecot.conf").write_text(_DOVECOT.format(work=peer.work, port=peer.port))
    with running(
        ["dovecot", "-F", "-c", str(peer.work / "dovecot.conf")],
        ("127.0.0.1", peer.port),
        peer.work / "output",
    ):
        yield peer


_DOVECOT_AUTH = """\
base_dir = {work}/run
state_dir = {work}/run
log_path = {work}/log
protocols =
listen = 127.0.0.1
ssl = no
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
auth_username_format = %Lu
disable_plaintext_auth = no
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {work}/users
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home=/nonexistent
}}
service auth {{
  chroot =
  unix_listener {socket} {{
    mode = 0666
  }}
}}
service stats {{
  chroot =
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


@contextlib.contextmanager
def dovecot_auth(
    place: Path, socket: Path, users: dict[str, str], mechanisms: str = "plain login cram-md5"
) -> Iterator[Dovecot]:
    """Run a Dovecot that only authenticates, on a UNIX socket whose directory exists."""
    peer = Dovecot(place / f"dovecot-auth-{free_port()}", 0)
    (peer.work / "run").mkdir(parents=True)
    (peer.work / "users").write_text("".join(f"{user}:{word}::::::\n" for user, word in users.items()))
    (peer.work / "users").chmod(0o644)
    (peer.work / "dovecot.conf").write_text(
        _DOVECOT_AUTH.format(work=peer.work, socket=socket, mechanisms=mechanisms)
    )
    command = ["dovecot", "-F", "-c", str(peer.work / "dovecot.conf")]
    with running(command, None, peer.work / "output"):
        until(socket.is_socket, 30, peer.log)
        yield peer
