"""What one client service shakes hands with: its own certificates, and the authorities that it trusts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from postroad.base.params import Settings
from postroad.delivery.smtp import tls_params as p
from postroad.net.tls.chains import Chain, read_chains, read_pair
from postroad.net.tls.client import ClientTls
from postroad.net.tls.errors import TlsError
from postroad.net.tls.files import Files, named
from postroad.net.tls.params import TLS_APPEND_DEFAULT_CA
from postroad.net.tls.verify_chain import Authorities
from postroad.net.tls.verify_pem import read_anchors

_ANCHOR_SETS = 100
_PEM_LIMIT = 8 << 20


class TlsEngine:
    """The TLS of one client service, of ``program``'s settings.

    ``files`` are the PEM files that the settings name (``net.tls.files``).  ``tls`` is None when something
    cannot be used, and ``flaw`` says what: as in Postfix, TLS is off then, and mail for which it is
    required waits.  ``now`` is a steady clock.
    """

    def __init__(self, settings: Settings, program: str, files: Files, now: Callable[[], float]) -> None:
        self._settings = settings
        self._program = program
        self._now = now
        self.digest = settings[p.TLS_FINGERPRINT_DIGEST[program]].lower()
        self.tls: ClientTls | None = None
        self.flaw = ""
        self._anchors: dict[tuple[str, ...], Authorities] = {}
        self._files: Mapping[str, bytes] = {}
        self._usual: Authorities | None = None
        try:
            self.replace(files)
        except TlsError as error:
            self.flaw = str(error)

    def replace(self, files: Files) -> None:
        """Use these files from now on; TlsError changes nothing."""
        settings, program = self._settings, self._program
        try:
            hashlib.new(self.digest, usedforsecurity=False).digest()
        except (ValueError, TypeError):
            raise TlsError(
                f'{p.TLS_FINGERPRINT_DIGEST[program].name}: no message digest is called "{self.digest}"'
            ) from None
        tls = ClientTls(
            settings,
            self._chains(files),
            lifetime=settings[p.TLS_SESSION_CACHE_TIMEOUT[program]],
            digest=self.digest,
            now=self._now,
        )
        self._usual = self._authorities(files)
        self.tls, self.flaw = tls, ""
        self._files, self._anchors = files, {}

    def authorities(self, anchors: tuple[str, ...]) -> Authorities:
        """Return who may vouch for a server: those of main.cf, or else the anchors of these files.

        TlsError when a file cannot be read.
        """
        if not anchors:
            assert self._usual is not None
            return self._usual
        found = self._anchors.get(anchors)
        if found is None:
            read = [read_anchors(path, self._content(path)) for path in anchors]
            if len(self._anchors) >= _ANCHOR_SETS:
                self._anchors.clear()
            found = self._anchors[anchors] = Authorities(
                [certificate for each in read for certificate in each.certificates],
                keys=[key for each in read for key in each.keys],
                anchors=True,
            )
        return found

    def _content(self, path: str) -> bytes:
        """Return a file's content.  Those that only a table names are read here, by whoever we are."""
        given = self._files.get(path)
        if given is not None:
            return given
        try:
            with Path(path).open("rb") as file:
                content = file.read(_PEM_LIMIT + 1)
        except OSError as error:
            raise TlsError(f"error opening trust anchor file: {path}: {error.strerror}") from None
        if len(content) > _PEM_LIMIT:
            raise TlsError(f"{path}: larger than {_PEM_LIMIT} bytes")
        return content

    def _authorities(self, files: Files) -> Authorities:
        settings, program = self._settings, self._program
        path, directory = settings[p.TLS_CAFILE[program]], settings[p.TLS_CAPATH[program]]
        certificates = read_anchors(*named(files, path)).certificates if path else ()
        # As in Postfix: with neither, nobody is trusted, whatever tls_append_default_CA says.
        system = settings[TLS_APPEND_DEFAULT_CA] and bool(path or directory)
        try:
            return Authorities(certificates, directory=directory, system=system)
        except TlsError as error:
            where = f'CAfile="{path}", CApath="{directory}"'
            raise TlsError(f"cannot load Certification Authority data, {where}: {error}") from None

    def _chains(self, files: Files) -> list[Chain]:
        settings, program = self._settings, self._program
        together = settings[p.TLS_CHAIN_FILES[program]]
        if together:
            return read_chains([named(files, path) for path in together])
        pairs = (
            (p.TLS_CERT_FILE, p.TLS_KEY_FILE),
            (p.TLS_ECCERT_FILE, p.TLS_ECKEY_FILE),
            (p.TLS_DCERT_FILE, p.TLS_DKEY_FILE),
        )
        return [
            read_pair(named(files, settings[certificate[program]]), named(files, settings[key[program]]))
            for certificate, key in pairs
            if settings[certificate[program]]
        ]
