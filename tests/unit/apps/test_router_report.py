"""What the router says of a server from which nothing came."""

from __future__ import annotations

import pytest

from surewire.apps.router_report import silence
from surewire.drivers.relay_config import RelayStats
from surewire.impair import LinkStats


@pytest.mark.parametrize(
    ("to_server", "from_server", "errors", "said"),
    [
        (0, 0, 0, None),
        (0, 0, 1, None),
        (3, 1, 0, None),
        (3, 1, 2, None),
        (3, 0, 0, "from another port"),
        (3, 0, 2, "nothing listens"),
    ],
)
def test_silence_is_told_when_the_server_had_something_to_answer(
    to_server: int, from_server: int, errors: int, said: str | None
) -> None:
    up = LinkStats(offered=to_server, delivered=to_server)
    text = silence(up, LinkStats(offered=from_server), RelayStats(icmp_errors=errors))

    assert (text is None) == (said is None)
    assert said is None or (text is not None and said in text)
