"""``postroad send``: a mail client for the command line."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from postroad.base.errors import PostroadError

if TYPE_CHECKING:
    from postroad.admin.compose import Draft
    from postroad.admin.dialogue import Dialogue
    from postroad.admin.secure import Security
    from postroad.admin.submit import Receipt

FAILED, USAGE, TRY_AGAIN = 1, 2, 75


def run(directory: str | None, args: list[str]) -> int:
    """Run the command: 0 sent, 1 refused or failed, 2 wrong usage, 75 worth trying again."""
    try:
        status = _command.main(args=args, prog_name="postroad send", standalone_mode=False, obj=directory)
    except click.ClickException as error:
        error.show()
        return USAGE
    except click.Abort:
        return 130
    return int(status or 0)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--to", multiple=True, metavar="ADDRESS", help="A recipient, or several: 'Name <address>, ...'."
)
@click.option("--cc", multiple=True, metavar="ADDRESS", help="Gets a copy.")
@click.option("--bcc", multiple=True, metavar="ADDRESS", help="Gets a copy that the others do not know of.")
@click.option("--from", "sender", metavar="ADDRESS", help="Who sends; by default the user who calls.")
@click.option("--subject", default="", metavar="TEXT")
@click.option("--body", metavar="TEXT", help="The text; - reads it from standard input, as no --body does.")
@click.option("--html", metavar="TEXT", help="The text as HTML besides; @FILE reads it from a file.")
@click.option("--attach", multiple=True, type=click.Path(path_type=Path), metavar="FILE")
@click.option("--header", multiple=True, metavar="NAME:VALUE", help="A further header field.")
@click.option("--server", metavar="HOST:PORT", help="Where to send it; by default this machine's own server.")
@click.option("--lmtp", is_flag=True, help="Speak LMTP with --server.")
@click.option("--starttls", is_flag=True, help="Demand TLS by STARTTLS (port 587 or 25).")
@click.option("--tls", is_flag=True, help="Demand TLS from the first byte (port 465).")
@click.option("--ca", metavar="FILE", default="", help="Whose certificates to trust; else the system's.")
@click.option("--insecure", is_flag=True, help="With TLS: take any certificate.")
@click.option("--user", metavar="NAME", help="Log in; the password is asked for.")
@click.option("--password-file", metavar="FILE", help="Where the password is; - for standard input.")
@click.option("--auth", metavar="MECHANISM", default="", help="Log in by this mechanism only.")
@click.option("--in-clear", is_flag=True, help="Let the password travel without TLS.")
@click.option("--dry-run", is_flag=True, help="Print the message, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def _command(directory: str | None, /, *, body: str | None, html: str | None, server: str | None, lmtp: bool, dry_run: bool, as_json: bool, **values: Any) -> int:  # fmt: skip  # noqa: E501
    """Compose a message and submit it."""
    from postroad.admin.compose import compose

    if lmtp and not server:
        raise click.UsageError("--lmtp needs --server")
    security = _security(values, server, body)
    # Our own server completes an address without a domain, as it does sendmail's.
    draft = _draft(values, body, html, domain=socket.gethostname() if server else "")
    if not draft.recipients:
        raise click.UsageError("nobody to send it to: --to, --cc or --bcc")
    try:
        text, wide = compose(draft)
    except (ValueError, OSError) as error:
        raise click.UsageError(str(error)) from error
    if dry_run:
        sys.stdout.buffer.write(text.replace(b"\r\n", b"\n"))
        return 0
    opener = _opener(directory, server, lmtp=lmtp)
    return _submit(opener, security, draft, text, wide=wide, as_json=as_json)


def _security(values: dict[str, Any], server: str | None, body: str | None) -> Security | None:
    """Return what TLS and login the options ask for; None for neither."""
    from postroad.admin.secure import Security, trusting_context, verifying_context
    from postroad.proto.sasl.client import Credentials

    if not (values["tls"] or values["starttls"] or values["user"]):
        return None
    if not server:
        raise click.UsageError("--tls, --starttls and --user need --server")
    context = None
    if values["tls"] or values["starttls"]:
        try:
            context = trusting_context() if values["insecure"] else verifying_context(values["ca"])
        except OSError as error:
            raise click.UsageError(f"--ca {values['ca']}: {error.strerror or error}") from error
    credentials = None
    if values["user"]:
        credentials = Credentials(values["user"], _password(values["password_file"], body))
    return Security(
        host=_split(server)[0],
        context=context,
        at_once=values["tls"],
        credentials=credentials,
        mechanism=values["auth"],
        in_clear=values["in_clear"],
    )


def _password(file: str | None, body: str | None) -> str:
    """Return the password: from a file's first line, or asked for."""
    try:
        if file == "-":
            if body in (None, "-"):
                raise click.UsageError(
                    "standard input is the body already: --body, or another --password-file"
                )
            return sys.stdin.readline().rstrip("\r\n")
        if file is not None:
            return Path(file).read_text("utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--password-file {file}: {error}") from error
    password: str = click.prompt("Password", hide_input=True, err=True)
    return password


def _draft(values: dict[str, Any], body: str | None, html: str | None, *, domain: str) -> Draft:
    """Make a draft of the options."""
    from postroad.admin.compose import Draft
    from postroad.base.clock import SystemClock
    from postroad.mail.dates import rfc5322

    headers = []
    for line in values["header"]:
        name, colon, value = line.partition(":")
        if not colon:
            raise click.UsageError(f"--header {line!r}: expected NAME:VALUE")
        headers.append((name.strip(), value.strip()))
    return Draft(
        sender=values["sender"] or _own_address(domain),
        to=values["to"],
        cc=values["cc"],
        bcc=values["bcc"],
        subject=values["subject"],
        text=sys.stdin.read() if body in (None, "-") else body or "",
        html=_html(html),
        attachments=values["attach"],
        headers=headers,
        date=rfc5322(SystemClock.now()),
        message_id=f"<{secrets.token_hex(12)}@{socket.gethostname()}>",
    )


def _html(text: str | None) -> str:
    if not text or not text.startswith("@"):
        return text or ""
    try:
        return Path(text[1:]).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise click.UsageError(f"--html {text}: {error}") from error


def _own_address(domain: str) -> str:
    from postroad.admin.compose import display
    from postroad.admin.person import full_name, user_name

    uid = os.getuid()
    return display(full_name(uid), f"{user_name(uid)}@{domain}" if domain else user_name(uid))


def _opener(directory: str | None, server: str | None, *, lmtp: bool) -> Any:
    """Return a function that connects: to HOST:PORT, [HOST]:PORT, or the server of this machine."""
    from postroad.admin.dialogue import connect, connect_local

    if server:
        host, port = _split(server)
        return lambda: connect(host, port or (24 if lmtp else 25), lmtp=lmtp)
    return lambda: connect_local(_pickup(directory or "/etc/postfix"))


def _split(server: str) -> tuple[str, int]:
    """Return host and port; 0 where none is named."""
    host, colon, port = server.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.startswith("[")):
        host, port = server, "0"
    return host.strip("[]"), int(port)


def _pickup(directory: str) -> str:
    from postroad.app.registry import registry
    from postroad.base.config import find_facts, load
    from postroad.cli.sendmail import PICKUP
    from postroad.model.params import QUEUE_DIRECTORY

    if not Path(directory, "main.cf").is_file():
        raise click.UsageError(f"{directory}/main.cf: no such file; name a directory with -c, or --server")
    settings = load(directory, registry(), find_facts(directory)).settings
    return str(Path(settings[QUEUE_DIRECTORY], PICKUP))


def _submit(opener: Any, security: Security | None, draft: Draft, text: bytes, *, wide: bool, as_json: bool) -> int:  # fmt: skip  # noqa: E501
    from postroad.admin.submit import Envelope, Refused, submit
    from postroad.mail.header_address import addresses

    sender = next(iter(addresses(draft.sender)), "")
    envelope = Envelope(sender, draft.recipients, eight_bit=not text.isascii(), smtputf8=wide)
    dialogue: Dialogue
    try:
        with opener() as dialogue:
            if security is not None:
                security.begin(dialogue)
            secure = security.go_on if security is not None else None
            receipt = submit(dialogue, socket.gethostname(), envelope, len(text), [text], secure)
    except Refused as refused:
        _tell(as_json, {"sent": False, "what": refused.what, "reply": refused.reply.text}, str(refused))
        return TRY_AGAIN if refused.temporary else FAILED
    except PostroadError as error:
        _tell(as_json, {"sent": False, "error": str(error)}, str(error))
        return TRY_AGAIN
    return _print_receipt(receipt, draft.recipients, as_json=as_json)


def _tell(as_json: bool, values: dict[str, Any], text: str) -> None:
    if as_json:
        print(json.dumps(values, ensure_ascii=False))
    else:
        print(f"postroad send: {text}", file=sys.stderr)


def _print_receipt(receipt: Receipt, recipients: Sequence[str], *, as_json: bool) -> int:
    """Print what the server said; 1 if it refused one of the recipients (LMTP)."""
    replies = [reply.text for reply in receipt.replies]
    if as_json:
        values = {
            "sent": True,
            "queue_id": receipt.queue_id,
            "recipients": list(recipients),
            "replies": replies,
        }
        print(json.dumps(values, ensure_ascii=False))
    else:
        print("\n".join(replies))
    return 0 if all(reply.good for reply in receipt.replies) else FAILED
