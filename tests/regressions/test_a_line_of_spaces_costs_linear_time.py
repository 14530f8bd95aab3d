"""A header line of a thousand spaces that is no field took the parser ten minutes.

It tried every way to share the spaces out among four parts of its pattern.
"""

from __future__ import annotations

import pytest

from surewire.errors import MalformedSegment
from surewire.wire import text


@pytest.mark.parametrize("blank", [b" ", b"\t", b" \t"])
def test_a_line_of_spaces_and_a_stray_carriage_return_is_refused_at_once(blank: bytes) -> None:
    line = (b"A" + blank * 900)[:900] + b"\rX"
    with pytest.raises(MalformedSegment):
        text.parse(b"Magic: CSC361\nType: ACK\n" + line + b"\n\n")


def test_spaces_around_a_value_are_no_part_of_it() -> None:
    segment = text.parse(b"Magic \t: CSC361 \t\r\nType  ACK\nAcknowledgment:12  \r\nWindow \t 7\t\n\n")
    assert (segment.magic, segment.number, segment.window) == (b"CSC361", 12, 7)
