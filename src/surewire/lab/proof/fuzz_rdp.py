"""Runs one RDP case of the fuzzer: a transfer with everything watched that can be."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from surewire.core.events import Closed, Event, ReceivedAll
from surewire.core.state import State
from surewire.core.trains import Buffer
from surewire.errors import DestinationError, DigestMismatch
from surewire.lab.proof.fuzz_case import RdpCase
from surewire.lab.proof.fuzz_expect import deadline_of, is_benign
from surewire.lab.proof.fuzz_world import MAX_DATAGRAMS, ORIGIN, CaseResult, Wiretap, World
from surewire.lab.proof.outcome_checker import SideEnd, TransferRecord, check_transfer
from surewire.lab.proof.rdp_wire_checker import RdpWireChecker
from surewire.lab.proof.session_checker import Watched
from surewire.lab.proof.session_limits import receiver_limits, sender_limits
from surewire.lab.proof.violations import Findings
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.sender import RdpSender
from surewire.sim import Host, Tap
from surewire.transfer.files import MemorySink, MemorySource

SENDER = ("192.168.1.100", 8080)
RECEIVER = ("10.10.1.100", 8080)


class FailingSink(MemorySink):
    """A disk that is full at one write, or a folder in which no file can get its name."""

    def __init__(self, failing_write: int | None, *, fails_to_commit: bool) -> None:
        super().__init__()
        self._left = failing_write
        self._fails_to_commit = fails_to_commit

    def write_at(self, offset: int, pieces: Sequence[Buffer]) -> None:
        """As the memory's, until the disk is full."""
        if self._left is not None:
            if self._left <= 0:
                raise DestinationError("disk full")
            self._left -= 1
        super().write_at(offset, pieces)

    def commit(self, size: int) -> None:
        """As the memory's, unless it fails."""
        if self._fails_to_commit:
            raise DestinationError("no such folder")
        super().commit(size)


class ShrinkingSource(MemorySource):
    """A file of which somebody cuts the last byte off while it is read."""

    def __init__(self, data: bytes, shrinking_read: int | None) -> None:
        super().__init__(data)
        self._left = shrinking_read

    def read_at(self, offset: int, length: int) -> bytes:
        """As the memory's, one byte less at the end in the end."""
        if self._left is not None:
            self._left -= 1
            if self._left < 0 and offset + length >= self.size:
                return super().read_at(offset, length)[:-1]
        return super().read_at(offset, length)


class RdpRun:
    """A transfer in virtual time, as the case says; serves one run."""

    def __init__(
        self,
        case: RdpCase,
        *,
        traced: bool = False,
        taps: Sequence[Tap] = (),
        sink: MemorySink | None = None,
        max_datagrams: int = MAX_DATAGRAMS,
    ) -> None:
        """Ready to run.

        Args:
            case: what to run.
            traced: keep a hash of every datagram.
            taps: told of every datagram beside the checker.
            sink: in place of the case's.
            max_datagrams: after so many the run is cut off, which is a failure.
        """
        rng = random.Random(case.seed)
        findings = Findings()
        checker = RdpWireChecker(RECEIVER, findings, assumed_window=case.sender.assumed_window)
        wiretap = Wiretap((checker, *taps), RECEIVER, keeps=_is_no_reset if case.injections else None)
        self.case = case
        self.world = World(
            case.path, wiretap, findings, random.Random(rng.random()), traced=traced, max_datagrams=max_datagrams
        )
        self.sink = sink or FailingSink(case.failing_write, fails_to_commit=case.failing_commit)
        self._data = random.Random(case.seed + 1).randbytes(case.size)
        self._ends: list[Closed | None] = [None, None]
        source = ShrinkingSource(self._data, case.shrinking_read)
        self._sender = RdpSender(source, RECEIVER, rng=random.Random(rng.random()), now=ORIGIN, config=case.sender)
        self._receiver = RdpReceiver(self.sink, config=case.receiver)
        self._hosts = (
            Host(SENDER, self._watch("sender", self._sender), self._on_sender_event),
            Host(RECEIVER, self._watch("receiver", self._receiver), self._on_receiver_event),
        )
        self._told = 0  # bytes that the sender has been told are delivered, and that were looked at
        self._hosts[0].on_turn = self._check_told
        self._schedule()

    def run(self) -> CaseResult:
        """Run the case and judge it."""
        world = self.world
        world.run(deadline_of(self.case), self._is_over)
        if not world.is_broken:
            for violation in check_transfer(self._record()):
                world.findings.add(violation.rule, violation.what)
        outcome = " / ".join(sorted({self._name(end) for end in self._ends}))
        if is_benign(self.case) and outcome not in _good_outcomes(self.case) and not world.findings.count:
            reasons = "; ".join(str(end.error) for end in self._ends if end is not None and end.error is not None)
            world.findings.add("success", f"nothing was in the way, and it ended with {outcome}: {reasons}")
        return world.result(outcome, self._features())

    def _watch(self, name: str, session: RdpSender | RdpReceiver) -> Watched:
        limits = sender_limits(session) if isinstance(session, RdpSender) else receiver_limits(session)
        return Watched(name, session, limits, self.world.findings, clock=lambda: self.world.network.now)

    def _schedule(self) -> None:
        """Let both come up, and all happen that the case has in store."""
        case, world = self.case, self.world
        sender_host, receiver_host = self._hosts
        world.connect(sender_host, receiver_host)
        world.add(receiver_host, start=case.receiver_start)
        world.add(sender_host, start=0)
        if case.sender_abort is not None:
            world.call(sender_host, case.sender_abort, lambda now: self._sender.abort("had enough", now=now))
        if case.receiver_abort is not None:
            world.call(receiver_host, case.receiver_abort, lambda now: self._receiver.abort("had enough", now=now))
        for at in case.refusals:
            world.call(sender_host, at, lambda now: self._sender.handle_refused(now=now))
        for injection in case.injections:
            world.inject(injection, self._hosts, is_ready=self._when_ready(injection.kind), is_over=self._is_over)

    def _when_ready(self, kind: str) -> Callable[[], bool]:
        """When a stranger may begin: before the sides know each other, whoever speaks first is believed."""
        if kind == "mutant":
            return lambda: self._sender.is_ours
        if kind == "replay":
            return lambda: self._receiver.received > 0
        return lambda: True

    def _is_over(self) -> bool:
        return None not in self._ends

    def _check_told(self, now: int) -> bool:
        """What the sender is told must be so then, not only in the end."""
        told = self._sender.acked_bytes
        if told > self._told:
            if self.sink.data[self._told : told] != self._data[self._told : told]:
                self.world.findings.add("told delivered", f"sender was told of {told} bytes, not all stored then", now)
            self._told = told
        return False

    def _on_sender_event(self, event: Event, now: int) -> None:
        if not isinstance(event, Closed):
            return
        self._ends[0] = event
        if event.error is None and event.note is None and self.sink.committed != self._data:
            self.world.findings.add("true success", "sender ended well before the file stood", now)

    def _on_receiver_event(self, event: Event, now: int) -> None:
        if isinstance(event, Closed):
            self._ends[1] = event
        elif isinstance(event, ReceivedAll):
            self.world.call(self._hosts[1], now - ORIGIN + self.case.store_delay, lambda now: self._store(event, now))

    def _store(self, event: ReceivedAll, now: int) -> None:
        """What the receiver's application does with a whole file."""
        if event.digest is not None and event.digest != self.sink.digest(event.size):
            self._receiver.abort(DigestMismatch("the received bytes do not hash to what was sent"), now=now)
            return
        try:
            self.sink.commit(event.size)
        except DestinationError as error:
            self._receiver.abort(error, now=now)
            return
        self._receiver.confirm(now=now)

    def _record(self) -> TransferRecord:
        sender, receiver = (
            SideEnd(
                name=name,
                closed=end is not None or (name == "receiver" and self._was_never_opened),
                error=None if end is None else end.error,
                is_qualified=end is None or end.note is not None,
            )
            for name, end in zip(("sender", "receiver"), self._ends, strict=True)
        )
        return TransferRecord(
            sender=sender,
            receiver=receiver,
            data=self._data,
            told_delivered=self._sender.acked_bytes,
            stored=bytes(self.sink.data),
            committed=self.sink.committed,
        )

    def _features(self) -> list[str]:
        case = self.case
        found = {
            "empty": not case.size,
            "plain": not (case.sender.extensions and case.receiver.extensions),
            "abort": case.sender_abort is not None or case.receiver_abort is not None,
            "disk full": case.failing_write is not None or case.failing_commit,
            "source shrinks": case.shrinking_read is not None,
            "late start": case.receiver_start > 0,
            "slow to store": case.store_delay > 0,
            "refused": bool(case.refusals),
            "retransmission": self._sender.packets.data_bytes["S"] > 0,
            "damage seen": self._sender.stats.damaged + self._receiver.stats.damaged > 0,
            "address followed": self._receiver.stats.migrations > 0,
        }
        return [name for name, is_so in found.items() if is_so]

    @property
    def _was_never_opened(self) -> bool:
        """True when no packet of a sender that has given up ever reached the receiver: it waits for another one."""
        return self._receiver.state is State.LISTEN and self._ends[0] is not None and self._ends[0].error is not None

    def _name(self, end: Closed | None) -> str:
        if end is None:
            return "never opened" if self._was_never_opened else "not over"
        if end.error is not None:
            return type(end.error).__name__
        return "success" if end.note is None else "success with a note"


def _good_outcomes(case: RdpCase) -> set[str]:
    """What a case may come to with which nothing is wrong: a plain receiver's last word may be missing."""
    is_plain = not (case.sender.extensions and case.receiver.extensions)
    return {"success", "success / success with a note"} if is_plain else {"success"}


def _is_no_reset(datagram: bytes) -> bool:
    """A RST sent again by somebody else is a forgery that works: the sessions' own tests have those."""
    return b"Type: RST" not in datagram
