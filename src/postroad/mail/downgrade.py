"""8-bit MIME content made 7-bit, for a server without 8BITMIME (RFC 6152 3, RFC 2045 6).

As Postfix does: a leaf whose Content-Transfer-Encoding is 8bit or binary becomes quoted-printable,
a multipart or message of that encoding says 7bit, all else stays as it is.
"""

from __future__ import annotations

import re
from binascii import b2a_qp
from collections.abc import Iterable, Iterator

#: A header that is longer than this is passed on as it is, and so is what it describes.
_HEADER_LIMIT = 262144
#: A line that is longer than this is worked on in pieces of this size.
_LINE_LIMIT = 65536
_NESTING_LIMIT = 100
_TYPE = re.compile(rb"content-type:\s*([^\s;/]+)/([^\s;]+)", re.IGNORECASE)
_ENCODING = re.compile(rb"content-transfer-encoding:\s*([^\s;]+)", re.IGNORECASE)
_BOUNDARY = re.compile(rb';\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))', re.IGNORECASE | re.DOTALL)


class Downgrade:
    """Converts one content that comes in pieces, cut anywhere; memory stays flat."""

    __slots__ = (
        "_boundaries",
        "_carry",
        "_default",
        "_digests",
        "_encodes",
        "_header",
        "_header_size",
        "_in_line",
    )

    def __init__(self) -> None:
        self._boundaries: list[bytes] = []  # of the multiparts we are in, outermost first
        self._digests: list[bool] = []
        self._header: list[bytes] | None = []  # lines of the header we are in, None in a body
        self._header_size = 0
        self._default = b"text/plain"  # the type of what that header describes, when it does not say
        self._encodes = False  # the body we are in
        self._carry = b""  # a line without its end
        self._in_line = False  # the beginning of the line in carry is out already

    def convert(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the converted pieces."""
        for piece in pieces:
            yield self.feed(piece)
        yield self.finish()

    def feed(self, piece: bytes) -> bytes:
        """Return what can be said of the content up to here."""
        data = self._carry + piece if self._carry else piece
        lines = data.split(b"\r\n")
        self._carry = lines.pop()
        out: list[bytes] = []
        for line in lines:
            self._line(line, out)
        while len(self._carry) > _LINE_LIMIT:
            self._part_of_line(out)
        return b"".join(out)

    def finish(self) -> bytes:
        """Return the rest."""
        out: list[bytes] = []
        if self._carry:
            self._line(self._carry, out)
            self._carry = b""
        if self._header:
            out += [line + b"\r\n" for line in self._header]
            self._header = None
        return b"".join(out)

    # --- lines

    def _line(self, line: bytes, out: list[bytes]) -> None:
        begins, self._in_line = not self._in_line, False
        if begins and line.startswith(b"--") and self._boundaries and self._at_boundary(line, out):
            return
        if self._header is None:
            out.append(_quoted(line) if self._encodes else line)
            out.append(b"\r\n")
        elif line:
            self._header.append(line)
            self._header_size += len(line)
            if self._header_size > _HEADER_LIMIT:
                self._to_body(out)
        else:
            self._end_header(out)

    def _part_of_line(self, out: list[bytes]) -> None:
        """Pass on the beginning of a very long line."""
        if self._header is not None:
            self._to_body(out)
        part, self._carry = self._carry[:_LINE_LIMIT], self._carry[_LINE_LIMIT:]
        out.append(_quoted(part) + b"=\r\n" if self._encodes else part)
        self._in_line = True

    def _to_body(self, out: list[bytes]) -> None:
        """Give up a header: too long to be one."""
        out += [line + b"\r\n" for line in self._header or ()]
        self._header = None
        self._encodes = False

    def _at_boundary(self, line: bytes, out: list[bytes]) -> bool:
        """End parts when the line is the boundary of a multipart we are in, and begin the next."""
        for level in range(len(self._boundaries) - 1, -1, -1):
            boundary = self._boundaries[level]
            if not line.startswith(boundary, 2):
                continue
            if self._header:
                out += [header + b"\r\n" for header in self._header]
            closes = line.startswith(b"--", 2 + len(boundary))
            kept = level if closes else level + 1
            in_digest = self._digests[level]
            del self._boundaries[kept:], self._digests[kept:]
            self._default = b"message/rfc822" if in_digest else b"text/plain"  # RFC 2046 5.1.5
            self._header = None if closes else []
            self._header_size = 0
            self._encodes = False
            out += (line, b"\r\n")
            return True
        return False

    # --- headers

    def _end_header(self, out: list[bytes]) -> None:
        header = b"".join([line + b"\r\n" for line in self._header or ()])
        self._header = None
        self._encodes = False
        fields = re.split(rb"\r\n(?![ \t])", header)
        kind, boundary = self._type_of(fields)
        encoding = next((m[1].lower() for f in fields if (m := _ENCODING.match(f))), b"7bit")
        composite = kind.startswith((b"multipart/", b"message/"))
        if encoding in (b"8bit", b"binary"):
            self._encodes = not composite
            new = b"7bit" if composite else b"quoted-printable"
            fields = [b"Content-Transfer-Encoding: " + new if _ENCODING.match(f) else f for f in fields]
            encoding = new
        out += (b"\r\n".join(fields), b"\r\n")
        if encoding != b"7bit":
            return
        if kind.startswith(b"multipart/") and boundary and len(self._boundaries) < _NESTING_LIMIT:
            self._boundaries.append(boundary)
            self._digests.append(kind == b"multipart/digest")
        elif kind == b"message/rfc822":
            self._header = []
            self._header_size = 0
            self._default = b"text/plain"

    def _type_of(self, fields: list[bytes]) -> tuple[bytes, bytes]:
        """Return type/subtype in small letters, and the boundary."""
        for field in fields:
            if match := _TYPE.match(field):
                boundary = _BOUNDARY.search(field)
                value = b"" if boundary is None else boundary[1] or boundary[2] or b""
                return b"%b/%b" % (match[1].lower(), match[2].lower()), re.sub(rb"\\(.)", rb"\1", value)
        return self._default, b""


def _quoted(line: bytes) -> bytes:
    """Return a line in quoted-printable: pieces of at most 76 characters (RFC 2045 6.7)."""
    return b2a_qp(line).replace(b"=\n", b"=\r\n")
