"""Text between braces."""

from __future__ import annotations


def inside(text: str) -> str:
    """Return what stands between the outermost braces, trimmed; ValueError when they are not there."""
    text = text.strip()
    if len(text) < 2 or text[0] != "{" or text[-1] != "}":
        raise ValueError(f"missing {{ or }} in {text!r}")
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if depth == 0 and at < len(text) - 1:
            raise ValueError(f"text behind }} in {text!r}")
    if depth:
        raise ValueError(f"a {{ that is not closed in {text!r}")
    return text[1:-1].strip()
