"""The times in the two logs of one transfer fit together: both tools on one machine share a clock."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.commands.rdp_tools import Receiver, router, send, split_output

SIZE = 3_000_000
DAY = 86_400_000_000  # microseconds
ALLOWANCE = 1_000  # microseconds: the two clocks are read one after the other to place them in the day


def later_by(one: int, other: int) -> int:
    """Microseconds from `other` to `one`, negative when it is earlier, also across midnight."""
    return (one - other + DAY // 2) % DAY - DAY // 2


@pytest.mark.parametrize("behind_a_router", [False, True], ids=["direct", "router"])
def test_nothing_is_received_before_it_was_sent(tmp_path: Path, behind_a_router: bool) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(random.Random(2).randbytes(SIZE))
    with Receiver(target) as receiver:
        if behind_a_router:
            with router(receiver.port, "--loss", "10", "--delay", "5") as port:
                sent = send(source, port)
        else:
            sent = send(source, receiver.port)
        received = receiver.wait()
    assert (sent.code, received.code) == (0, 0), (sent.err, received.err)
    there, here = split_output(sent.out)[0], split_output(received.out)[0]
    first_sent = {line.number: line.microseconds for line in there if (line.event, line.type) == ("s", "DAT")}
    arrivals = [line for line in here if (line.event, line.type) == ("r", "DAT")]
    assert len(arrivals) == len(first_sent) > SIZE // 1_024
    early = {
        line.number: by
        for line in arrivals
        if (by := later_by(line.microseconds, first_sent[line.number])) < -ALLOWANCE
    }
    assert not early
