"""What is on its way to the peer, and what the parts of the sending half share.

A `Flight` joins the scoreboard (which bytes) with the sent log (which transmissions), and keeps beside them what is
known of the path and what the session allows. `Outbound` decides what goes out, `Settling` takes acknowledgments and
finds losses, `ProbeTimer` breaks the silence, `Tail` hastens the end; each of them changes the flight by the few
methods here.

Invariant: every byte below `scoreboard.next_offset` is acknowledged, lost, in a run of the log that is in flight, or
left to the sums of the block.
"""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.congestion import CongestionController, PhaseOutcome
from surewire.core.delivery import DeliverySampler
from surewire.core.loss import LossShare
from surewire.core.pacer import Pacer
from surewire.core.probing import Probing, TailEffort
from surewire.core.repair_block import RepairBlock, RepairRun
from surewire.core.rtt import RttEstimator
from surewire.core.scoreboard import Scoreboard
from surewire.core.send_rules import SendRules
from surewire.core.sent_log import SentLog, SentRun, Snapshot
from surewire.core.timers import TimerTable


class OutboundStats:
    """Counters of the sending half."""

    __slots__ = ("lost_bytes", "probes", "reordered", "spurious_bytes", "spurious_segments", "sums")

    def __init__(self) -> None:
        self.lost_bytes = 0
        self.spurious_segments = 0  # declared lost, arrived after all
        self.spurious_bytes = 0  # in these
        self.reordered = 0
        self.probes = 0
        self.sums = 0  # datagrams that carried sums of others


class Flight:
    """The state of one direction of a connection, without rules of its own."""

    __slots__ = (
        "advanced_at",
        "block",
        "config",
        "controller",
        "log",
        "loss_share",
        "pacer",
        "probing",
        "rtt",
        "rules",
        "sampler",
        "scoreboard",
        "stats",
        "timers",
    )

    def __init__(
        self,
        *,
        size: int | None,
        segment: int,
        config: TransportConfig,
        controller: CongestionController,
        rtt: RttEstimator,
        timers: TimerTable,
        now: int,
    ) -> None:
        self.scoreboard = Scoreboard(size)
        self.log = SentLog()
        self.rtt = rtt
        self.controller = controller
        self.stats = OutboundStats()
        self.rules = SendRules(segment=segment, config=config)
        self.config = config
        self.timers = timers
        self.sampler = DeliverySampler(now)
        self.pacer = Pacer(segment=segment, now=now)
        self.probing = Probing(TailEffort(share=config.tail_effort, spared=config.tail_effort_spared))
        self.loss_share = LossShare()
        self.block: RepairBlock | None = None  # of the end that was reached last, if sums of it are sent
        self.advanced_at = now  # when bytes that were missing were acknowledged, or nothing was missing, last

    @property
    def is_window_closed(self) -> bool:
        """True when the peer has all the bytes it allowed, and there are more."""
        return self.rules.max_offset <= self.scoreboard.una < self.scoreboard.size

    @property
    def is_at_end(self) -> bool:
        """True where a format that has spares is at the end of what is waited for, and the peer has room for it."""
        return self.rules.has_spares and self.scoreboard.is_at_end and not self.is_window_closed

    @property
    def path_loss(self) -> float:
        """The share of what is sent that is lost, 0..1, by what is known of either direction; 0 while nothing is."""
        return max(self.loss_share.share, self.rules.peer_loss)

    def transmit(self, start: int, stop: int, *, now: int, retransmission: bool, is_single: bool = False) -> SentRun:
        """Log bytes as sent, in segments; or in one (`is_single`), though they may have become shorter since."""
        segment, length = self.rules.segment, min(stop, self.scoreboard.size) - start
        if is_single and length > segment:
            segment = length
        run = SentRun(
            first=self.log.next_number,
            count=max(-(-length // segment), 1),
            offset=start,
            nbytes=stop - start,
            segment=segment,
            sent_at=now,
            retransmission=retransmission,
            snapshot=self._snapshot(start, stop, now),
        )
        self.log.append(run)
        if self.scoreboard.una >= self.scoreboard.next_offset:
            self.advanced_at = now
        self.scoreboard.on_sent(start, stop)
        self.pacer.on_sent(run.nbytes)
        return run

    def _snapshot(self, start: int, stop: int, now: int) -> Snapshot:
        in_flight = self.log.bytes_in_flight
        return self.sampler.snapshot(start, stop, now=now, bytes_in_flight=in_flight, phase=self.controller.phase)

    def transmit_sum(self, block: RepairBlock, *, now: int) -> RepairRun:
        """Log a sum of datagrams of the block as sent."""
        offset, nbytes = self.scoreboard.next_offset, block.segment
        run = RepairRun(
            first=self.log.next_number,
            count=1,
            offset=offset,
            nbytes=nbytes,
            segment=nbytes,
            sent_at=now,
            retransmission=True,
            snapshot=self._snapshot(offset, offset + nbytes, now),
        )
        run.block, run.halvings = block, block.tally.halvings(self.loss_share.share)
        self.log.append(run)
        self.pacer.on_sent(nbytes)
        block.tally.on_sum_sent()
        self.stats.sums += 1
        return run

    @property
    def owes(self) -> bool:
        """True when bytes that were lost are left to the sums of the block."""
        if self.scoreboard.una >= self.scoreboard.next_offset:
            return False
        return self.block is not None and bool(self.block.owed)

    def give_block_up(self) -> None:
        """Let what of the block was lost go out again as everything does."""
        block = self.block
        if block is None or block.is_given_up:
            return
        block.is_given_up = True
        for start, stop in block.owed:
            self.scoreboard.on_lost(start, stop)
        block.owed.clear()
        block.symbols.clear()

    def on_lost(self, lost: list[SentRun], now: int) -> None:
        """No acknowledgment showed it, but these runs are lost: let their bytes go out again, and tell the controller.

        None of them: nothing happens.
        """
        if lost:
            self.controller.on_lost(self.take_back(lost), now=now)

    def take_back(self, lost: list[SentRun]) -> list[PhaseOutcome]:
        """Let the bytes of these runs, lost as the log has it, go out again; what the controller is to hear of it."""
        if not lost:
            return []
        is_at_end, block = self.is_at_end, self.block
        if is_at_end:
            self.probing.cover.reach(self.scoreboard.next_offset)
        for run in lost:
            self.stats.lost_bytes += run.nbytes
            self.loss_share.take(lost=run.nbytes)
            self.loss_share.on_lost(run.first, run.count)
            is_left_to_sums = block is not None and block.on_lost(run)
            if isinstance(run, RepairRun):
                continue
            missing = self.probing.without_copies(run)
            if block is not None and is_left_to_sums:
                block.owed += missing
                continue
            if is_at_end:
                self.probing.cover.on_lost(run)
            for low, high in missing:
                self.scoreboard.on_lost(low, high)
        return [PhaseOutcome(run.snapshot.phase, 0, run.nbytes) for run in lost]
