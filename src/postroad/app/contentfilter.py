"""Content filters: whose mail goes there, and what is wrong with how they are configured.

Behind the queue it is content_filter (FILTER_README), before it smtpd_proxy_filter (SMTPD_PROXY_README).
"""

from __future__ import annotations

from collections.abc import Iterator

from postroad.app.core import Core
from postroad.base.config import Config, Service
from postroad.base.errors import Problem, Severity
from postroad.base.log import Log
from postroad.base.params import Settings
from postroad.filters.params import PROXY_OPTIONS
from postroad.filters.proxy import SPEED_ADJUST, ProxiedPolicy, Proxy
from postroad.filters.proxylink import read_spec
from postroad.intake.intake import Intake
from postroad.model.params import CONTENT_FILTER, PROXY_FILTER, QUEUE_DIRECTORY, RECEIVE_OVERRIDE_OPTIONS
from postroad.model.ports import Intake as Receiving
from postroad.model.ports import Policy

#: What receive_override_options may say.
OVERRIDES = ("no_unknown_recipient_checks", "no_address_mappings", "no_header_body_checks", "no_milters")
#: These transports are there whatever master.cf says.
_ALWAYS = ("error", "retry", "discard")


def intake_settings(settings: Settings, server: Settings) -> Settings:
    """Return the server's settings, but a service's own content filter and overrides where it has any.

    The rest of what cleanup(8) obeys is the server's, whatever a service says.
    """
    place, server_place = settings[CONTENT_FILTER], server[CONTENT_FILTER]
    overrides, server_overrides = settings[RECEIVE_OVERRIDE_OPTIONS], server[RECEIVE_OVERRIDE_OPTIONS]
    if place == server_place and overrides == server_overrides:
        return server
    return server.with_values({CONTENT_FILTER.name: place, RECEIVE_OVERRIDE_OPTIONS.name: overrides})


def pickup_settings(config: Config) -> Settings:
    """Return the settings for mail of local users: pickup(8)'s, if master.cf has it."""
    pickup = _pickup(config)
    return (
        config.settings if pickup is None else intake_settings(config.settings_for(pickup), config.settings)
    )


def before_queue(settings: Settings, policy: Policy, intake: Intake, log: Log, core: Core) -> tuple[Policy, Receiving]:  # fmt: skip  # noqa: E501
    """Return who is asked by a service, and who gets its mail: the intake, or the filter before it.

    ValueError for settings that cannot be used.
    """
    if not settings[PROXY_FILTER]:
        return policy, intake
    proxy = Proxy(settings, origin=intake, log=log, wheel=core.wheel, loop=core.loop)
    return policy if proxy.late else ProxiedPolicy(policy, proxy), proxy


def check(config: Config) -> list[Problem]:
    """Return what is wrong with content_filter and receive_override_options."""
    found: list[Problem] = []
    services: list[Service | None] = [None]
    services += [each for each in config.services if each.command in ("smtpd", "pickup")]
    for service in services:
        settings = config.settings if service is None else config.settings_for(service)
        found += _unknown_transport(config, service, settings)
        found += _unknown_overrides(config, service, settings)
        found += _proxies(config, service, settings)
    found += _endless(config)
    return list(dict.fromkeys(found))


def _pickup(config: Config) -> Service | None:
    return next((each for each in config.services if each.command == "pickup"), None)


def _unknown_transport(config: Config, service: Service | None, settings: Settings) -> Iterator[Problem]:
    value = settings[CONTENT_FILTER]
    name = value.partition(":")[0]
    if not value or name in _ALWAYS or config.service(name) is not None:
        return
    where = config.where(CONTENT_FILTER.name, service)
    if not name:
        hint = "write transport:nexthop, such as smtp:[127.0.0.1]:10024"
        yield Problem(where, f"content_filter: {value} has no transport", hint)
        return
    hint = f"give master.cf a line such as '{name} unix - - n - 10 smtp', or use a transport that it has"
    yield Problem(where, f"content_filter: there is no service {name} in master.cf", hint)


def _unknown_overrides(config: Config, service: Service | None, settings: Settings) -> Iterator[Problem]:
    words: tuple[str, ...] = settings[RECEIVE_OVERRIDE_OPTIONS]
    for word in words:
        if word not in OVERRIDES:
            where = config.where(RECEIVE_OVERRIDE_OPTIONS.name, service)
            message = f'unknown receive_override_options value "{word}"'
            yield Problem(where, message, f"it is one of {', '.join(OVERRIDES)}")


def _proxies(config: Config, service: Service | None, settings: Settings) -> Iterator[Problem]:
    place = settings[PROXY_FILTER]
    try:
        if place:
            read_spec(place, settings[QUEUE_DIRECTORY])
    except ValueError as error:
        yield Problem(config.where(PROXY_FILTER.name, service), str(error), "such as 127.0.0.1:10025")
    words: tuple[str, ...] = settings[PROXY_OPTIONS]
    for word in words:
        if word != SPEED_ADJUST:
            message = f'unknown smtpd_proxy_options value "{word}"'
            yield Problem(config.where(PROXY_OPTIONS.name, service), message, f"it may be {SPEED_ADJUST}")


def _endless(config: Config) -> Iterator[Problem]:
    """Yield a warning where no service takes mail back from a filter without sending it there again."""
    services = config.smtp_servers
    for param in (CONTENT_FILTER, PROXY_FILTER):
        value = config.settings[param]
        if value and services and all(config.settings_for(each)[param] for each in services):
            hint = (
                f"give master.cf a further smtpd with '-o {param.name}=', for mail that comes from the filter"
            )
            message = f"{param.name}: no smtpd service takes mail without sending it to the filter again"
            yield Problem(config.where(param.name), message, hint, Severity.WARNING)
