"""Frames that go out at once, each in a datagram of its own, and the round trips of those that ask for an answer.

A side that only receives has no other way to know the round trip, which says when its end, or a ping, is worth
repeating. `Outbound` has samples from datagrams with bytes of the stream; what is known here is no sample of a rate.
"""

from __future__ import annotations

from collections import deque

from surewire.wire import native_frames as frames

_PING = frames.emit_ping()
_MOST = 16  # pings that wait for an answer: more only where nobody answers


class Words:
    """What waits to be said; then the packet numbers of pings, and when each left."""

    __slots__ = ("_sent_at", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._sent_at: dict[int, int] = {}

    def say(self, frame: bytes) -> None:
        """Let a frame, or several, go out in a datagram."""
        self._waiting.append(frame)

    def poll(self) -> bytes:
        """What goes out next; b"" when there is nothing."""
        return self._waiting.popleft() if self._waiting else b""

    def on_sent(self, word: bytes, number: int, *, now: int) -> None:
        """A word, or an acknowledgment without one, left with this packet number."""
        if not word.startswith(_PING):
            return
        if len(self._sent_at) >= _MOST:
            del self._sent_at[next(iter(self._sent_at))]
        self._sent_at[number] = now

    def on_acked(self, latest: int, *, now: int) -> int | None:
        """The time (ns) from the ping with this number, which arrived last, to its acknowledgment; None if it was none.

        Only once for each: a second acknowledgment of it may be a late one.
        """
        sent_at = self._sent_at.pop(latest, None) if self._sent_at else None
        return None if sent_at is None else max(now - sent_at, 1)
