"""The DNS as a service is to see it: through the tables of its ``..._dns_reply_filter``."""

from __future__ import annotations

from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.model.ports import Resolver
from postroad.net.filtered import FilteredResolver
from postroad.net.params import DNS_REPLY_FILTER
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps


def filtered(resolver: Resolver, settings: Settings, program: str, tables: TableContext, log: Log) -> Resolver:  # fmt: skip  # noqa: E501
    """Return the resolver of a program (smtp, lmtp, smtpd): the same one where there is no filter.

    ValueError for a table that cannot be.
    """
    parameter = DNS_REPLY_FILTER[program]
    specs = settings[parameter]
    if not specs:
        return resolver
    maps = Maps(specs, tables)
    return FilteredResolver(resolver, maps.find, parameter=parameter.name, program=program, log=log)
