"""Parameters of TLS itself, for server and client alike: protocols, ciphers, certificates."""

from __future__ import annotations

from postroad.base.params import Group

params = Group("net.tls")
