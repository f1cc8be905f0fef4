"""``check_policy_service``: a program of somebody else's is asked."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from itertools import count
from typing import Any, Final

from postroad.base.ids import id_of
from postroad.base.tasks import spawn
from postroad.model.explain import Lookup
from postroad.model.session import Session
from postroad.policy.action import Actions, Subject
from postroad.policy.basics import broken
from postroad.policy.delegation import PolicyServer, PolicyUnavailable, read_spec
from postroad.policy.query import Query
from postroad.policy.services import Services
from postroad.policy.trail import Hit
from postroad.policy.verdict import Check, Verdict
from postroad.proto import xtext
from postroad.proto.delegation import request

#: What log lines about a policy server's action call the key that was looked up.
_DATUM: Final = "policy query"
_INSTANCE: Final = "delegation.instance"
#: The default action where another default action asks a server.
_BUILT_IN: Final = "451 4.3.5 Server configuration problem"
_numbers = count()


def check_policy_service(services: Services, name: str, argument: str, default: str) -> Check:
    """``check_policy_service``: do what a policy server says.  ValueError for an argument without sense."""
    if ":" not in argument:
        return broken(f"restriction {name} must be followed by transport:server")
    service = _PolicyService(services, argument, default)

    def check(query: Query) -> Coroutine[Any, Any, Verdict]:
        return service.ask(query)

    return check


class _PolicyService:
    """One server as one list asks it."""

    __slots__ = ("_actions", "_now", "_recorder", "_server", "_spec", "_stress")

    def __init__(self, services: Services, argument: str, default: str) -> None:
        self._spec = spec = read_spec(argument, services.settings)
        key = f"delegation.{argument}"
        server = services.shared.get(key)
        if server is None:  # one set of connections, in however many lists it stands
            server = services.shared[key] = PolicyServer(spec, services.log)
        self._server: PolicyServer = server
        self._actions = Actions(services, spec.endpoint.text, default)
        self._now = services.tables.clock.now
        self._recorder = services.recorder
        self._stress = services.settings.texts.get("stress", "")

    async def ask(self, query: Query) -> Verdict:
        """Ask; when no answer comes, do the default action."""
        question = request(self._attributes(query))
        try:
            action = await spawn(self._server.ask(question, query.session.memory), "policy server")
        except PolicyUnavailable as error:
            if self._recorder is not None:
                self._recorder.lookup(
                    Lookup(self._spec.endpoint.text, _DATUM, None, str(error) or "no answer")
                )
            return await self._answer_for_it(query)
        query.hit = Hit(self._spec.endpoint.text, _DATUM, action)
        if self._recorder is not None:
            self._recorder.lookup(Lookup(self._spec.endpoint.text, _DATUM, action))
        return await self._actions.do(query, action, Subject(query.name, query.kind, _DATUM))

    async def _answer_for_it(self, query: Query) -> Verdict:
        subject = Subject(query.name, query.kind, _DATUM)
        if query.unanswered:
            return await self._actions.do(query, _BUILT_IN, subject)
        query.unanswered = True
        try:
            return await self._actions.do(query, self._spec.default_action, subject)
        finally:
            query.unanswered = False

    def _attributes(self, query: Query) -> list[tuple[str, str]]:
        """Return what is told, in the order of Postfix 3.7 (later ones add their own version)."""
        session, transaction = query.session, query.session.transaction
        client = session.client
        whole = query.command in ("DATA", "END-OF-MESSAGE")
        told = [
            ("request", "smtpd_access_policy"),
            ("protocol_state", query.command),
            ("protocol_name", session.protocol),
            ("client_address", client.address),
            ("client_name", client.name),
            ("client_port", str(client.port)),
            ("reverse_client_name", client.reverse_name),
            ("server_address", client.server_address),
            ("server_port", str(client.server_port)),
            ("helo_name", session.helo),
            ("sender", transaction.sender or ""),
            ("recipient", query.recipient),
            ("recipient_count", str(len(transaction.recipients) if whole else 0)),
            ("queue_id", id_of(transaction.queue_key) if transaction.queue_key else ""),
            ("instance", self._instance(query)),
            ("size", str(query.size or transaction.size)),
            ("etrn_domain", query.domain),
            ("stress", self._stress),
            ("sasl_method", session.sasl_method),
            ("sasl_username", session.sasl_username),
            ("sasl_sender", session.sasl_sender),
        ]
        told += _tls_attributes(session)
        told.append(("policy_context", self._spec.policy_context))
        return told

    def _instance(self, query: Query) -> str:
        """Return what all questions about one message have alike; there is none before the first RCPT."""
        transaction = query.session.transaction
        if transaction.sender is None or query.command == "MAIL":
            return ""
        known: str | None = transaction.verdicts.get(_INSTANCE)
        if known is None:
            seconds, part = divmod(self._now(), 1)
            known = f"{os.getpid():x}.{int(seconds):x}.{int(part * 1_000_000):x}.{next(_numbers):x}"
            transaction.verdicts[_INSTANCE] = known
        return known


def _tls_attributes(session: Session) -> list[tuple[str, str]]:
    facts = session.tls_facts
    peer = facts.peer if facts is not None else None
    trusted = peer if peer is not None and peer.trusted else None
    return [
        # Names count only from an authority that is trusted; a fingerprint is whose it is.
        ("ccert_subject", xtext.encode(trusted.subject) if trusted is not None else ""),
        ("ccert_issuer", xtext.encode(trusted.issuer) if trusted is not None else ""),
        ("ccert_fingerprint", peer.certificate_fingerprint if peer is not None else ""),
        ("ccert_pubkey_fingerprint", peer.key_fingerprint if peer is not None else ""),
        ("encryption_protocol", facts.protocol if facts is not None else ""),
        ("encryption_cipher", facts.cipher if facts is not None else ""),
        ("encryption_keysize", str(facts.used_bits) if facts is not None else "0"),
    ]
