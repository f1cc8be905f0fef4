"""What the rooms themselves find wrong with a configuration: for ``check``, and for the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from postroad.app import openssl_config
from postroad.app.certificates import check as certificates
from postroad.app.contentfilter import check as content_filter
from postroad.app.screens import check as check_screens
from postroad.app.sockets import endpoints
from postroad.auth.check import check as check_auth
from postroad.base.config import Config, Service
from postroad.base.errors import Problem, Severity
from postroad.base.params import Family, Settings
from postroad.delivery.mailbox.check import check_alias, check_local, check_virtual
from postroad.delivery.smtp.check import check_client
from postroad.filters.check import check as check_filters
from postroad.model.params import ALIAS_MAPS, LOCAL_TRANSPORT, MYDESTINATION
from postroad.net.interfaces import own_addresses
from postroad.policy.check import check as check_policy
from postroad.scheduler.feedback import parse_feedback
from postroad.scheduler.params import NEGATIVE, POSITIVE
from postroad.smtpd.check import check as check_service
from postroad.tables.context import TableContext
from postroad.tables.registry import open_table, problem_of
from postroad.tables.textfile import TextFile

_MAP_ENDINGS = ("_maps", "_address_maps", "_reply_filter", "_status_filter")


def restrictions(config: Config) -> list[Problem]:
    """Return what is wrong with the restriction lists of each smtpd service."""
    found: list[Problem] = []
    for service in config.smtp_servers:
        settings = config.settings_for(service)
        tables = TableContext(config.directory, settings.texts)
        found += check_policy(settings, partial(_where, config, service), tables)
    return found


def logins(config: Config) -> list[Problem]:
    """Return what is wrong with TLS, AUTH and milters of each smtpd service."""
    found: list[Problem] = []
    for service in config.smtp_servers:
        settings = config.settings_for(service)
        where = partial(_where, config, service)
        found += check_service(settings, where, service.name)
        found += check_auth(settings, where, TableContext(config.directory, settings.texts))
        found += check_filters(settings, where)
    return list(dict.fromkeys(found))


def mailboxes(config: Config) -> list[Problem]:
    """Return what is wrong with virtual and local delivery."""
    found: list[Problem] = []
    for service in config.services:
        where = partial(_where, config, service)
        if service.command == "virtual":
            found += check_virtual(config.settings_for(service), where)
        if service.command == "local":
            found += check_local(config.settings_for(service), where)
    settings = config.settings
    local = settings[LOCAL_TRANSPORT].partition(":")[0]
    agent = config.service(local)
    if settings[MYDESTINATION] and agent is not None and agent.command == "local":
        text = (
            "mail for users of this system (mydestination, transport local) is not delivered to mailboxes yet"
        )
        hint = "aliases work; mail for other users waits in the queue. mydestination = (empty) turns it off"
        found.append(Problem(config.where("mydestination"), text, hint, Severity.UNSUPPORTED))
    return found


def clients(config: Config) -> list[Problem]:
    """Return what is wrong with logins at other servers, and with DANE."""
    found: list[Problem] = []
    for service in config.services:
        if service.command in ("smtp", "lmtp"):
            settings = config.settings_for(service)
            context = TableContext(config.directory, settings.texts)
            found += check_client(settings, service.command, partial(_where, config, service), context)
    return list(dict.fromkeys(found))


def tables(config: Config) -> list[Problem]:
    """Return what is wrong with the look-up tables, their files and their lines."""
    found: dict[tuple[str, str], Problem] = {}
    for where, name, settings, spec in _specs(config):
        warnings: list[str] = []
        context = TableContext(config.directory, settings.texts, warn=warnings.append)
        problem = problem_of(spec, context)
        if problem:
            # A file may come later; a type that does not exist never will.
            broken = "not supported" in problem or "unsupported" in problem or "expecting" in problem
            severity = Severity.ERROR if broken else Severity.WARNING
            hint = "" if broken else "what asks it answers 451, or waits, until it can be read"
            found.setdefault((name, problem), Problem(where, f"{name}: {problem}", hint, severity))
        for text in warnings:
            found.setdefault((name, text), Problem(where, f"{name}: {text}", "", Severity.WARNING))
    return [*found.values(), *_aliases(config)]


def _aliases(config: Config) -> Iterator[Problem]:
    """Yield a finding for each alias with a destination that is not supported."""
    settings = config.settings
    context = TableContext(config.directory, settings.texts)
    for spec in settings[ALIAS_MAPS]:
        if problem_of(spec, context):
            continue
        table = open_table(spec, context)
        if isinstance(table, TextFile):
            for name, value in table.entries():
                yield from check_alias(spec.partition(":")[2], name, value)


def _specs(config: Config) -> Iterator[tuple[str, str, Settings, str]]:
    """Yield (where, parameter, settings, ``type:name``) for every table that a ``*_maps`` parameter names."""
    of_services: list[Service | None] = [None, *(each for each in config.services if each.overrides)]
    for service in of_services:
        settings = config.settings if service is None else config.settings_for(service)
        for param in config.registry:
            if not param.name.endswith(_MAP_ENDINGS):
                continue
            where = _where(config, service, param.name)
            value = settings[param]
            if where and value:
                specs = (value,) if isinstance(value, str) else value
                yield from ((where, param.name, settings, spec) for spec in specs)


def addresses(config: Config) -> list[Problem]:
    """Return what is wrong with the addresses that we listen on."""
    _found, problems = endpoints(config)
    try:
        own_addresses(config.settings)
    except ValueError as error:
        problems.append(Problem(config.where("inet_interfaces"), str(error), "is its name right?"))
    return problems


def feedback(config: Config) -> list[Problem]:
    """Return what is wrong with the concurrency feedback of the transports."""
    found: list[Problem] = []
    for service in config.services:
        families: tuple[Family[str], ...] = (POSITIVE, NEGATIVE)
        for family in families:
            try:
                parse_feedback(config.settings.transport(family, service.name))
            except ValueError as error:
                name = service.name + family.suffix
                found.append(Problem(config.where(name) or config.where(family.default[1:]), str(error)))
    return list(dict.fromkeys(found))


def _where(config: Config, service: Service | None, name: str) -> str:
    return config.where(name, service)


FURTHER: tuple[Callable[[Config], list[Problem]], ...] = (
    restrictions,
    mailboxes,
    clients,
    tables,
    addresses,
    feedback,
    certificates,
    openssl_config.check,
    logins,
    content_filter,
    check_screens,
)
