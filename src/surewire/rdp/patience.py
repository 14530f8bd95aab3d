"""What a sender remembers while it waits: its opening, and evidence that the peer is gone."""

from __future__ import annotations

from surewire.wire import text

_UNPROVED_RESETS = 3  # resets without a checksum that make up for it by repetition, in silence otherwise


class Handshake:
    """What the opening has to remember."""

    def __init__(self, *, session: int, now: int) -> None:
        self.session = session
        self.key = text.session_key(session)
        self.opened_at = now
        self.tries = 0
        self.sent_at: list[int] = []  # of each SYN, by packet number


class Patience:
    """Evidence that the peer is gone, since it was last heard."""

    def __init__(self) -> None:
        self.refusals = 0
        self.heard_at: int | None = None
        self._unproved_resets = 0
        self._unproved_at = 0

    def on_heard(self, now: int) -> None:
        self.heard_at = now
        self.refusals = 0
        self._unproved_resets = 0
        self._unproved_at = now

    def is_reset_proved(self, now: int, *, spacing: int) -> bool:
        """Count a reset without checksum, one in `spacing` (ns) at most; True when there have been enough.

        A receiver that lost its state answers every packet with one; a forger can send any number, but
        cannot keep the real receiver's answers from coming in between.
        """
        if now - self._unproved_at >= spacing:
            self._unproved_resets += 1
            self._unproved_at = now
        return self._unproved_resets >= _UNPROVED_RESETS
