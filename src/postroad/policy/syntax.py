"""Restrictions about names and addresses as they are written; nothing is looked up."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from postroad.model.reply import Reply
from postroad.policy import query as q
from postroad.policy.params import INVALID_HOSTNAME_REJECT_CODE, NON_FQDN_REJECT_CODE
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.verdict import PERMIT, Check, Verdict
from postroad.proto.hostname import (
    valid_address,
    valid_hostname,
    valid_literal,
    valid_unicode_hostname,
)

_UNQUALIFIED = "need fully-qualified address"


def refused(code: int, status: str, name: str, kind: str, why: str) -> Reply:
    """Return the refusal of a name of some kind."""
    return Reply(code, status, f"<{name}>: {kind} rejected: {why}")


def without_dot(name: str) -> str:
    """Return a name without the one dot that may end it."""
    return name[:-1] if len(name) > 1 and name.endswith(".") and not name.endswith("..") else name


def literal_fault(services: Services) -> Callable[[str], Reply | None]:
    """Return what refuses an address literal that is none."""
    code = services.settings[INVALID_HOSTNAME_REJECT_CODE]

    def fault(name: str) -> Reply | None:
        # RFC 5321 4.1.3
        return None if valid_literal(name) else refused(code, "5.5.2", name, q.HELO, "invalid ip address")

    return fault


def reject_invalid_helo_hostname(services: Services) -> Check:
    """``reject_invalid_helo_hostname``: no to a HELO name that is neither a host name nor an address."""
    code, fault = services.settings[INVALID_HOSTNAME_REJECT_CODE], literal_fault(services)

    def check(query: Query) -> Verdict:
        name = query.session.helo
        if not name:
            return None
        if name.startswith("["):
            return fault(name)
        plain = without_dot(name)
        if valid_hostname(plain) or valid_address(plain):
            return None
        return refused(code, "5.5.2", name, q.HELO, "Invalid name")

    return check


def reject_non_fqdn_helo_hostname(services: Services) -> Check:
    """``reject_non_fqdn_helo_hostname``: no to a HELO name without a domain."""
    code, fault = services.settings[NON_FQDN_REJECT_CODE], literal_fault(services)

    def check(query: Query) -> Verdict:
        name = query.session.helo
        if not name:
            return None
        if name.startswith("["):
            return fault(name)
        if _is_qualified(name, query.session.transaction.smtputf8):
            return None
        return refused(code, "5.5.2", name, q.HELO, "need fully-qualified hostname")

    return check


def permit_naked_ip_address(services: Services) -> Check:
    """``permit_naked_ip_address``, the old way: yes to a HELO name that is an address without brackets."""
    code = services.settings[INVALID_HOSTNAME_REJECT_CODE]

    def check(query: Query) -> Verdict:
        name = query.session.helo
        if not name or name.strip("0123456789.:"):
            return None
        if valid_address(name):
            return PERMIT
        return refused(code, "5.5.2", name, q.HELO, "invalid ip address")

    return check


def reject_non_fqdn_sender(services: Services) -> Check:
    """``reject_non_fqdn_sender``: no to a sender whose domain is not a whole one."""
    code = services.settings[NON_FQDN_REJECT_CODE]

    def check(query: Query) -> Verdict:
        transaction = query.session.transaction
        sender = transaction.sender
        if not sender or _has_domain(sender, transaction.smtputf8):
            return None
        return refused(code, "5.5.2", sender, q.SENDER, _UNQUALIFIED)

    return check


def reject_non_fqdn_recipient(services: Services) -> Check:
    """``reject_non_fqdn_recipient``: no to a recipient whose domain is not a whole one."""
    code = services.settings[NON_FQDN_REJECT_CODE]

    def check(query: Query) -> Verdict:
        address = query.recipient
        if not address or _has_domain(address, query.session.transaction.smtputf8):
            return None
        return refused(code, "5.5.2", address, q.RECIPIENT, _UNQUALIFIED)

    return check


def _has_domain(address: str, smtputf8: bool) -> bool:
    _, at, domain = address.rpartition("@")
    if not at:
        return False
    return _is_qualified(domain, smtputf8) or (domain.startswith("[") and domain.endswith("]"))


@lru_cache(1000)  # most mail comes from few domains
def _is_qualified(name: str, smtputf8: bool) -> bool:
    valid = valid_unicode_hostname if smtputf8 else valid_hostname
    plain = without_dot(name)
    return "." in plain and valid(plain)
