"""A small configuration for the tests of the whole server."""

from __future__ import annotations

from peers.harness import free_port
from postroad.app.registry import registry
from postroad.base.config import Config, Facts, load_texts

MAIN = """\
compatibility_level = 3.6
myhostname = mx.example.test
mydestination =
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
resolver_addresses = [127.0.0.1]:1
smtpd_peername_lookup = no
"""
MASTER = """\
{port} inet n - n - - smtpd
smtp unix - - n - 10 smtp
error unix - - n - - error
"""


def config_of(main: str = "", master: str = "", port: int | str = 0, directory: str = "/nowhere") -> Config:
    """Return a configuration made of a small one and these further lines."""
    text = MASTER.format(port=port or free_port()) + master
    return load_texts(MAIN + main, text, directory, registry(), Facts(hostname="mx.example.test"))
