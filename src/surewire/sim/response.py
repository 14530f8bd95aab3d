"""What theory says a lone TCP flow gets: mean windows in segments, for checking the cross traffic, and for comparison.

All take the loss rate p as the share of segments lost, 0 < p <= 1, and the round trip in seconds, > 0. A mean
window of w segments is w * MSS / RTT bytes a second. They hold for long flows without a bottleneck in the way.
"""

from __future__ import annotations

from math import sqrt

_C, _BETA = 0.4, 0.7  # RFC 9438 §4.6, §5


def mathis_window(loss: float, *, acked_together: int = 1) -> float:
    """Reno where losses are rare and evenly spaced: sqrt(3 / (2 b p)) (Mathis et al., 1997, with C = sqrt(3/2)).

    `acked_together` is b, the segments for which the window grows as for one: 1 for a sender that counts bytes.
    """
    return sqrt(3 / (2 * acked_together * loss))


def pftk_window(loss: float, *, rtt: float, timeout: float, acked_together: int = 1) -> float:
    """Reno with retransmission timeouts of `timeout` seconds (Padhye et al., 1998; RFC 5348 §3.1)."""
    repair = timeout * min(1.0, 3 * sqrt(3 * acked_together * loss / 8)) * loss * (1 + 32 * loss * loss)
    return rtt / (rtt * sqrt(2 * acked_together * loss / 3) + repair)


def cubic_window(loss: float, *, rtt: float) -> float:
    """CUBIC where it is not Reno that would be faster, losses evenly spaced (RFC 9438 §5.1, AVG_W_cubic)."""
    return float((_C * (3 + _BETA) / (4 * (1 - _BETA))) ** 0.25 * (rtt / loss) ** 0.75)


def reno_utilisation(buffer: float) -> float:
    """Share of a bottleneck that a lone Reno flow uses when the queue holds `buffer` bandwidth-delay products, >= 0.

    The window w, in such products, grows from half of 1 + buffer to all of it; below 1 the bottleneck idles, above 1
    the round trip is w times as long. What is carried in a cycle, over the time it takes:
    """
    most = 1 + buffer
    least = most / 2
    if least >= 1:
        return 1.0
    return (most**2 - least**2) / 2 / ((1 - least) + (most**2 - 1) / 2)
