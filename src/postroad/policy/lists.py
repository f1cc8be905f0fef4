"""The restriction lists of one smtpd service, compiled."""

from __future__ import annotations

from postroad.base.params import Param, Settings
from postroad.policy import params as p
from postroad.policy.compiler import Compiler
from postroad.policy.guard import guarded_relay_list
from postroad.policy.items import DEFAULTS, classes_of
from postroad.policy.services import Services
from postroad.policy.verdict import Check


class ServiceLists:
    """Each list by its name; ``sender_end`` and ``recipient_end`` are asked behind theirs.

    ``recipient`` has the relay and the recipient restrictions, in the order in which they are asked.
    ValueError for a restriction class without a definition, and for arguments that cannot be used.
    """

    __slots__ = ("client", "data", "end_of_data", "etrn", "helo", "recipient", "recipient_end", "sender", "sender_end")  # fmt: skip  # noqa: E501

    def __init__(self, settings: Settings, services: Services) -> None:
        names = settings[p.RESTRICTION_CLASSES]
        classes = classes_of(names, settings.texts)
        recorder = services.recorder
        compiler = Compiler(services, classes, None if recorder is None else recorder.wrap)
        compiler.try_classes()

        def compiled(param: Param[tuple[str, ...]]) -> tuple[Check, ...]:
            words = settings[param]
            if param is p.RELAY_RESTRICTIONS:
                words = guarded_relay_list(settings, classes)
            return compiler.compile(words, DEFAULTS.get(param, ""), param.name)

        def alone(param: Param[bool], name: str) -> tuple[Check, ...]:
            """Return what is asked behind a list, whatever stands in it."""
            checks = compiler.compile((name,), "", param.name)
            return checks if settings[param] else ()

        self.client = compiled(p.CLIENT_RESTRICTIONS)
        self.helo = compiled(p.HELO_RESTRICTIONS)
        self.sender = compiled(p.SENDER_RESTRICTIONS)
        self.sender_end = alone(p.REJECT_UNLISTED_SENDER, "reject_unlisted_sender")
        relay = compiled(p.RELAY_RESTRICTIONS)
        both = (relay, compiled(p.RECIPIENT_RESTRICTIONS))
        self.recipient = both if settings[p.RELAY_BEFORE_RECIPIENT] else both[::-1]
        self.recipient_end = alone(p.REJECT_UNLISTED_RECIPIENT, "reject_unlisted_recipient")
        self.data = compiled(p.DATA_RESTRICTIONS)
        self.end_of_data = compiled(p.END_OF_DATA_RESTRICTIONS)
        self.etrn = compiled(p.ETRN_RESTRICTIONS)
