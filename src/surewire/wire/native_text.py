"""The short texts with which one side tells the other why it ends: UTF-8, at most 255 bytes, one line.

They come from a stranger and end on somebody's terminal. So control characters and line separators are no
legal text: they could move the cursor, rename the window or fake a second line.
"""

from __future__ import annotations

import re

from surewire.errors import MalformedSegment
from surewire.wire.segment import Buffer

MAX_TEXT = 255  # bytes

# Category Cc, which Unicode has promised never to change, and the two separators that end a line.
_UNWANTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def emit(text: str) -> bytes:
    """`text` as it may be sent: "?" for what may not stand in it, cut off behind a whole character. Never fails."""
    clean = _UNWANTED.sub("?", text).encode("utf-8", "replace")
    return clean[:MAX_TEXT].decode("utf-8", "ignore").encode("utf-8")


def parse(data: Buffer) -> str:
    """The text in all of `data`.

    Raises:
        MalformedSegment: too long, not UTF-8, or with control characters.
    """
    if len(data) > MAX_TEXT:
        raise MalformedSegment(f"a text of more than {MAX_TEXT} bytes")
    try:
        text = bytes(data).decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedSegment("a text that is not UTF-8") from None
    if _UNWANTED.search(text):
        raise MalformedSegment("a text with control characters")
    return text
