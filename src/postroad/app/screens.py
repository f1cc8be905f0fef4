"""Postscreen services: which there are, to whom their clients go, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from postroad.app.certificates import with_tls_level
from postroad.app.core import Core
from postroad.base.censor import Censor
from postroad.base.config import Config, Service
from postroad.base.errors import Problem, Severity
from postroad.base.kinds import split_list
from postroad.base.log import Log, Sink
from postroad.base.params import Param, Settings
from postroad.listener import params as p
from postroad.listener.access_list import AccessLists
from postroad.listener.postscreen import Means, Postscreen
from postroad.listener.security import tls_level
from postroad.model.client import Client
from postroad.model.params import EXPANSION_FILTER, MYHOSTNAME, SYSLOG_NAME
from postroad.model.reply import Reply
from postroad.net.counts import ServiceCount
from postroad.net.resolver import CachingResolver
from postroad.net.tls.errors import TlsError
from postroad.net.tls.server import ServerTls
from postroad.proto.dnsbl import site_of
from postroad.proto.ehlo import discards
from postroad.smtpd.footer import Footer, Footers
from postroad.smtpd.params import PROXY_PROTOCOL, REJECT_FOOTER, TLS_LOGLEVEL
from postroad.smtpd.service import SmtpdService
from postroad.tables.context import TableContext
from postroad.tables.maps import Maps
from postroad.tables.registry import problem_of


def screens(config: Config) -> list[Service]:
    """Return the services of master.cf with postscreen in front of them."""
    return [each for each in config.services if each.command == "postscreen" and each.type == "inet"]


def session_settings(service: Service, config: Config) -> Settings:
    """Return the settings of an smtpd service.  To a client that has passed, no proxy says anything more."""
    settings = config.settings_for(service)
    if service.type == "pass" and settings[PROXY_PROTOCOL]:
        return settings.with_values({PROXY_PROTOCOL.name: ""})
    return settings


def screen_of(
    service: Service,
    settings: Settings,
    core: Core,
    *,
    targets: Mapping[str, SmtpdService],
    tables: TableContext,
    resolver: CachingResolver,
    taken: ServiceCount | None,
    strained: Settings,
) -> Postscreen:
    """Make one; ``strained`` are its settings under stress.  ValueError for settings that cannot be used."""
    target = targets.get(f"{settings[p.SMTPD_SERVICE]}/pass")
    if target is None:
        raise ValueError(f"service {service.name}: {_homeless(settings)}")
    means = Means(
        log=core.log,
        clock=core.clock,
        wheel=core.wheel,
        loop=core.loop,
        tables=tables,
        resolver=resolver,
        counts=core.counts,
        taken=taken,
    )
    return Postscreen(
        settings,
        means,
        target,
        strained=strained,
        tls=_tls(service, settings, core),
        tls_loglevel=settings[TLS_LOGLEVEL],
        footer=_footer(settings, core, tables),
    )


def _tls(service: Service, settings: Settings, core: Core) -> ServerTls | None:
    if tls_level(settings) == "none":
        return None
    try:
        return core.keyring.server(with_tls_level(settings))
    except TlsError as error:
        raise ValueError(f"service {service.name}: {error}") from error


def _footer(settings: Settings, core: Core, tables: TableContext) -> Callable[[Reply, str, int], Reply] | None:  # fmt: skip  # noqa: E501
    log = core.log.named(settings[SYSLOG_NAME])
    censor = Censor(_raw(settings, p.EXPANSION_FILTER, EXPANSION_FILTER))
    specs: tuple[str, ...] = settings[p.REJECT_FOOTER_MAPS]

    def warn(text: str) -> None:
        log.warning("postscreen", text)

    def make(template: str) -> Footer:
        return Footer(template, settings[MYHOSTNAME], core.clock, censor, warn)

    text = _raw(settings, p.REJECT_FOOTER, REJECT_FOOTER)
    footers = Footers(p.REJECT_FOOTER_MAPS.name, Maps(specs, tables), text, make, warn)

    def add(reply: Reply, address: str, port: int) -> Reply:
        return footers.add(reply, Client(address, port))

    return add if footers else None


def _raw(settings: Settings, own: Param[str], smtpds: Param[str]) -> str:
    """Return a value in which no names are filled in, but that by default it is smtpd's."""
    text = settings[own]
    return settings[smtpds] if text == f"${smtpds.name}" else text


def _homeless(settings: Settings) -> str:
    name = settings[p.SMTPD_SERVICE]
    return f"postscreen hands clients to the service {name} of type pass, and master.cf has no smtpd there"


def check(config: Config) -> list[Problem]:
    """Return what is wrong with the postscreen services."""
    found: list[Problem] = []
    passes = {each.name for each in config.smtp_servers if each.type == "pass"}
    for service in screens(config):
        settings = config.settings_for(service)
        if settings[p.SMTPD_SERVICE] not in passes:
            hint = f"add the line: {settings[p.SMTPD_SERVICE]} pass - - n - - smtpd"
            found.append(Problem(service.where, f"service {service.name}: {_homeless(settings)}", hint))
        found += _value_problems(config, service, settings)
    return list(dict.fromkeys(found))


def _value_problems(config: Config, service: Service, settings: Settings) -> Iterator[Problem]:
    def problem(name: str, error: Exception) -> Problem:
        return Problem(config.where(name, service), f"{name}: {error}")

    for text in settings[p.DNSBL_SITES]:
        try:
            site_of(text)
        except ValueError as error:
            yield problem(p.DNSBL_SITES.name, error)
    hidden: tuple[str, ...] = settings[p.DISCARD_EHLO]
    try:
        discards(hidden)
    except ValueError as error:
        yield problem(p.DISCARD_EHLO.name, error)
    tables = TableContext(config.directory, settings.texts)
    members: tuple[str, ...] = settings[p.ACCESS_LIST]
    specs = [(p.ACCESS_LIST.name, each) for each in members if ":" in each]
    specs += [(p.DNSBL_REPLY_MAP.name, each) for each in (settings[p.DNSBL_REPLY_MAP],) if each]
    for name, spec in specs:
        trouble = problem_of(spec, tables)
        if trouble:
            hint = "while it cannot be read it lets nobody through and keeps nobody out"
            where = config.where(name, service) or service.where
            yield Problem(where, f"{name}: {trouble}", hint, Severity.WARNING)
    try:
        AccessLists(settings, tables, Log(Sink()))
    except ValueError as error:
        yield problem(p.ACCESS_LIST.name, error)
    yield from _immediate(config, service, settings, tables)


def _immediate(config: Config, service: Service, settings: Settings, tables: TableContext) -> Iterator[Problem]:  # fmt: skip  # noqa: E501
    """Yield what is wrong with tables that have to answer at once."""
    footers: tuple[str, ...] = settings[p.REJECT_FOOTER_MAPS]
    filters = tuple(split_list(settings[p.COMMAND_FILTER]))
    for name, specs in ((p.REJECT_FOOTER_MAPS.name, footers), (p.COMMAND_FILTER.name, filters)):
        for spec in specs:
            where = config.where(name, service) or service.where
            trouble = problem_of(spec, tables)
            if trouble:
                yield Problem(where, f"{name}: {trouble}", severity=Severity.WARNING)
            elif not Maps((spec,), tables).now:
                hint = "such as a file, regexp: or pcre:"
                yield Problem(where, f"{name}: {spec}: only tables that answer from memory can be used", hint)
