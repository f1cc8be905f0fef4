"""``tls_config_file`` and ``tls_config_name``: the baseline that OpenSSL gives every TLS session.

OpenSSL reads its configuration once, when it is loaded.  So the workers, which are new processes, are
told by their environment which file that is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from postroad.base.config import Config
from postroad.base.errors import Problem
from postroad.base.params import Settings
from postroad.net.tls.params import TLS_CONFIG_FILE, TLS_CONFIG_NAME

VARIABLE = "OPENSSL_CONF"
#: Where systems have theirs; the library that we bring knows of none.
SYSTEM_WIDE = ("/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf", "/usr/lib/ssl/openssl.cnf")
DEFAULT_NAME = "openssl_conf"
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class OpensslConfig:
    """The file and the application's name in it.  ValueError has a sentence on what cannot be used."""

    def __init__(self, settings: Settings) -> None:
        file, name = settings[TLS_CONFIG_FILE], settings[TLS_CONFIG_NAME]
        self.path = os.devnull
        self.section = ""  # what takes the place of openssl_conf's
        if file == "none":
            return
        if file == "default":
            self.path = next((path for path in SYSTEM_WIDE if Path(path).is_file()), os.devnull)
        elif file.startswith("/"):
            self.path = file
        else:
            raise ValueError("tls_config_file: expected default, none or /path")
        if name and not _NAME.fullmatch(name):
            raise ValueError("tls_config_name: expected the name of an application")
        self.section = self._section(name or DEFAULT_NAME, required=file != "default")

    def _section(self, name: str, *, required: bool) -> str:
        """Return the section that the name stands for, "" where openssl_conf's is to be used."""
        try:
            text = Path(self.path).read_text("utf-8", "replace")
        except OSError as error:
            if required:
                raise ValueError(f"tls_config_file: {self.path}: {error.strerror}") from error
            return ""
        found = applications(text).get(name, "")
        if required and not found:
            raise ValueError(f"tls_config_file: {self.path} has no settings for {name}")
        return "" if name == DEFAULT_NAME else found

    def environment(self) -> tuple[dict[str, str], list[int]]:
        """Return the environment of a process that obeys it, and descriptors that it has to inherit."""
        if not self.section:
            return {**os.environ, VARIABLE: self.path}, []
        # OpenSSL's variable has no place for the application's name: a file of our own names the section.
        fd = os.memfd_create("openssl.cnf")
        os.write(fd, f".include = {self.path}\n[default]\n{DEFAULT_NAME} = {self.section}\n".encode())
        return {**os.environ, VARIABLE: f"/proc/self/fd/{fd}"}, [fd]


def applications(text: str) -> dict[str, str]:
    """Return the applications that a configuration file names, in front of its first section."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].strip()
        if words.startswith("["):
            break
        name, equals, section = words.partition("=")
        if equals and _NAME.fullmatch(name.strip()):
            found[name.strip()] = section.strip()
    return found


def check(config: Config) -> list[Problem]:
    """Return what is wrong with the two parameters."""
    try:
        OpensslConfig(config.settings)
    except ValueError as error:
        name = str(error).partition(":")[0]
        return [Problem(config.where(name) or config.where(TLS_CONFIG_FILE.name), str(error))]
    return []
