"""Names of files as they are told: the bytes of one need not be text."""

from __future__ import annotations


def legible(text: str) -> str:
    """A text that any file can hold: bytes of a name that are no UTF-8 become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
