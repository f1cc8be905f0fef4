"""What Postfix and Postroad do at dane and dane-only, cell by cell: prints JSON.  For a namespace of its own.

Postfix asks the resolver of /etc/resolv.conf, on port 53: ``unshare --net --mount`` gives this script
both for itself.
"""

from __future__ import annotations

import json
import re
import smtplib
import subprocess
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parent.parent)

from peers import dnssec  # noqa: E402
from peers.harness import Postroad, a_place, until  # noqa: E402
from peers.programs import Postfix, postfix  # noqa: E402
from peers.test_tls_dane import MASTER, SETTINGS, TAKING, Site  # noqa: E402

LEVELS = ("dane", "only")
#: Records of the signed zone and of the one that is not, besides those of the site.
_SIGNED = """\
sec MX 10 mx.ee.signed.test.
other MX 10 mx.other.signed.test.
two MX 10 mx.other.signed.test.
two MX 20 mx.ee.signed.test.
away MX 10 mx.plain.test.
nothing MX 10 mx.none.signed.test.
alias CNAME mx.ee.signed.test.
lame MX 10 mx.nowhere.signed.test.
null MX 0 .
"""
_PLAIN = "@ MX 10 mx.plain.test.\ntosec MX 10 mx.ee.signed.test.\ntonone MX 10 mx.none.signed.test.\n"
_DOMAINS = {
    **{
        f"mx-{name}": f"{name}.signed.test"
        for name in ("sec", "other", "two", "away", "nothing", "lame", "null")
    },
    "mx-absent": "absent.signed.test",
    "alias": "[alias.signed.test]",
    "mx-plain": "plain.test",
    "mx-plain-sec": "tosec.plain.test",
    "mx-plain-none": "tonone.plain.test",
}


def outcomes(client: Postfix | Postroad, names: list[str]) -> dict[str, list[str]]:
    """Send a message for each cell; return status, code and words of each."""
    cells = [f"{name}@{level}.test" for level in LEVELS for name in names]
    with smtplib.SMTP(client.host, client.port, "c.test", timeout=30) as session:
        for to in cells:
            session.sendmail("s@client.test", [to], "Subject: x\r\n\r\nx\r\n")
    found = {}
    for to in cells:
        pattern = re.compile(rf"to=<{re.escape(to)}>.*, dsn=(\S+), status=(\w+) \((.*)\)$", re.MULTILINE)
        until(lambda pattern=pattern: pattern.search(client.log()), 30, client.log)
        match = pattern.search(client.log())
        assert match is not None
        found[to] = [match[2], match[1], "" if match[2] == "sent" else match[3]]
    lines = re.findall(r"(\w+ TLS connection established to \S+\]):", client.log())
    return found | {"established": sorted(lines)}


def main() -> None:
    site = Site()
    port = site.ports["own"]
    signed = {"signed.test": site.signed_zone() + _SIGNED, "bogus.test": site.other_zone()}
    routes = site.routes() + "".join(
        f"{name}@{level}.test {level}:{host}:{port}\n" for name, host in _DOMAINS.items() for level in LEVELS
    )
    names = [*site.records, "unsigned", "bogus", *_DOMAINS]
    dnssec.free_port = lambda: 53  # the validating resolver's
    result = {}
    with (
        a_place() as place,
        dnssec.validated(
            place, signed, {"plain.test": site.other_zone() + _PLAIN}, bogus=["bogus.test"]
        ) as dns,
        postfix(place, "peer", main=TAKING, master=site.services(place)),
    ):
        ours = SETTINGS.format(dns=dns)
        files = {"transport": routes}
        main = ours.replace(f"resolver_addresses = {dns}\n", "")
        with postfix(place, "postfix", main=main, master=MASTER, files=files, domain="client.test") as client:
            result["postfix"] = outcomes(client, names)
        with Postroad(place, main=ours, master=MASTER, files=files, domain="client.test") as server:
            result["postroad"] = outcomes(server, names)
    print(json.dumps(result))  # noqa: T201


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
    main()
