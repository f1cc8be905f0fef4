"""An imagined session and refusals of real ones, as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from postroad.model.explain import Destination, Explanation, Lookup, Outcome, Said, Step, Target, Trail

#: Look-ups without an answer that are shown, of those that one restriction makes.
_MISSES: Final = 6
_WIDTH: Final = 40
_WORDS: Final = {
    Outcome.GOES_ON: "goes on",
    Outcome.PERMITS: "permits: the rest of the list is not asked",
    Outcome.REFUSES: "refuses",
    Outcome.PUTS_OFF: "if nothing refuses, the answer will be",
    Outcome.DOUBTS: "if something refuses for good, the answer will be",
    Outcome.WARNS: "would refuse, and only warns",
    Outcome.FAILS: "could not look",
}


def text_of(explanation: Explanation) -> str:
    """Return the whole session."""
    return printable_lines(_lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    trusted = {True: ", in mynetworks", False: ", not in mynetworks", None: ""}[explanation.trusted]
    yield f"client {explanation.client}{trusted}, service {explanation.service}"
    yield from _lookups(explanation.lookups, "  ")
    for said in explanation.said:
        if said.steps or said.lookups or said.log or said.code >= 400 or not said.code:
            yield from _said(said)
        elif said.command.startswith(("MAIL", "RCPT")):
            yield said.command
            yield f"  accepted: {said.reply}"
    for destination in explanation.destinations:
        yield from _destination(destination)
    for note in explanation.notes:
        yield f"note: {note}"


def _said(said: Said) -> Iterator[str]:
    yield said.command
    name = ""
    for step in said.steps:
        if step.list != name:
            name = step.list
            yield f"  {name}"
        yield from _step(step, "    ")
    yield from _lookups(said.lookups, "  ")
    for line in said.log:
        yield f"  log: {line}"
    if said.decided is not None:
        yield f"  decided by {trail_text(said.decided)}"
    if said.behind is not None:
        yield f"  in the place of a refusal for good, because of {trail_text(said.behind)}"
    accepted = 0 < said.code < 400
    verdict = "accepted" if accepted else "not now" if 400 <= said.code < 500 else "refused"
    yield f"  {verdict}: {said.reply}"


def _step(step: Step, indent: str) -> Iterator[str]:
    outcome = _WORDS[step.outcome] + (f": {step.reply}" if step.reply else "")
    reason = f"{step.reason}: " if step.reason else ""
    yield f"{indent}{step.place:>2} {step.restriction:<{_WIDTH}} {reason}{outcome}"
    for line in _looked_up(step.lookups, step.restriction):
        yield f"{indent}     {line}"
    name = step.restriction.removeprefix("warn_if_reject ")
    for each in step.inside:
        if each.list != name:
            name = each.list
            yield f"{indent}   {name}"
        yield from _step(each, indent + "     ")


def _lookups(lookups: Sequence[Lookup], indent: str) -> Iterator[str]:
    for line in _looked_up(lookups):
        yield indent + line


def trail_text(trail: Trail) -> str:
    """Return which restriction it was, and the look-up that it obeyed."""
    places = [f"{name} {place}: {restriction}" for name, place, restriction in trail.path]
    text = ", there ".join(places)
    if trail.key:
        text += f" ({trail.key} -> {trail.value})"
    return text + (f" (could not look: {trail.error})" if trail.error else "")


def _looked_up(lookups: Sequence[Lookup], known: str = "") -> list[str]:
    """Return one line for each source: what was asked, and what it said.

    A source that ``known`` names is not named again.
    """
    lines: list[str] = []
    source, misses = "", 0
    parts: list[str] = []
    for each in lookups:
        if each.source != source:
            _close(lines, "" if source in known else source, parts, misses)
            source, parts, misses = each.source, [], 0
        if each.error:
            parts.append(f"{each.key} -> could not look: {each.error}")
        elif each.answer is not None:
            parts.append(f"{each.key} -> {each.answer}")
        elif misses < _MISSES:
            parts.append(f"{each.key} -> nothing")
            misses += 1
        else:
            misses += 1
    _close(lines, "" if source in known else source, parts, misses)
    return lines


def _close(lines: list[str], source: str, parts: list[str], misses: int) -> None:
    if parts:
        more = f", and {misses - _MISSES} more that are not there" if misses > _MISSES else ""
        lines.append(f"{source + ': ' if source else ''}{', '.join(parts)}{more}")


def _destination(destination: Destination) -> Iterator[str]:
    targets = destination.targets
    if len(targets) == 1 and targets[0].address == destination.recipient:
        yield f"<{destination.recipient}> goes to: {_way(targets[0])}"
    else:
        yield f"<{destination.recipient}> becomes"
        for each in targets:
            yield f"  <{each.address}> ({each.address_class}) goes to: {_way(each)}"
    yield from _lookups(destination.lookups, "  ")
    if destination.error:
        yield f"  could not be delivered: {destination.error}"


def _way(target: Target) -> str:
    if target.error:
        return f"nowhere now: {target.error}"
    return f"transport {target.transport}, next hop {target.nexthop}"


def printable_lines(lines: Iterable[str]) -> str:
    """Return lines as any terminal can show them: clients choose what is in them."""
    return "".join(f"{_printable(line)}\n" for line in lines)


def _printable(line: str) -> str:
    text = line.encode("utf-8", "replace").decode("utf-8")
    return "".join(char if char.isprintable() else "?" for char in text)
