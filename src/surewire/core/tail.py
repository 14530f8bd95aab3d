"""What is sent when everything has been sent and only what is missing keeps it from being over.

At the end of a stream, or of a file in it, there is capacity to spare and nothing new to use it for, while each loss
costs a round trip to find and another to repair. So a little is spent before it is asked for, out of the budget of
`TailEffort`:

- formats that probe by a ping (`Probe.PING`) repeat repairs, and ask early what has arrived;
- those whose peer works out what is lost (`rules.repair_window`) send sums of what is in flight (`sums`);
- others with `rules.has_spares`, at the end of what is waited for and on a path that is known to lose, send again what
  was sent last, once, the newest first: that is what the end waits for, and the rest is about to be acknowledged. Where
  so much is lost that copies would be lost, too, these are few. Repairs follow, as often as it takes that one of each
  arrives (`cover`). Then comes a word: a ping, or the last bytes themselves if they are as
  short; so what was sent last is overtaken by something, and found lost, without a probe timeout.

Every copy has a packet number of its own, so it counts as a delivery, as a round trip or as a loss like any other
transmission, and what it costs shows in the bytes sent; bytes that another copy brought are not sent again.

Nothing is repeated while there are new bytes, or known losses: bulk pays for its end only. A word that nothing follows,
and that nobody has said to be waited for, is said again and nothing else: of a dialogue each may be one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import takewhile
from math import ceil, log

from surewire.core.cover import MOST_UNDER_WAY
from surewire.core.flight import Flight
from surewire.core.rtt import GRANULARITY
from surewire.core.scoreboard import WORD
from surewire.core.send_rules import Probe
from surewire.core.sent_log import SentRun
from surewire.core.sums import Sums
from surewire.core.timers import Timer

# A name of its own: Python 3.11 takes longer to look up a member of an enumeration than to call a method.
_PACING = Timer.PACING

_PING_COST = 110  # bytes: a ping and its acknowledgment with the headers of the layers below
_SPARED_EIGHTHS = 3  # of a round trip: what was sent before that is repaired nearly as soon as a copy would be there
_COPIES_A_LOSS = 20  # for each that is expected: where hardly anything is lost, copies gain hardly anything
_LOST_TWICE = 1  # segment expected to be lost with their copies: where more are, a round trip of repairs comes anyway
_ENOUGH = (2, MOST_UNDER_WAY)  # of the same segment, or words for each step that the end makes: at least and at most
_SILENCED = 0.02  # so rarely all of them are lost, where as many as are allowed reach that
_MOST_REPEATS = 32  # in datagrams that leave anyway: who takes none of these does not want it
_WORDS_A_ROUND_TRIP = 8  # so that the first comes when what was sent before it can be told from what is late


class Tail:
    """Makes the copies, and the early pings."""

    __slots__ = ("_flight", "_repeats", "_sums", "_words", "_words_since")

    def __init__(self, flight: Flight) -> None:
        self._flight = flight
        self._sums = Sums(flight)
        self._words = 0  # that left since something was acknowledged that was missing,
        self._words_since = 0  # at this time
        self._repeats = 0  # of the last bytes since then, in other datagrams

    @property
    def is_open(self) -> bool:
        """True at the end of what is waited for, where copies of what is missing may go out."""
        flight, board = self._flight, self._flight.scoreboard
        return flight.is_at_end and not board.has_lost and flight.path_loss > 0

    def leave_block(self) -> None:
        """See `Sums.leave`."""
        self._sums.leave()

    def on_repaired(self, start: int, stop: int) -> None:
        """Bytes [start, stop) were sent again, and there was nothing else to send."""
        flight = self._flight
        if flight.is_at_end:
            flight.probing.cover.reach(flight.scoreboard.next_offset)
            flight.probing.cover.on_repaired(start, stop, flight.rules.segment)
        elif not flight.rules.has_spares:
            flight.probing.effort.on_repaired(start, stop)

    def hasten(self, now: int, *, rate: int, allowance: int, window: int) -> list[SentRun]:
        """What goes out now that nothing demands it.

        `allowance` bytes may by the pacer, which earns more at `rate` (bytes a second), and `window` by the window.
        """
        if self._flight.rules.probe is Probe.PING:
            return self._ask_early(now)
        if not self.is_open:
            return []
        may_leave = partial(self._may_leave, rate=rate, allowance=allowance, window=window)
        if self._flight.scoreboard.is_word:
            return self._say_word(now, may_leave)
        sums = self._sums
        if sums.is_new_end:
            if sums.may_come and not may_leave(self._flight.rules.segment):
                return []
            sums.begin()
        block = sums.due()
        if block is not None:
            return [sums.send(block, now=now)] if may_leave(block.segment) else []
        copy = self._next_copy(now)
        if copy is None:
            return self._say_word(now, may_leave)
        return [self._send_copy(*copy, now)] if may_leave(copy[1] - copy[0]) else []

    def _may_leave(self, length: int, *, rate: int, allowance: int, window: int) -> bool:
        """True when so many bytes may go out now; else an acknowledgment makes room, or the pacer is waited for."""
        if allowance < length <= window:
            self._flight.timers.arm(_PACING, self._flight.pacer.next_send_at(rate, waiting=length))
        return length <= min(window, allowance)

    def _next_copy(self, now: int) -> tuple[int, int] | None:
        """What is worth a copy that there is budget for, at most a segment."""
        flight, cover = self._flight, self._flight.probing.cover
        cover.reach(flight.scoreboard.next_offset)
        if not cover.has_spares:
            since = now - flight.rtt.smoothed_rtt * _SPARED_EIGHTHS // 8
            fresh = list(takewhile(lambda run: run.sent_at >= since, reversed(flight.log.in_flight())))
            cover.take_spares(fresh, most=self._worth(sum(run.nbytes for run in fresh)))
        copy = cover.next_copy(flight.scoreboard, self._enough)
        if copy is None:
            return None
        start, stop = copy[0], flight.scoreboard.cut(*copy, flight.rules.segment)
        effort = flight.probing.effort
        return (start, stop) if effort.may_spend(stop - start, sent_total=flight.log.sent_total) else None

    def _worth(self, fresh: int) -> int:
        """How many of so many bytes that were sent last are worth a copy before it is known whether they arrived."""
        share = self._flight.loss_share.share
        hit = int(min(share * _COPIES_A_LOSS, 1.0) * fresh)
        return min(hit, int(_LOST_TWICE * self._flight.rules.segment / share**2)) if share else 0

    def _send_copy(self, start: int, stop: int, now: int) -> SentRun:
        self._flight.probing.cover.on_copied()
        self._flight.probing.effort.spend(stop - start)
        return self._flight.transmit(start, stop, now=now, retransmission=True)

    def _say_word(self, now: int, may_leave: Callable[[int], bool]) -> list[SentRun]:
        """Ask what has arrived, or say the last bytes again, a few times in the round trip after the last datagram."""
        flight, board = self._flight, self._flight.scoreboard
        if self._words_so_far >= self._enough:
            return []
        due = flight.log.newest_sent_at + max(flight.rtt.smoothed_rtt // _WORDS_A_ROUND_TRIP, GRANULARITY)
        if now < due:
            flight.timers.arm(_PACING, due)
            return []
        piece = self._short_end
        if piece is not None and not may_leave(piece[1] - piece[0]):
            return []
        self._words += 1
        if piece is None:
            return [flight.transmit(board.next_offset, board.next_offset, now=now, retransmission=False)]
        return [flight.transmit(*piece, now=now, retransmission=True)]

    @property
    def _short_end(self) -> tuple[int, int] | None:
        """The lowest bytes that are missing, if they are as short as a word."""
        piece = self._flight.scoreboard.next_unacked(0, self._flight.rules.segment)
        return piece if piece is not None and piece[1] - piece[0] <= WORD else None

    @property
    def _words_so_far(self) -> int:
        """Words since something that was missing was acknowledged: where long datagrams vanish, or nothing of ours is
        acknowledged, they would call for ever more.
        """
        if self._words_since != self._flight.advanced_at:
            self._words_since = self._flight.advanced_at
            self._words = self._repeats = 0
        return self._words

    def repeat(self, now: int) -> SentRun | None:
        """The last bytes once more, where a datagram leaves anyway and they are so short that they cost nothing."""
        piece = self._short_end if self.is_open and not self._is_limited else None
        if piece is None or self._words_so_far + self._repeats >= _MOST_REPEATS:
            return None
        self._repeats += 1
        return self._flight.transmit(*piece, now=now, retransmission=True)

    @property
    def _is_limited(self) -> bool:
        """True of words where the rate has a limit: those that ride go past the pacer."""
        return self._flight.rules.max_rate is not None and self._flight.scoreboard.is_word

    @property
    def _enough(self) -> int:
        """How many words are said, or segments sent of what was lost: as many as it takes that one of them arrives.

        Of a word that is one of many, maybe, the first counts, and none follows where hardly anything is lost.
        """
        least, most = _ENOUGH
        enough = ceil(log(_SILENCED) / log(min(self._flight.path_loss, 0.99)))
        return min(enough - 1, most) if self._flight.scoreboard.is_word else min(max(enough, least), most)

    def _ask_early(self, now: int) -> list[SentRun]:
        flight, board, effort = self._flight, self._flight.scoreboard, self._flight.probing.effort
        if board.una >= board.next_offset:
            return []
        if board.has_unsent or board.has_lost:  # the window or the pacer holds it back
            return []
        sent_total = flight.log.sent_total
        copy = effort.next_copy(board)
        if copy is not None and effort.may_spend(copy[1] - copy[0], sent_total=sent_total):
            effort.drop_copy(copy[1])
            effort.spend(copy[1] - copy[0])
            return [flight.transmit(*copy, now=now, retransmission=True, is_single=True)]
        if not effort.may_spend(_PING_COST, sent_total=sent_total):
            return []
        due = flight.log.newest_sent_at + flight.config.tail_ping_interval
        if now < due:
            flight.timers.arm(_PACING, due)
            return []
        effort.spend(_PING_COST)
        return [flight.transmit(board.next_offset, board.next_offset, now=now, retransmission=False)]
