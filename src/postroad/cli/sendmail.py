"""``sendmail``: hand in a message, or do what Sendmail's other options ask for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from postroad.base.errors import PostroadError, TableUnavailable
from postroad.cli.queue_tools import Ending
from postroad.cli.sendmail_options import Options, UsageError, parse

if TYPE_CHECKING:
    from postroad.admin.letter import Letter
    from postroad.admin.submit import Envelope, Refused
    from postroad.base.params import Settings

EX_USAGE, EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE, EX_OSERR = 64, 65, 67, 69, 71
EX_TEMPFAIL, EX_NOPERM, EX_CONFIG = 75, 77, 78
PICKUP = "public/pickup"
_USAGE = """usage: sendmail [-t] [-i] [-f SENDER] [-F NAME] [-N WHEN] [-R full|hdrs] [-V ENVID] [-B TYPE] [--] [RECIPIENT ...]
       sendmail -bp | -bi | -bs | -q | -qIQUEUEID | -qRSITE

Reads a message and hands it in.  The exit status is 0 once it is queued, 64 for wrong usage, 65 and 67
for an address that cannot be used, 69 for a message that is refused, 75 to try again later, 77 for
a user who may not, 78 for a configuration that cannot be used.
"""  # noqa: E501


def run(directory: str | None, args: list[str]) -> int:
    """Run the command; sysexits(3) status."""
    if args[:1] == ["--help"]:
        print(_USAGE, end="")
        return 0
    try:
        options = parse(args)
    except UsageError as error:
        for text in error.messages:
            _say(text)
        _say(f"fatal: {error}")
        return EX_USAGE
    for text in options.warnings:
        _say(f"warning: {text}")
    where = directory or os.environ.get("MAIL_CONFIG") or "/etc/postfix"
    try:
        if options.directory:
            where = _alternate(where, options.directory)
        return _other_mode(where, options) if options.mode != "enqueue" else _Submission(where, options).run()
    except Ending as end:
        return end.status
    except Exception as error:  # noqa: BLE001 - whatever it is, the message is not known to be queued
        _say(f"fatal: internal error: {error!r}")
        return EX_TEMPFAIL


def _other_mode(directory: str, options: Options) -> int:
    """Do what another command does."""
    match options.mode:
        case "mailq" | "flush":
            from postroad.cli import postqueue

            words = ["-p"] if options.mode == "mailq" else ["-f"]
            words = ["-i", options.flush_id] if options.flush_id else words
            return postqueue.run(directory, ["-s", options.flush_site] if options.flush_site else words)
        case "newaliases":
            from postroad.cli import postalias

            if options.alias_database or options.recipients:
                return postalias.run(directory, [options.alias_database, *options.recipients][-1:])
            return postalias.run_newaliases(directory, [])
        case "daemon":
            from postroad.cli import server

            return server.run(directory, ["start"])
        case "stdio":
            return _Submission(directory, options).bridge()
        case "verify":
            _fatal("-bv: reports of address verification are not available", EX_UNAVAILABLE)
    return 0


class _Submission:
    """One message on its way from standard input to the queue."""

    def __init__(self, directory: str, options: Options) -> None:
        from postroad.admin.person import user_name

        self._directory = directory
        self._options = options
        self._uid = os.getuid()
        self._login = user_name(self._uid)
        self._settings = _settings(directory)
        self._authorize()

    def run(self) -> int:
        """Read the message and hand it in; 0 means that it is queued and synced."""
        from postroad.admin.letter import LetterTooLarge, LineEnds, read_letter
        from postroad.admin.params import FIX_LINE_ENDINGS
        from postroad.model.params import MESSAGE_SIZE_LIMIT

        options, settings = self._options, self._settings
        sender = self._sender()
        if not options.recipients and not options.extract:
            self._fail(
                "Recipient addresses must be specified on the command line or via the -t option", EX_USAGE
            )
        try:
            letter = read_letter(
                sys.stdin.buffer,
                dot_ends=options.dot_ends,
                line_ends=LineEnds(settings[FIX_LINE_ENDINGS]),
                limit=settings[MESSAGE_SIZE_LIMIT],
            )
        except LetterTooLarge as error:
            self._fail(str(error), EX_UNAVAILABLE)
        except OSError as error:
            self._fail(f"error reading input: {error.strerror}", EX_DATAERR)
        envelope = self._envelope(sender, letter)
        self._add_author(sender, letter)
        try:
            self._hand_in(envelope, letter)
        finally:
            letter.close()
        return 0

    def bridge(self) -> int:
        """Let standard input and output speak SMTP with the server (-bs)."""
        from postroad.admin.bridge import bridge

        path = self._socket()
        if not bridge(path, sys.stdin.fileno(), sys.stdout.fileno()):
            print("421 4.3.2 The mail system is down", end="\r\n")
            self._fail(f"the mail system is down: nothing listens at {path}", EX_TEMPFAIL)
        return 0

    # --- what the message is

    def _sender(self) -> str:
        from postroad.mail.header_address import addresses

        if self._options.sender is not None:
            return next(iter(addresses(self._options.sender)), "")
        if self._login == "unknown":
            _fatal(f"no login name found for user ID {self._uid}", EX_OSERR)
        return self._login

    def _envelope(self, sender: str, letter: Letter) -> Envelope:
        from postroad.admin.submit import Envelope
        from postroad.mail.header_address import addresses, recipients_of

        options = self._options
        # No limit to how many: one that is left out is mail that is lost.
        recipients = [each for word in options.recipients for each in addresses(word, sys.maxsize)]
        if options.extract:
            recipients += recipients_of(letter.header, sys.maxsize)
            letter.drop_blind_recipients()
        if not recipients:
            if not options.extract:
                self._fail("no recipient address could be read", EX_DATAERR)
            self._fail("No recipient addresses found in message header", EX_DATAERR)
        return Envelope(
            sender,
            list(dict.fromkeys(recipients)),
            notify=options.notify,
            ret=options.ret,
            envid=options.envid,
            eight_bit=options.eight_bit,
            smtputf8=options.smtputf8,
        )

    def _add_author(self, sender: str, letter: Letter) -> None:
        """Add a From with the sender's full name; without a name the server adds one as well."""
        from postroad.admin.person import full_name
        from postroad.intake.params import HEADER_FROM_FORMAT
        from postroad.mail.address import to_external
        from postroad.mail.encoded import phrase

        given = self._options.full_name
        name = phrase(full_name(self._uid) if given is None else given)
        if not sender or not name or any(ord(char) < 0x20 for char in sender):
            return
        address = to_external(sender)
        standard = self._settings[HEADER_FROM_FORMAT] == "standard"
        letter.add_author(f"{name} <{address}>" if standard else f"{address} ({name})")

    # --- the way to the queue

    def _hand_in(self, envelope: Envelope, letter: Letter) -> None:
        from postroad.admin.dialogue import DialogueLost, NoServer, connect_local
        from postroad.admin.submit import Refused, UnsendableAddress, submit

        try:
            with connect_local(self._socket()) as dialogue:
                submit(dialogue, "localhost", envelope, letter.size, letter.pieces())
        except NoServer as error:
            self._queue_directly(envelope, letter, str(error))
        except UnsendableAddress as error:
            self._fail(str(error), EX_DATAERR)
        except Refused as refused:
            self._fail(str(refused), _status_of(refused))
        except DialogueLost as error:
            self._fail(str(error), EX_TEMPFAIL)

    def _queue_directly(self, envelope: Envelope, letter: Letter, reason: str) -> None:
        """Put the message where the server finds it when it starts."""
        from postroad.admin.maildrop import ServerIsBack, open_log, queue_directly
        from postroad.admin.submit import Refused
        from postroad.app.ground import owner_of, running_pid
        from postroad.app.preload import preload
        from postroad.model.params import MAIL_OWNER, QUEUE_DIRECTORY

        queue_directory = self._settings[QUEUE_DIRECTORY]
        if running_pid(queue_directory):
            self._fail(f"the mail system does not answer: {reason}", EX_TEMPFAIL)
        if not os.access(queue_directory, os.W_OK | os.X_OK):
            self._fail(f"the mail system is down: {reason}", EX_TEMPFAIL)
        log = open_log(self._settings)
        preload()
        try:
            owner_of(self._settings[MAIL_OWNER]).drop()  # what is queued belongs to mail_owner
            queue_directly(
                self._settings,
                self._directory,
                envelope,
                letter.pieces(),
                caller=(self._uid, self._login),
                log=log,
                is_running=lambda: bool(running_pid(queue_directory)),
            )
        except ServerIsBack:
            self._fail("the mail system starts at this moment; try again", EX_TEMPFAIL)
        except Refused as refused:
            self._fail(str(refused), _status_of(refused))
        except (PostroadError, OSError) as error:
            self._fail(f"queue file write error: {error}", EX_TEMPFAIL)
        _say("warning: the mail system is down; the message is queued and goes out when it starts")

    def _socket(self) -> str:
        from postroad.model.params import QUEUE_DIRECTORY

        return str(Path(self._settings[QUEUE_DIRECTORY], PICKUP))

    def _authorize(self) -> None:
        """End the command for a user who may not hand in mail.  The server asks again, by itself."""
        from postroad.store.params import AUTHORIZED_SUBMIT_USERS

        if self._settings[AUTHORIZED_SUBMIT_USERS] == ("static:anyone",):
            return
        import asyncio

        from postroad.admin.submission import may_submit
        from postroad.tables.context import TableContext

        context = TableContext(self._directory, self._settings.texts)
        try:
            permitted = asyncio.run(may_submit(self._uid, self._settings, context))
        except TableUnavailable as error:
            _fatal(str(error), EX_TEMPFAIL)
        except ValueError as error:
            _fatal(f"authorized_submit_users: {error}", EX_CONFIG)
        if not permitted:
            _fatal(f"User {self._login}({self._uid}) is not allowed to submit mail", EX_NOPERM)

    def _fail(self, text: str, status: int) -> NoReturn:
        _fatal(f"{self._options.sender or self._login}({self._uid}): {text}", status)


def _status_of(refused: Refused) -> int:
    """Return the exit status for a refusal: what can be put right where."""
    if refused.temporary:
        return EX_TEMPFAIL
    status = refused.reply.status
    if status.startswith("5.1."):
        return EX_NOUSER if status == "5.1.1" else EX_DATAERR
    return EX_NOPERM if status.startswith("5.7.") else EX_UNAVAILABLE


def _alternate(directory: str, wanted: str) -> str:
    """Return the directory of -C; the end of the command if the default main.cf does not list it.

    A web page that lets a stranger's text become an option would let him name a configuration, and
    with it the files that we write.
    """
    from postroad.admin.params import ALTERNATE_DIRECTORIES, INSTANCE_DIRECTORIES

    same = os.path.realpath(wanted) == os.path.realpath(directory)
    if same or os.getuid() == 0:
        return wanted
    settings = _settings(directory)
    if wanted not in (*settings[ALTERNATE_DIRECTORIES], *settings[INSTANCE_DIRECTORIES]):
        hint = f"specify alternate_config_directories = {wanted} in {directory}/main.cf"
        _fatal(f"unauthorized configuration directory name: {wanted}; {hint}", EX_NOPERM)
    return wanted


def _settings(directory: str) -> Settings:
    from postroad.app.registry import registry
    from postroad.base.config import find_facts, load

    if not Path(directory, "main.cf").is_file():
        _fatal(f"open {directory}/main.cf: No such file or directory", EX_CONFIG)
    return load(directory, registry(), find_facts(directory)).settings


def _fatal(text: str, status: int) -> NoReturn:
    _say(f"fatal: {text}")
    raise Ending(status)


def _say(text: str) -> None:
    shown = "".join(char if char.isprintable() else "?" for char in text)
    print(f"sendmail: {shown}", file=sys.stderr)
