"""The keys of one connection over time: a bit in each header says which of two successive ones sealed it.

Each direction changes its key by itself. A sender does so before the key has protected as many datagrams as
its cipher allows, but not again before the peer has acknowledged a datagram of the present phase: so the peer
is never more than one change behind. A receiver that opens a datagram with the next key has moved on; it keeps
the previous key for what was overtaken, until the next change.
"""

from __future__ import annotations

from surewire.native.security import KeyPair, Protection
from surewire.wire.native_datagram import KEY_PHASE, SHORT_FORM
from surewire.wire.slots import Slots

_SPARE = 16  # a key is changed when all but this share of what it may protect is used up


class SendingKeys:
    """What seals; `phase` is the bit in the header."""

    __slots__ = ("_changed_at", "_limit", "_protection", "ask_again_at", "is_worn_out", "phase", "updates")

    def __init__(self, protection: Protection, *, update_after: int | None) -> None:
        limit = protection.packets_limit
        self._limit = min(update_after or limit, limit - limit // _SPARE)
        self._protection = protection
        self._changed_at = 0  # packet number with which the present phase began
        self.phase = 0
        self.updates = 0
        self.ask_again_at = 0  # number from which on the peer may be asked to acknowledge the present key
        self.is_worn_out = False
        """All that the key may protect is used up, and the peer lets it not be changed (RFC 9001 §6.6): the end."""

    @property
    def overhead(self) -> int:
        return self._protection.overhead

    def update_if_due(self, number: int, *, largest_acked: int) -> bool:
        """Change the key before `number` is sealed, if so many datagrams were that it is time to.

        True when it is, but no datagram of the present key is known to have arrived (`largest_acked`).
        """
        if number - self._changed_at < self._limit:
            return False
        if self.updates and largest_acked < self._changed_at:
            self.is_worn_out = number - self._changed_at >= self._protection.packets_limit
            return True
        self._protection = self._protection.successor()
        self._changed_at = number
        self.phase ^= 1
        self.updates += 1
        return False

    def seal(self, slots: Slots, count: int, number: int) -> None:
        """Seal the first `count` datagrams in place, their numbers counted from `number`."""
        self._protection.seal(slots, count, number)


class ReceivingKeys:
    """What opens."""

    __slots__ = ("_began_at", "_next", "_previous", "current", "failures", "form")

    def __init__(self, protection: Protection) -> None:
        self.current = protection
        self.form = SHORT_FORM  # first byte of datagrams of the present phase
        self.failures = 0
        self._next: Protection | None = None  # made when it is first asked for
        self._previous: Protection | None = None
        self._began_at = 0  # number of the first datagram that was opened in the present phase

    @property
    def overhead(self) -> int:
        return self.current.overhead

    @property
    def is_worn_out(self) -> bool:
        """True when so much was forged that the cipher promises nothing any more."""
        return self.failures >= self.current.failures_limit

    def open_other(self, slots: Slots, index: int, number: int) -> bool:
        """Open datagram `index`, whose header does not name the present phase; False when it is not genuine.

        Those of the present phase are opened by `current` directly: that is the way of nearly all of them.
        """
        if number < self._began_at:
            return self._previous is not None and self._previous.open(slots, index, number)
        return self._open_with_next(slots, index, number)

    def _open_with_next(self, slots: Slots, index: int, number: int) -> bool:
        if self._next is None:
            self._next = self.current.successor()
        if not self._next.open(slots, index, number):
            return False
        self._previous, self.current, self._next = self.current, self._next, None
        self.form ^= KEY_PHASE
        self._began_at = number
        return True


class Keys:
    """Both directions."""

    __slots__ = ("receiving", "sending")

    def __init__(self, pair: KeyPair, *, update_after: int | None) -> None:
        self.sending = SendingKeys(pair.sending, update_after=update_after)
        self.receiving = ReceivingKeys(pair.receiving)
