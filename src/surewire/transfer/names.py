"""Which names a file may be given that somebody else has chosen.

A name is one component of a path. Whatever could lead out of the folder, end a name early, or make a terminal or a list
of files show something else than what is there, is refused, not replaced: a sender that is told can choose another one.
"""

from __future__ import annotations

MAX_NAME = 255
"""Bytes in UTF-8, as nearly all file systems have it."""

_SEPARATORS = "/\\"  # the second one means something on other systems, to which a folder may be copied later
# Marks that turn the direction of what follows, spaces without width, line ends beyond ASCII. The joiners 0x200C and
# 0x200D are not among them: several scripts cannot be written without.
_DECEIVING = {0x061C, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF}


def why_not(name: str) -> str | None:
    """Why `name` may not be the name of a received file, as the end of a sentence; None if it may."""
    if not name:
        return "it is empty"
    if name in (".", ".."):
        return "it names a folder"
    if any(separator in name for separator in _SEPARATORS):
        return "it has a separator of folders in it"
    if any(0xD800 <= ord(char) <= 0xDFFF for char in name):
        return "it is not valid Unicode"
    if any(_is_control(ord(char)) for char in name):
        return "it has control characters in it"
    if len(name.encode()) > MAX_NAME:
        return f"it is longer than {MAX_NAME} bytes"
    return None


def _is_control(code: int) -> bool:
    return code < 0x20 or 0x7F <= code < 0xA0 or code in _DECEIVING
