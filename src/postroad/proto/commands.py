"""The commands, one function each: what smtpd(8) looks at, in its order, with its words."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from postroad.model.message import Recipient
from postroad.model.reply import Reply
from postroad.proto import authentication, chunks, ehlo, parameters, path, proxied, starttls, xtext
from postroad.proto.hooks import Notice
from postroad.proto.hostname import valid_hostname, valid_literal
from postroad.proto.machine import State, Verb
from postroad.proto.words import Word

if TYPE_CHECKING:
    from postroad.proto.server import ServerSession

OK = b"250 2.0.0 Ok\r\n"
_MAIL_OK = b"250 2.1.0 Ok\r\n"
_RCPT_OK = b"250 2.1.5 Ok\r\n"
_GO_AHEAD = b"354 End data with <CR><LF>.<CR><LF>\r\n"
_TOO_MANY = Reply(452, "4.5.3", "Error: too many recipients")
_BAD_SENDER = Reply(501, "5.1.7", "Bad sender address syntax")
_BAD_RECIPIENT = Reply(501, "5.1.3", "Bad recipient address syntax")
_TOO_LARGE = Reply(552, "5.3.4", "Message size exceeds fixed limit")
_NEUTERED = str.maketrans(dict.fromkeys(' <>()\\";@', "?"))
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


# -- greeting


def _helo(server: ServerSession, found: Sequence[Word]) -> None:
    if len(found) < 2:  # RFC 2034 3: no enhanced code in replies to HELO and EHLO
        server.refuse(Reply(501, "", f"Syntax: {server.verb.name} hostname"))
    else:
        helo_said(server, " ".join(found[1:]))


def helo_said(server: ServerSession, said: str, *, harmless: bool = False) -> None:
    """Greet a client; ``harmless``: its name has nothing that could break a log line or a field."""
    session = server.session
    before = session.helo
    session.helo = said  # the policy judges it as it was said
    session.greeting = "EHLO" if server.verb is Verb.EHLO else "HELO"

    def answered(reply: Reply | None) -> None:
        if reply is not None and not reply.accepts:
            session.helo = before
            server.refuse(reply)
            return
        if server.verb is Verb.EHLO:
            session.protocol = "ESMTP"
        if not harmless:
            session.helo = _CONTROLS.sub("?", said).translate(_NEUTERED)
        server.drop()
        options = server.options
        if server.verb is not Verb.EHLO:
            server.accept(f"250 {options.hostname}\r\n".encode())
            return
        if server.discards - {ehlo.SILENT} and ehlo.SILENT not in server.discards:
            server.hooks.notice(Notice.DISCARDED_KEYWORDS, " ".join(sorted(server.discards)).upper())
        server.accept(
            ehlo.announce(
                options.hostname,
                server.discards,
                size_limit=options.size_limit,
                smtputf8=options.smtputf8,
                vrfy=options.vrfy,
                starttls=options.starttls and session.tls_facts is None,
                auth=server.hooks.mechanisms() if options.auth and not server.auth_hidden else "",
                twice=options.auth_twice,
                xclient=server.xclient,
                xforward=server.xforward,
            )
        )

    server.ask(server.hooks.helo(), answered)


# -- the envelope


def _address(server: ServerSession, word: Word, *, strict: bool, smtputf8: bool) -> str | None:
    """Return the address of a command, None (and a line in the log) when it is not one."""
    options = server.options
    try:
        address = path.parse(word, strict=strict)
        if address and not options.local:
            path.check(
                address,
                unicode_domain=smtputf8,
                ascii_only=options.strict_smtputf8 and not smtputf8,
                leading_hyphen=options.leading_hyphen,
                numeric_domain=options.numeric_domain,
            )
    except path.BadAddress:
        server.hooks.notice(Notice.BAD_ADDRESS, _CONTROLS.sub("?", word))
        return None
    return address


def _routed(server: ServerSession, word: Word, address: str, refusal: Reply, then: Callable[[], None]) -> None:  # fmt: skip  # noqa: E501
    """Go on with an address, unless it has routing in it (``user%site@here``) that leads nowhere."""
    if server.options.local or not ("%" in address or "!" in address or address.count("@") > 1):
        then()
        return

    def answered(reply: Reply | None) -> None:
        if reply is None or reply.accepts:
            then()
            return
        if reply.code == refusal.code:
            server.hooks.notice(Notice.BAD_ADDRESS, _CONTROLS.sub("?", word))
            reply = refusal
        server.refuse(reply)

    server.ask(server.hooks.routing(address), answered)


def _mail(server: ServerSession, found: Sequence[Word]) -> None:
    if server.helo_missing():
        return
    if len(found) < 3 or found[1].lower() != "from:":
        server.refuse(Reply(501, "5.5.4", "Syntax: MAIL FROM:<address>"))
        return
    smtputf8 = _smtputf8_offered(server) and any(word.upper() == "SMTPUTF8" for word in found[3:])
    strict = server.options.strict_envelopes
    address = _address(server, found[2], strict=strict, smtputf8=smtputf8) if found[2].whole else None
    if address is None:
        server.refuse(_BAD_SENDER)
    else:
        _routed(server, found[2], address, _BAD_SENDER, partial(mail_read, server, address, found[3:]))


def _smtputf8_offered(server: ServerSession) -> bool:
    return server.options.smtputf8 and "smtputf8" not in server.discards


def mail_read(server: ServerSession, address: str, options: Sequence[str]) -> None:
    """Begin a transaction with an address that was read; ``options`` are the words behind it."""
    transaction = server.session.transaction
    if server.options.local:
        options = _take_full_name(server, options)
    if options:
        refusal = parameters.read_mail(
            options, transaction, server.discards, smtputf8=_smtputf8_offered(server)
        )
        if refusal is not None:
            server.reset()
            server.refuse(refusal)
            return
        if transaction.auth:
            server.session.sasl_sender = _CONTROLS.sub("?", transaction.auth)
    transaction.sender = address
    limit = server.options.size_limit
    if limit and transaction.size > limit:
        server.hooks.refused(_TOO_LARGE)
        server.reset()
        server.refuse(_TOO_LARGE)
        return
    answer = server.hooks.mail()
    if answer is None:
        _mail_asked(server, None)
    else:
        server.ask(answer, partial(_mail_asked, server))


def _take_full_name(server: ServerSession, options: Sequence[str]) -> list[str]:
    """Our own sendmail(1) says with XFULLNAME= who its user is."""
    rest = []
    for word in options:
        name, _, value = word.partition("=")
        if name.upper() == "XFULLNAME":
            with contextlib.suppress(ValueError):
                server.session.memory["fullname"] = xtext.decode(value)
        else:
            rest.append(word)
    return rest


def _mail_asked(server: ServerSession, reply: Reply | None) -> None:
    if reply is not None and not reply.accepts:
        server.reset()
        server.refuse(reply)
        return
    if server.options.open_early:
        server.opened = True
        server.hooks.open()
    server.accept(_MAIL_OK)


def _rcpt(server: ServerSession, found: Sequence[Word]) -> None:
    if len(found) < 3 or found[1].lower() != "to:":
        server.refuse(Reply(501, "5.5.4", "Syntax: RCPT TO:<address>"))
        return
    options, transaction = server.options, server.session.transaction
    address = None
    if found[2].whole:
        address = _address(
            server, found[2], strict=options.strict_envelopes, smtputf8=transaction.smtputf8
        )  # fmt: skip
    if not address:
        server.refuse(_BAD_RECIPIENT)
    else:
        given = _as_given(found[2], address)
        _routed(
            server, found[2], address, _BAD_RECIPIENT, partial(rcpt_read, server, address, found[3:], given)
        )


def _as_given(word: str, address: str) -> str:
    """Return the ORCPT of a recipient whose address is not said as it is read, "" if it is."""
    said = word[1:-1] if word.startswith("<") and word.endswith(">") else word
    return f"{'rfc822' if said.isascii() else 'utf-8'};{said}" if said != address else ""


def rcpt_read(server: ServerSession, address: str, words: Sequence[str], given: str = "") -> None:
    """Take a recipient whose address was read; ``words`` are those behind it, ``given`` stands for ORCPT."""
    notify, orcpt = 0, ""
    if words:
        read = parameters.read_recipient(words, server.discards)
        if isinstance(read, Reply):
            server.refuse(read)
            return
        notify, orcpt = read
    options, recipients = server.options, server.session.transaction.recipients
    if options.recipient_limit and len(recipients) >= options.recipient_limit:
        # RFC 5321 4.5.3.1.10: the others stay; a client may send some more before that is an error.
        server.overshoot += 1
        server.refuse(_TOO_MANY, error=server.overshoot > options.recipient_overshoot)
        return
    recipient = server.session.transaction.asked = Recipient(address, address, notify, orcpt)
    answer = server.hooks.recipient(address)
    if answer is None:
        _rcpt_asked(server, recipient, given, None)
    else:
        server.ask(answer, partial(_rcpt_asked, server, recipient, given))


def _rcpt_asked(server: ServerSession, recipient: Recipient, given: str, reply: Reply | None) -> None:
    if reply is not None and not reply.accepts:
        server.refuse(reply)
        return
    if given and not recipient.orcpt:
        recipient.orcpt = given
    server.session.transaction.recipients.append(recipient)
    if not server.opened:
        server.opened = True
        server.hooks.open()
    server.accept(_RCPT_OK)


# -- the message


def _data(server: ServerSession, found: Sequence[Word]) -> None:
    if len(found) > 1:
        server.refuse(Reply(501, "5.5.4", "Syntax: DATA"))
        return
    server.ask(server.hooks.data(), partial(_data_asked, server))


def _data_asked(server: ServerSession, reply: Reply | None) -> None:
    if reply is not None and not reply.accepts:
        server.refuse(reply)
        return
    server.state = State.CONTENT
    server.say(_GO_AHEAD)


# -- the rest


def _rset(server: ServerSession, found: Sequence[Word]) -> None:
    if len(found) > 1:
        server.refuse(Reply(501, "5.5.4", "Syntax: RSET"))
        return
    server.drop()
    server.accept(OK)


def _noop(server: ServerSession, found: Sequence[Word]) -> None:
    del found
    server.accept(OK)


def _quit(server: ServerSession, found: Sequence[Word]) -> None:
    del found
    server.accept(b"221 2.0.0 Bye\r\n")
    server.finish()


def _vrfy(server: ServerSession, found: Sequence[Word]) -> None:
    if not server.options.vrfy:
        server.refuse(Reply(502, "5.5.1", "VRFY command is disabled"))
        return
    offered = _smtputf8_offered(server)
    smtputf8 = offered and len(found) > 1 and found[-1].upper() == "SMTPUTF8"
    arguments = found[1:-1] if smtputf8 else found[1:]
    if not arguments:
        server.refuse(Reply(501, "5.5.4", f"Syntax: VRFY address{' [SMTPUTF8]' if offered else ''}"))
        return
    word = Word(" ".join(arguments))
    address = _address(server, word, strict=False, smtputf8=smtputf8)
    if not address:
        server.refuse(_BAD_RECIPIENT)
        return

    def answered(reply: Reply | None) -> None:
        if reply is not None and not reply.accepts:
            server.refuse(reply)
        else:  # RFC 5321 3.5.3: not 250, because delivery was not tried
            server.accept(bytes(Reply(252, "2.0.0", _CONTROLS.sub("?", word))))

    def ask() -> None:
        server.ask(server.hooks.verify(address), answered)

    _routed(server, word, address, _BAD_RECIPIENT, ask)


def _etrn(server: ServerSession, found: Sequence[Word]) -> None:
    if server.options.helo_required and not server.session.helo:
        server.refuse(Reply(503, "", "Error: send HELO/EHLO first"))
        return
    if len(found) != 2:
        server.refuse(Reply(500, "", "Syntax: ETRN domain"))
        return
    domain = found[1][1:] if found[1][0] in "@#" else str(found[1])
    if not valid_hostname(domain) and not valid_literal(domain):
        server.refuse(Reply(501, "", "Error: invalid parameter syntax"))
        return

    def answered(reply: Reply | None) -> None:
        reply = reply or Reply(459, "", f"<{domain}>: service unavailable")
        if reply.accepts:
            server.accept(bytes(reply))
        else:
            server.refuse(reply)

    server.ask(server.hooks.etrn(domain), answered)


Handler = Callable[["ServerSession", list[Word]], None]
HANDLERS: dict[str, tuple[Verb, Handler]] = {
    "HELO": (Verb.HELO, _helo),
    "EHLO": (Verb.EHLO, _helo),
    "XCLIENT": (Verb.XCLIENT, proxied.xclient),
    "XFORWARD": (Verb.XFORWARD, proxied.xforward),
    "STARTTLS": (Verb.STARTTLS, starttls.begin),
    "AUTH": (Verb.AUTH, authentication.begin),
    "MAIL": (Verb.MAIL, _mail),
    "RCPT": (Verb.RCPT, _rcpt),
    "DATA": (Verb.DATA, _data),
    "BDAT": (Verb.BDAT, chunks.begin),
    "RSET": (Verb.RSET, _rset),
    "NOOP": (Verb.NOOP, _noop),
    "VRFY": (Verb.VRFY, _vrfy),
    "ETRN": (Verb.ETRN, _etrn),
    "QUIT": (Verb.QUIT, _quit),
}
