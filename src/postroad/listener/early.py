"""The tests of one client before the greeting: whether it waits for that, and what lists in the DNS say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from postroad.base.digits import significant
from postroad.base.tasks import start
from postroad.listener import screen_events as events
from postroad.listener.stage import Stage
from postroad.model.reply import Reply
from postroad.proto.escape import escaped
from postroad.proto.screening import Action, Progress, Test

if TYPE_CHECKING:
    from postroad.listener.blocklists import Score
    from postroad.listener.postscreen import Postscreen
    from postroad.listener.screening import Screening

#: Bytes of what came too early that are counted: Postfix looks at no more.
_PEEKED = 1023
_SHOWN = 100


class EarlyTests:
    """Ends with ``decide`` of its Screening, or with ``finish``."""

    __slots__ = ("_progress", "_score", "_screening", "_service")

    def __init__(self, screening: Screening, service: Postscreen, progress: Progress) -> None:
        self._screening = screening
        self._service = service
        self._progress = progress
        self._score: Score | None = None

    def begin(self) -> None:
        """Let the client wait."""
        todo, service, screening = self._progress.todo, self._service, self._screening
        service.wait(self._waited)
        if todo & Test.PREGREET:
            screening.write(service.told.teaser)
        if todo & Test.DNSBL and service.blocklists:
            self._score = service.blocklists.ask(screening.address, self._scored)

    def spoken(self, data: bytes) -> None:
        """The client has sent something; ``data`` is all of it so far."""
        progress, service, screening = self._progress, self._service, self._screening
        if not progress.todo & Test.PREGREET & ~progress.skipped:
            return
        elapsed = significant(service.loop.time() - screening.began, service.rules.digits)
        shown = escaped(data[:_PEEKED])[:_SHOWN]
        count = min(len(data), _PEEKED)
        service.log.emit(events.PREGREET, count, elapsed, screening.address, screening.port, shown)
        progress.fail(Test.PREGREET)
        screening.spoke = True
        action = service.rules.greet_action
        if action is Action.DROP:
            screening.finish(Reply(521, "5.5.1", "Protocol error"))
            return
        if action is Action.ENFORCE:
            screening.bar(Reply(550, "5.5.1", "Protocol error"))
        else:
            progress.forgive(Test.PREGREET)
        if self._is_waited_out:
            self._waited()

    def _scored(self) -> None:
        """The lists have answered."""
        if self._screening.stage is not Stage.EARLY:
            return
        self._excuse()
        if self._is_waited_out:
            self._waited()

    def _excuse(self) -> None:
        """Let a client off the other tests for which the lists speak."""
        progress, service, score = self._progress, self._service, self._score
        if score is not None and service.rules.speaks_for(score.rank) and not progress.failed:
            progress.excuse(service.now() + score.ttl)

    @property
    def _is_waited_out(self) -> bool:
        """Whether waiting on would tell nothing new."""
        progress = self._progress
        silent = not progress.todo & Test.PREGREET or bool(progress.skipped & Test.PREGREET)
        return silent and (self._score is None or not self._score.pending)

    def _waited(self) -> None:
        """The wait is over."""
        progress, service = self._progress, self._service
        if self._screening.stage is not Stage.EARLY:
            return
        if self._score is not None and self._score.pending:
            self._excuse()
        if progress.todo & Test.PREGREET & ~progress.skipped:
            progress.succeed(Test.PREGREET, service.until(Test.PREGREET))
        if self._score is None:
            self._screening.decide(progress)
        else:
            self._weigh(self._score)

    def _weigh(self, score: Score) -> None:
        """See what the lists have said."""
        progress, service, screening = self._progress, self._service, self._screening
        if score.rank < service.rules.threshold:
            progress.succeed(Test.DNSBL, service.now() + score.ttl)
            screening.decide(progress)
            return
        service.log.emit(events.DNSBL, score.rank, screening.address, screening.port)
        progress.fail(Test.DNSBL)
        if service.rules.dnsbl_action is Action.IGNORE:
            progress.forgive(Test.DNSBL)
            screening.decide(progress)
            return
        screening.stage = Stage.JUDGED
        start(service.told.name_of(score.domain), self._blocked)

    def _blocked(self, name: str | None, error: BaseException | None) -> None:
        """The lists are against the client, and it is known by which name it may hear of that."""
        service, screening = self._service, self._screening
        if screening.stage is not Stage.JUDGED:
            return
        if error is not None:
            service.log.error("postscreen", f"{screening.place}: {error!r}")
        text = f"Service unavailable; client [{screening.address}] blocked using {name or 'DNSBL'}"
        if service.rules.dnsbl_action is Action.DROP:
            screening.finish(Reply(521, "5.7.1", text))
        else:
            screening.bar(Reply(550, "5.7.1", text))
            screening.decide(self._progress)
