"""An SMTP reply: what is said to the client, and what the log says was said."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reply:
    """A three-digit code, an enhanced status code (may be empty), and text; a line feed parts its lines."""

    code: int
    status: str
    text: str

    @property
    def accepts(self) -> bool:
        """Whether the client may go on (2xx and 3xx)."""
        return self.code < 400

    def line(self) -> str:
        """Return ``550 5.1.1 text`` on one line, as log lines have it."""
        text = self.text.replace("\n", " ")
        return f"{self.code} {self.status} {text}" if self.status else f"{self.code} {text}"

    def __bytes__(self) -> bytes:
        # RFC 5321 4.2.1: each line but the last has a hyphen behind the code; RFC 2034 4: and the status.
        head = f"{self.status} " if self.status else ""
        if "\n" not in self.text:
            return f"{self.code} {head}{self.text}\r\n".encode("utf-8", "surrogateescape")
        lines = self.text.split("\n")
        parts = [f"{self.code}-{head}{line}\r\n" for line in lines[:-1]]
        parts.append(f"{self.code} {head}{lines[-1]}\r\n")
        return "".join(parts).encode("utf-8", "surrogateescape")
