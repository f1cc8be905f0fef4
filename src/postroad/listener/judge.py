"""What is known of a client before it is tested: postscreen_access_list, and what it has passed before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from postroad.listener import screen_events as events
from postroad.listener.access_list import Access
from postroad.model.reply import Reply
from postroad.proto.screening import Action, Progress, Test

if TYPE_CHECKING:
    from postroad.listener.postscreen import Postscreen
    from postroad.listener.screening import Screening

_UNAVAILABLE: Final = "Service currently unavailable"


async def judge(screening: Screening, service: Postscreen) -> Reply | None:
    """Find out what is known of the client; return what one is told that is not even tested."""
    access = await service.access.find(screening.address)
    if access is Access.PERMIT:
        service.log.emit(events.LISTED, service.rules.words[0], screening.address, screening.port)
        return None
    denied = access is Access.REJECT
    if denied:
        service.log.emit(events.LISTED, service.rules.words[1], screening.address, screening.port)
        if service.rules.deny_action is Action.DROP:
            return Reply(521, "5.3.2", _UNAVAILABLE)
    barred = denied and service.rules.deny_action is Action.ENFORCE
    known = None if barred else await service.kept.find(screening.address)
    progress = Progress(service.rules.terms, known, service.now())
    if barred:
        screening.barred = True
        progress.failed |= Test.ACCESS
        screening.refusal = Reply(550, "5.3.2", _UNAVAILABLE)
    elif known is not None and not progress.todo:
        service.log.emit(events.PASS, "OLD", screening.address, screening.port)
        return None
    if not await service.may_pass_at(screening.own[0]):
        screening.barred = True
        progress.failed |= Test.ACCESS
        service.log.emit(events.VETO, service.rules.words[0], screening.address, screening.port)
    screening.progress = progress
    return None
