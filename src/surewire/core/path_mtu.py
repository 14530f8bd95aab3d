"""How large a datagram the path takes: packetization layer path MTU discovery (RFC 8899, RFC 9000 §14.3).

Not the sending: the connection asks `poll_probe`, sends a datagram padded to that size with the "don't fragment" bit,
and tells here what became of it. Sizes are bytes of UDP payload. No ICMP message is read (RFC 8899 §4.6.1 allows
it): anybody could forge one. A refusal by the local interface is believed, it comes from the own kernel.

The search. `size` is the largest that has passed. Probes go out one at a time:

1. sizes that networks usually have, upward: 1,472 (Ethernet under IPv4), 8,972 (jumbo frames), the ceiling (loopback).
   When one fails, the same link under IPv6 is tried: 20 bytes less.
2. when one of these has passed and a larger one failed, the smallest size that would be worth having;
3. bisection, until the smallest failed size is less than `granularity` above: within 1.6%, or 16 bytes.

A size fails when two probes of it are lost. That is quick, and on a lossy path often wrong, so the search does not end
there: the smallest failed size, which alone bounds the result, gets six more, during which `size` is in use.
If one of the eight passes the search goes on above. With 15% random loss each way, and an acknowledgment that
gets only one chance, a probe fails with q = 1 - 0.85**2 = 0.28 and eight in a row with q**8 = 3.5e-5. A search tries at
most 17 sizes that the path takes, so at most 6 in 10,000 end low. Every minute the bound is tried again.

A lost probe is judged by time, and counts only if something has been acknowledged since it was sent, and not after a
long silence: an outage says nothing of sizes. A late acknowledgment is proof as good as an early one.

Black holes (RFC 8899 §4.3): after the second probe timeout in a row, or the third since a datagram larger than `base`
was acknowledged, `size` falls to `base`. When acknowledgments come again, the old size is probed first: an outage that
looked the same costs one round trip.

Invariants: base <= size <= ceiling; the sizes in `_failed` fall, and all are above `size`.
"""

from __future__ import annotations

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import ConfigError

BASE = 1200
"""A datagram that every path has to take (RFC 9000 §14), in bytes."""

TRIES = 8
"""Lost probes after which a size is given up for `RAISE_INTERVAL`; see above for the chance of being wrong."""

RAISE_INTERVAL = 60 * NS_PER_S
"""Wait before the bound is tried again. RFC 8899 §5.1.1 says 600 s; most transfers are over by then."""

_FIRST_TRIES = 2  # lost probes after which the search goes on below
_RAISE_TRIES = 3  # probes of the bound when it is tried again (RFC 8899 §5.1.2, MAX_PROBES)
_MOST_PTOS = 3  # probe timeouts without a large datagram acknowledged
_SHORTEST_WAIT = 20 * NS_PER_MS  # a peer may be off its processor for so long
_USUAL = (1472, 8972)
_IPV6_LESS = 20
_LONG_AGO = 1
_NEVER = 1 << 63


def granularity(size: int) -> int:
    """How much more than `size` is worth a probe, in bytes."""
    return max(16, size >> 6)


class _Tried:
    """A size, and how many probes of it were lost."""

    __slots__ = ("losses", "size")

    def __init__(self, size: int, losses: int = 0) -> None:
        self.size = size
        self.losses = losses


class PathMtu:
    """`size`, and the probes that find it.

    Call `poll_probe` whenever something may be sent and at `next_deadline`. Tell of all that happens:
    `on_probe_sent`, `on_progress` and (while `probe_number` is not None) `on_acked` for each acknowledgment,
    `on_pto`, `on_too_long`. A path that leads elsewhere needs a new object.
    """

    __slots__ = (
        "_blame_until",
        "_ceiling",
        "_due",
        "_failed",
        "_is_fixed",
        "_is_stalled",
        "_known",
        "_probes",
        "_progress_at",
        "_ptos",
        "_sent_at",
        "_trying",
        "base",
        "probe_number",
        "size",
    )

    def __init__(self, *, base: int = BASE, ceiling: int, fixed: int | None = None, now: int) -> None:
        """Begin at `base`; the first probe is due after the first `on_progress`.

        Args:
            base: bytes that are taken to pass, > 0.
            ceiling: most bytes that both sides and the socket take, >= base.
            fixed: the size to use without any search, `base`..`ceiling`.
            now: ns.

        Raises:
            ConfigError: these contradict each other.
        """
        if not 0 < base <= ceiling:
            raise ConfigError(f"a path of datagrams of {base} to {ceiling} bytes is none")
        if fixed is not None and not base <= fixed <= ceiling:
            raise ConfigError(f"a datagram size of {fixed} bytes is not between {base} and {ceiling}")
        self.base = base
        self.size = base if fixed is None else fixed
        self.probe_number: int | None = None  # lowest number of a probe whose acknowledgment would say something
        self._ceiling = ceiling
        self._is_fixed = fixed is not None
        self._failed: list[_Tried] = []
        self._trying: _Tried | None = None
        self._probes: dict[int, int] = {}  # number: size, the latest ones
        self._sent_at = now
        self._progress_at = now
        self._blame_until = (
            now  # a silence that lasts longer is an outage, and the probe may have gone with all the rest
        )
        self._due = _NEVER  # from when on poll_probe has something to do
        self._is_stalled = fixed is None  # nothing to do before the next acknowledgment
        self._known = 0  # what had passed before a black hole was suspected
        self._ptos = 0

    @property
    def is_searching(self) -> bool:
        """Whether a larger size may still be found before the next `RAISE_INTERVAL` is over."""
        if self._is_fixed:
            return False
        return self._is_stalled or self._trying is not None or self._choose() is not None

    def next_deadline(self) -> int | None:
        """When to call `poll_probe` although nothing else happens, or None."""
        return self._due if _LONG_AGO < self._due < _NEVER else None

    def poll_probe(self, *, now: int) -> int | None:
        """The size of the probe that should go out now, or None. The same again until `on_probe_sent`."""
        if now < self._due:
            return None
        if self._due and self._trying is not None:
            if self._progress_at <= self._sent_at:
                self._stall()
                return None
            self._on_probe_lost(self._trying)
        elif self._due:  # the bound has been left alone for long enough
            self._failed[-1].losses = TRIES - _RAISE_TRIES
        if self._trying is None:
            self._trying = self._choose()
        if self._trying is None:
            self._due = now + RAISE_INTERVAL if self._failed else _NEVER
            self._forget_probes()
            return None
        self._due = 0
        return self._trying.size

    def on_probe_sent(self, number: int, size: int, *, pto: int, now: int) -> None:
        """The probe went out as packet `number`; `pto` is the probe timeout now, without back-off (ns)."""
        if self._trying is None or self._trying.size != size:
            return
        self._probes[number] = size
        if len(self._probes) > TRIES:
            del self._probes[next(iter(self._probes))]
        self.probe_number = next(iter(self._probes))
        self._sent_at = now
        # Later probes wait longer: on a slow path a large one may need more than the timeout of small ones.
        wait = max(pto, _SHORTEST_WAIT) << min(self._trying.losses, 2)
        self._due = now + wait
        self._blame_until = now + 3 * wait

    def on_acked(self, start: int, stop: int, *, now: int) -> None:
        """Packets [start, stop) arrived. Only needed while `probe_number` is not None; may name them repeatedly."""
        passed = [number for number in self._probes if start <= number < stop]
        if passed:
            self._on_passed(max(self._probes[number] for number in passed), now)

    def on_progress(self, *, now: int, size: int | None = None) -> None:
        """An acknowledgment settled something; `size` is the largest datagram among it, if that is known."""
        self._progress_at = now
        if self._ptos and (size is None or size > self.base):
            self._ptos = 0
        if self._is_stalled:
            self._is_stalled = False
            # Either the next poll_probe counts the probe as lost, or it sends another one.
            self._due = _LONG_AGO if self._trying is not None and now <= self._blame_until else 0

    def on_pto(self, count: int, *, now: int) -> None:
        """The probe timeout passed, the `count`-th time in a row (1 is the first)."""
        if self._is_fixed or self.size == self.base:
            return
        if self._trying is None:  # else a lost probe may be all that there is to it
            self._ptos += 1
        if count >= 2 or self._ptos >= _MOST_PTOS:
            self._known = self.size
            self._fall()

    def on_too_long(self, size: int, *, now: int) -> None:
        """The local interface refused a datagram of `size` bytes. One of `base` or less cannot be helped here."""
        if size <= self.base:
            return
        if self._is_fixed:
            self.size = self.base if size <= self.size else self.size
            return
        if self._trying is not None and self._trying.size >= size:
            self._trying = None
            if not self._is_stalled:
                self._due = 0
        if not self._failed or size <= self._failed[-1].size:
            # A refusal needs no second try, and what failed above it may be found again if it ever passes.
            self._failed = [_Tried(size, TRIES)]
            if size <= self.size:
                self._known = 0
                self._fall()

    def _on_passed(self, size: int, now: int) -> None:
        self._progress_at = now
        self._ptos = 0
        if size <= self.size:
            return
        self.size = size
        if self._failed and self._failed[-1].size <= size:
            # What was taken for too large is not: no larger failure deserves to be believed.
            self._failed.clear()
        self._probes = {n: probed for n, probed in self._probes.items() if probed > size}
        self.probe_number = next(iter(self._probes), None)
        if self._trying is None or self._trying.size <= size:
            self._trying = None
            self._is_stalled = False
            self._due = 0

    def _on_probe_lost(self, tried: _Tried) -> None:
        tried.losses += 1
        is_bound = bool(self._failed) and self._failed[-1] is tried
        if tried.losses >= (TRIES if is_bound else _FIRST_TRIES):
            self._trying = None
            if not is_bound:
                self._failed.append(tried)

    def _choose(self) -> _Tried | None:
        """What to try next; None when the search is over."""
        if not self._failed:
            upward = [size for size in (self._known, *_USUAL, self._ceiling) if self.size < size <= self._ceiling]
            return _Tried(upward[0]) if upward else None
        bound = self._failed[-1]
        if bound.size - self.size <= granularity(self.size):
            return bound if bound.losses < TRIES else None
        return _Tried(self._between(bound.size))

    def _between(self, bound: int) -> int:
        """A size that may pass although `bound` failed."""
        low = self.size
        if low < self._known < bound:
            return self._known
        for usual in _USUAL:
            if low < usual < bound:
                return usual
            if low < usual - _IPV6_LESS < bound <= usual:
                return usual - _IPV6_LESS
        if low in _USUAL or low + _IPV6_LESS in _USUAL:
            return low + granularity(low)
        return (low + bound) // 2

    def _fall(self) -> None:
        self.size = self.base
        self._ptos = 0
        self._trying = None
        self._forget_probes()
        self._stall()

    def _stall(self) -> None:
        self._is_stalled = True
        self._due = _NEVER

    def _forget_probes(self) -> None:
        self._probes.clear()
        self.probe_number = None
