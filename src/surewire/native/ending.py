"""How a connection ends well: both sides have all bytes, and both know.

An end mark that is acknowledged is the word that the peer has everything. Whoever acknowledges last cannot
know that this arrived (the two generals' problem), so it stays for a while in TIME-WAIT. A side that needs
the other no longer says DONE, so that nobody has to stay for the whole while.
"""

from __future__ import annotations

from surewire.core.state import FIN_UNACKNOWLEDGED, Input, State, StateMachine
from surewire.core.timers import Timer, TimerTable
from surewire.native.config import NativeConfig
from surewire.native.receiving import Receiving
from surewire.native.sending import Sending
from surewire.wire import native_frames as frames

_PEER_IS_OPEN = (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2)
_PTOS_TO_STAY = 3
LAST_COPIES = 3  # 30 bytes each


class Ending:
    """Follows both ends of a connection's streams through the states."""

    __slots__ = ("_config", "_machine", "_receiving", "_sending", "_timers", "is_done_due")

    def __init__(
        self, config: NativeConfig, machine: StateMachine, timers: TimerTable, sending: Sending, receiving: Receiving
    ) -> None:
        self._config = config
        self._machine = machine
        self._timers = timers
        self._sending = sending
        self._receiving = receiving
        self.is_done_due = False  # the connection is over, and the peer should hear that

    def follow(self, now: int) -> None:
        """Act on an end that was acknowledged, and on the peer's that was reached."""
        machine = self._machine
        if machine.state in FIN_UNACKNOWLEDGED and self._sending.outbound.scoreboard.is_done:
            self.is_done_due = machine.handle(Input.FIN_ACKED) is State.CLOSED
            if machine.state is State.TIME_WAIT:
                self._stay(now)
        is_at_end = machine.state in _PEER_IS_OPEN and self._receiving.incoming.books.is_complete
        if is_at_end and machine.handle(Input.FIN_RECEIVED) is State.TIME_WAIT:
            self._stay(now)

    def _stay(self, now: int) -> None:
        """Nothing is missing here; the peer may still need an acknowledgment that was lost."""
        self._receiving.tracker.make_due()
        self._sending.say(frames.emit_done())
        least, most = self._config.wait_at_end
        wait = _PTOS_TO_STAY * self._sending.outbound.rtt.pto(self._config.transport.max_ack_delay)
        self._timers.arm(Timer.LINGER, now + min(max(wait, least), most))

    @property
    def last_copies(self) -> int:
        """How often the last DONE is said: on a path that loses, nobody may be there any more to say it again."""
        is_lossy = self._sending.outbound.stats.lost_bytes > 0 or self._receiving.tracker.missing_share > 0
        return LAST_COPIES if is_lossy else 1

    def on_peer_done(self) -> None:
        """The peer has everything and needs nothing: so it has our end, if that was ever sent, and all is answered."""
        machine, board = self._machine, self._sending.outbound.scoreboard
        if machine.state in (State.CLOSING, State.LAST_ACK) and board.next_offset > board.size:
            machine.handle(Input.FIN_ACKED)
            self.is_done_due = True
        if machine.state is State.TIME_WAIT:
            machine.handle(Input.TIMEOUT)
