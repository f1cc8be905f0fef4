"""The certificates' way to the workers: read by the supervisor, who may read keys, and handed on.

A worker becomes mail_owner before it serves, and could not read them.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from postroad.app import selfsigned
from postroad.base.clock import SystemClock
from postroad.base.config import Config, Service
from postroad.base.errors import Problem, Severity, TableUnavailable
from postroad.base.kinds import split_list
from postroad.base.params import Settings
from postroad.delivery.smtp.login_params import SASL_AUTH_ENABLE, SASL_PASSWORD_MAPS
from postroad.listener.security import tls_level as screen_tls_level
from postroad.model.params import QUEUE_DIRECTORY
from postroad.net.tls.chains import Chain, read_chains, read_pair
from postroad.net.tls.context import new_context
from postroad.net.tls.errors import TlsError
from postroad.net.tls.files import named, self_signed_path
from postroad.net.tls.params import TLS_SERVER_SNI_MAPS
from postroad.net.tls.server import ServerTls
from postroad.net.tls.sni import fill
from postroad.smtpd.params import TLS_LEVEL, TLS_WRAPPERMODE
from postroad.smtpd.settings import TlsLevel, tls_level
from postroad.tables.context import TableContext
from postroad.tables.inline import Inline
from postroad.tables.registry import TEXT_TYPES, open_table
from postroad.tables.textfile import TextFile

#: Endings of the parameters that name files in PEM, behind smtpd_tls_, smtp_tls_ and lmtp_tls_.
_ENDINGS: Final = (
    "chain_files",
    "cert_file",
    "key_file",
    "eccert_file",
    "eckey_file",
    "dcert_file",
    "dkey_file",
    "CAfile",
)
#: The parameters that name files in PEM, by the command of the service.  A CApath is not among them: it
#: is a directory of public certificates, looked into when one is needed, and workers must be able to.
FILE_PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "smtpd": (*(f"smtpd_tls_{each}" for each in _ENDINGS), "smtpd_tls_dh1024_param_file"),
    "smtp": (*(f"smtp_tls_{each}" for each in _ENDINGS), "smtp_tls_trust_anchor_file"),
    "lmtp": (*(f"lmtp_tls_{each}" for each in _ENDINGS), "lmtp_tls_trust_anchor_file"),
}
_NO_FILES: Final = frozenset({"none", "auto"})  # words that stand in place of a name
_MOST = 8 << 20  # bytes of a file
#: SHA-256 of chains of server names that can be used: to try thousands of them again takes seconds.
_good: set[bytes] = set()
_MOST_GOOD = 100_000
_LISTED = "tables of the types hash, btree, lmdb, cdb, dbm, texthash and inline can be listed"


@dataclass(frozen=True, slots=True)
class Certificates:
    """What workers are given: files by path, and by the text of tls_server_sni_maps the chains by name."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    sni: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)

    def names_for(self, settings: Settings) -> Mapping[str, bytes]:
        """Return the chains by server name of a service."""
        return self.sni.get(_key(settings), {})

    def pack(self) -> int:
        """Return the descriptor of a file in memory that holds this, and that nobody can change."""
        data = msgspec.msgpack.encode({"files": dict(self.files), "sni": dict(self.sni)})
        if not hasattr(os, "memfd_create"):
            with tempfile.TemporaryFile() as file:
                file.write(data)
                file.flush()
                return os.dup(file.fileno())
        fd = os.memfd_create("postroad-certificates", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with os.fdopen(os.dup(fd), "wb") as file:
            file.write(data)
        # One file for all workers: none may change what the others read.
        seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
        return fd

    @classmethod
    def unpack(cls, fd: int) -> Certificates:
        """Return what a descriptor holds, and close it.  Its position, which all share, is not used."""
        try:
            data = os.pread(fd, os.fstat(fd).st_size, 0)
        finally:
            os.close(fd)
        return msgspec.msgpack.decode(data, type=cls)


def demands_tls(settings: Settings) -> bool:
    """Return whether an smtpd service accepts nothing without TLS."""
    return tls_level(settings) in (TlsLevel.ENCRYPT, TlsLevel.WRAPPER)


def with_tls_level(settings: Settings) -> Settings:
    """Return a postscreen service's settings as those of an smtpd service with its level of TLS."""
    return settings.with_values({TLS_LEVEL.name: screen_tls_level(settings), TLS_WRAPPERMODE.name: False})


def needs_self_signed(config: Config) -> bool:
    """Return whether a service offers TLS and names no certificate."""
    return any(
        not any(settings.texts.get(name) for name in FILE_PARAMETERS["smtpd"][:7])
        for _service, settings in _servers(config)
    )


def _servers(config: Config) -> Iterator[tuple[Service, Settings]]:
    """Yield the services that offer TLS to clients, with settings as those of an smtpd service."""
    for service in config.services:
        if service.type == "inet" and service.command == "postscreen":
            screened = config.settings_for(service)
            if screen_tls_level(screened) != "none":
                yield service, with_tls_level(screened)
        if service.type in ("inet", "pass") and service.command == "smtpd":
            settings = config.settings_for(service)
            if tls_level(settings) is not TlsLevel.PLAIN:
                yield service, settings


def _key(settings: Settings) -> str:
    """Return the text by which a service's names are known: services may have tables of their own."""
    specs = settings[TLS_SERVER_SNI_MAPS]
    return " ".join(specs)


def _paths_of(command: str, settings: Settings) -> Iterator[str]:
    for name in FILE_PARAMETERS[command]:
        text = settings.texts.get(name, "")
        paths = split_list(text) if name.endswith("_files") else (text.strip(),)
        yield from (path for path in paths if path and path.lower() not in _NO_FILES)


def _password_files(command: str, settings: Settings, directory: str) -> Iterator[str]:
    """Yield the files of passwords for other servers: root's alone as a rule, like keys."""
    if settings[SASL_AUTH_ENABLE[command]]:
        context = TableContext(directory, settings.texts)
        for spec in settings[SASL_PASSWORD_MAPS[command]]:
            kind, _, name = spec.removeprefix("proxy:").partition(":")
            if kind in TEXT_TYPES | {"regexp", "pcre", "cidr"}:
                yield context.path(name)


@dataclass(slots=True)
class Collection:
    """One look at everything: what was read, and what could not be.

    ``unreadable`` has the reason by path; ``names`` what is wrong with the chain of a server name, by
    (text of tls_server_sni_maps, name); ``tables`` what is wrong with a table of server names.
    """

    certificates: Certificates = field(default_factory=Certificates)
    unreadable: dict[str, str] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    stamps: dict[str, tuple[int, ...]] = field(default_factory=dict)


class Collector:
    """Reads what a configuration names."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._base = config.settings[QUEUE_DIRECTORY]  # where relative names begin, as for Postfix

    def collect(self) -> Collection:
        """Read everything."""
        found = Collection()
        files: dict[str, bytes] = {}
        for path in dict.fromkeys(self._paths()):
            self._read(path, files, found)
        own = {self_signed_path(settings) for _service, settings in _servers(self._config)}
        for path in own if needs_self_signed(self._config) else ():
            content = selfsigned.read(path)
            if content:
                files[path] = content
        sni: dict[str, Mapping[str, bytes]] = {}
        for _service, settings in _servers(self._config):
            if settings[TLS_SERVER_SNI_MAPS] and _key(settings) not in sni:
                sni[_key(settings)] = self._names(settings, found)
        found.certificates = Certificates(files, sni)
        return found

    def stamps(self, found: Collection) -> dict[str, tuple[int, ...]]:
        """Return what the files and tables look like now that ``found`` was read from."""
        return {path: self._stamp(path) for path in found.stamps}

    def problems(self, found: Collection) -> Iterator[tuple[Service, str]]:
        """Yield (service, reason) for each service whose certificates cannot be used."""
        for service, settings in _servers(self._config):
            unread = (found.unreadable.get(path) for path in _paths_of("smtpd", settings))
            reason = next(filter(None, unread), None)
            try:
                if reason is None:
                    ServerTls(settings, found.certificates.files, mandatory=demands_tls(settings))
            except TlsError as error:
                reason = str(error)
            if reason is not None:
                yield service, reason

    def expired(self, found: Collection, now: float) -> Iterator[Problem]:
        """Yield a warning for each certificate that has expired: it is served, as Postfix does."""
        for service, settings in _servers(self._config):
            try:
                chains = ServerTls(settings, found.certificates.files, mandatory=demands_tls(settings)).chains
            except TlsError:
                continue
            for chain in chains:
                end = chain.certificate.not_valid_after_utc
                if end.timestamp() < now:
                    text = f"{chain.name}: the certificate has expired on {end:%Y-%m-%d}"
                    yield Problem(_where(self._config, service, text), text, "", Severity.WARNING)

    def client_problems(self, found: Collection) -> Iterator[tuple[Service, str]]:
        """Yield (service, reason) for each certificate by which we cannot tell servers who we are."""
        files = found.certificates.files
        for service, settings in self._clients():
            paths = dict.fromkeys(_paths_of(service.command, settings))
            yield from ((service, found.unreadable[path]) for path in paths if path in found.unreadable)
            try:
                for chain in client_chains(service.command, settings, files):
                    chain.put_into(new_context())
            except TlsError as error:
                if not any(path in str(error) for path in found.unreadable):
                    yield service, str(error)

    def paths_of(self, service: Service) -> set[str]:
        """Return the files in PEM that a service's settings name."""
        return set(_paths_of(service.command, self._config.settings_for(service)))

    def _clients(self) -> Iterator[tuple[Service, Settings]]:
        for service in self._config.services:
            if service.command in ("smtp", "lmtp"):
                yield service, self._config.settings_for(service)

    def _paths(self) -> Iterator[str]:
        for _service, settings in _servers(self._config):
            yield from _paths_of("smtpd", settings)
        for service, settings in self._clients():
            yield from _paths_of(service.command, settings)
            yield from _password_files(service.command, settings, self._config.directory)

    def _names(self, settings: Settings, found: Collection) -> dict[str, bytes]:
        """Return the chains by server name; the first table that has a name counts."""
        chains: dict[str, bytes] = {}
        for spec in settings[TLS_SERVER_SNI_MAPS]:
            context = TableContext(self._config.directory, settings.texts)
            try:
                for name, value in entries_of(spec, context, lambda path: self._note(path, found)):
                    if name not in chains:
                        self._add_name(settings, name, value, chains, found)
            except (TableUnavailable, ValueError) as error:
                found.tables[spec] = str(error)
        return chains

    def _add_name(self, settings: Settings, name: str, value: str, chains: dict[str, bytes], found: Collection) -> None:  # fmt: skip  # noqa: E501
        parts: dict[str, bytes] = {}
        paths = split_list(value)
        for path in paths:
            self._read(path, parts, found)
            if path in found.unreadable:
                found.names[_key(settings), name] = found.unreadable[path]
                return
        pem = b"\n".join(parts[path] for path in paths)
        digest = hashlib.sha256(pem).digest()
        if digest not in _good:
            try:
                fill(new_context(), f"{name} ({', '.join(paths)})", pem)
            except TlsError as error:
                found.names[_key(settings), name] = str(error)
                return
            if len(_good) >= _MOST_GOOD:
                _good.clear()
            _good.add(digest)
        chains[name] = pem

    def _read(self, path: str, files: dict[str, bytes], found: Collection) -> None:
        self._note(path, found)
        try:
            files[path] = read_file(os.path.join(self._base, path))  # noqa: PTH118 - kept as text
        except OSError as error:
            found.unreadable[path] = f"open {path}: {error.strerror or error}"

    def _note(self, path: str, found: Collection) -> None:
        # Before it is read: a change meanwhile is then seen at the next look.
        found.stamps[path] = self._stamp(path)

    def _stamp(self, path: str) -> tuple[int, ...]:
        try:
            status = os.stat(os.path.join(self._base, path))  # noqa: PTH116, PTH118
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_ino, status.st_size, status.st_ctime_ns


def client_chains(command: str, settings: Settings, files: Mapping[str, bytes]) -> list[Chain]:
    """Return the chains that a client service ("smtp" or "lmtp") shows to servers.  TlsError if it cannot."""
    texts = settings.texts
    paths = split_list(texts.get(f"{command}_tls_chain_files", ""))
    if paths:
        return read_chains([named(files, path) for path in paths])
    chains = []
    for kind in ("", "d", "ec"):
        certificate = texts.get(f"{command}_tls_{kind}cert_file", "")
        key = texts.get(f"{command}_tls_{kind}key_file", "") or certificate
        if certificate:
            chains.append(read_pair(named(files, certificate), named(files, key)))
    return chains


def entries_of(spec: str, context: TableContext, reads: Callable[[str], None]) -> Iterable[tuple[str, str]]:
    """Return the records of a table of server names; ``reads`` hears of its file before that is read.

    ValueError if the table's type cannot be listed, TableUnavailable if its file cannot be read.
    """
    table = open_table(spec, context)
    if isinstance(table, TextFile):
        reads(context.path(spec.rpartition(":")[2]))
        return table.entries()
    if isinstance(table, Inline):
        return table.entries()
    raise ValueError(f"{spec}: its names cannot be listed; {_LISTED}")


def read_file(path: str) -> bytes:
    """Return the content of a plain file of reasonable size; OSError says what it is otherwise."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        if status.st_size > _MOST:
            raise OSError(errno.EFBIG, f"larger than {_MOST} bytes")
        return file.read(_MOST)


def check(config: Config) -> list[Problem]:
    """Return what is wrong with the certificates of the services that offer TLS."""
    collector = Collector(config)
    found = collector.collect()
    problems = []
    for service, reason in collector.problems(found):
        hidden = os.geteuid() != 0 and reason.endswith("Permission denied")
        severity = Severity.WARNING if hidden else Severity.ERROR
        hint = "root can read it, perhaps: check as root" if hidden else ""
        problems.append(Problem(_where(config, service, reason), reason, hint, severity))
    problems += collector.expired(found, SystemClock().now())
    hint = "it is not shown to servers"
    problems += [
        Problem(_where(config, service, reason), reason, hint, Severity.WARNING)
        for service, reason in collector.client_problems(found)
    ]
    where = config.where("tls_server_sni_maps")
    for reason in found.tables.values():
        severity = Severity.ERROR if reason.endswith(_LISTED) else Severity.WARNING
        problems.append(Problem(where, f"tls_server_sni_maps: {reason}", "", severity))
    for (_maps, name), reason in found.names.items():
        text = f"tls_server_sni_maps: {name}: {reason}"
        hint = "clients that ask for this name are served the certificate of the others"
        problems.append(Problem(where, text, hint, Severity.WARNING))
    return problems


def _where(config: Config, service: Service, reason: str) -> str:
    """Return where the parameter is set that names the file, or is named itself, in ``reason``."""
    settings = config.settings_for(service)
    for name in FILE_PARAMETERS["smtpd" if service.command == "postscreen" else service.command]:
        if any(path in reason for path in split_list(settings.texts.get(name, ""))):
            return config.where(name, service)
    return config.where(reason.partition(":")[0], service)
