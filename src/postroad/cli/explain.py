"""``postroad explain``: what would be answered to a client, and why, without sending anything."""

from __future__ import annotations

import sys
from getopt import GetoptError, gnu_getopt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from postroad.app.explain import Question

_USAGE = """usage: postroad explain --client IP --from A --to B [--to C ...] [-c DIR] [OPTIONS]

Says what the server would answer to such a session and where its mail would go, rule by rule: which
restriction list, which restriction with its place in it, what was looked up where, what that said, and
what decided.  It is the server's own code, for the configuration in DIR, which may be a candidate.
  --client IP     the client's address
  --name NAME     its host name, as if the DNS confirmed it ("unknown": it has none); without this
                  option it is looked up as the server does
  --helo H        the name in EHLO (default: the client's name)
  --from A        the sender; "" or <> for the null sender
  --to B          a recipient; may be repeated
  --user LOGIN    the client has logged in under this name
  --tls           the session is encrypted
  --size N        the size of the message in bytes
  --service NAME  the service of master.cf, by name or port (default: the one on port 25)
  --json          print one JSON object
Nothing is sent, queued or remembered: greylisting and verified addresses are read, not changed.  But
policy servers and Python functions (check_policy_service, check_python) ARE asked, as by the server,
and so is the DNS.  What depends on the content of a message, mail filters, and limits of how much a
client may do in a time are not tried.
The exit status is 0 if the mail would be accepted for all recipients, 1 if something would be refused
for good, 75 if it would have to come again, or something could not be looked up, 2 for a wrong call.
"""
_OPTIONS = ["client=", "name=", "helo=", "from=", "to=", "user=", "tls", "size=", "service=", "json", "help"]


def run(directory: str | None, args: list[str]) -> int:
    """Run the command."""
    try:
        options, rest = gnu_getopt(args, "h", _OPTIONS)
        if any(name in ("-h", "--help") for name, _ in options):
            print(_USAGE, end="")
            return 0
        question = _question(options, rest)
    except (GetoptError, ValueError) as error:
        print(f"postroad explain: {error}\n{_USAGE}", end="", file=sys.stderr)
        return 2
    return _explain(directory or "/etc/postfix", question, json=("--json", "") in options)


def _question(options: list[tuple[str, str]], rest: list[str]) -> Question:
    from postroad.app.explain import Question
    from postroad.net.hostname import bare_address, plain_address

    if rest:
        raise ValueError(f"unexpected {rest[0]}")
    given = dict(options)
    for name in ("--client", "--from", "--to"):
        if name not in given:
            raise ValueError(f"{name} is missing")
    address = bare_address(given["--client"])
    if address is None:
        raise ValueError(f"--client {given['--client']}: not an IP address")
    size = given.get("--size", "0")
    if not (size.isascii() and size.isdigit()):
        raise ValueError(f"--size {size}: not a number")
    for name, value in options:
        if any(char in value for char in "\r\n\0"):
            raise ValueError(f"{name}: a line's end cannot be in it")
    return Question(
        client=plain_address(address),
        sender=_address(given["--from"]),
        recipients=tuple(_address(value) for name, value in options if name == "--to"),
        helo=given.get("--helo", ""),
        name=given.get("--name", ""),
        user=given.get("--user", ""),
        tls="--tls" in given,
        size=int(size),
        service=given.get("--service", ""),
    )


def _address(text: str) -> str:
    return text[1:-1] if text.startswith("<") and text.endswith(">") else text


def _explain(directory: str, question: Question, *, json: bool) -> int:
    import asyncio

    from postroad.admin.explain import text_of
    from postroad.app.explain import explain
    from postroad.app.registry import registry
    from postroad.base.config import find_facts, load
    from postroad.base.errors import ConfigurationError, PostroadError
    from postroad.model.explain import plain

    try:
        config = load(directory, registry(), find_facts(directory)).require()
        explanation = asyncio.run(explain(config, question))
    except ConfigurationError as error:
        print(f"postroad explain: {directory} cannot be used:\n{error}", file=sys.stderr)
        return 75
    except (PostroadError, ValueError) as error:
        print(f"postroad explain: {error}", file=sys.stderr)
        return 75
    if json:
        print(_json(plain(explanation) | {"status": explanation.status}))
    else:
        print(text_of(explanation), end="")
    return explanation.status


def _json(value: Any) -> str:
    from json import dumps

    return dumps(value)
