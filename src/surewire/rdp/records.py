"""One record a packet, and the counters of the summary, kept together so that they cannot disagree.

A record is what the log line shows; its time is the session's, and the local address, which only a driver
knows, is missing. Every counter is a function of the records: the test suite recomputes them from the log lines.
(One exception: a DAT that overlaps an earlier one, which only a sender that cuts anew sends, is one
received packet but only its new bytes are unique bytes.)

Events are the assignment's. `s` and `S`: sent for the first time, sent again. `r`: received. `R`:
received again; a DAT counts as received again when it brought no new byte, whatever the reason, and an
ACK when the same acknowledgment number and window came before.
"""

from __future__ import annotations

from collections.abc import Sequence

from surewire.core.trains import Address
from surewire.wire.segment import PacketType

PacketRecord = tuple[str, PacketType, int, int, Address, int]
"""Event, type, sequence or acknowledgment number, payload length or window, the other side's address, time (ns)."""

_Group = tuple[str, PacketType, int, Sequence[int], Address, int]
"""The same for packets of consecutive bytes, with all their lengths: what is noted of a train."""

_REMEMBERED_ACKS = 4096


class PacketLog:
    """Records of one session since they were last taken, and counters since its start.

    The session sets `now` (ns) whenever it is called.
    """

    def __init__(self) -> None:
        self.now = 0
        self.data_bytes = {"s": 0, "S": 0, "r": 0, "R": 0}
        self.packets = {(event, kind): 0 for event in "sSrR" for kind in PacketType}
        self._groups: list[_Group] = []
        self._acks: dict[tuple[int, int], None] = {}

    def add(self, event: str, kind: PacketType, number: int, size: int, peer: Address) -> None:
        """Record one packet."""
        self._groups.append((event, kind, number, (size,), peer, self.now))
        self.packets[event, kind] += 1
        if kind is PacketType.DAT:
            self.data_bytes[event] += size

    def add_data(self, event: str, offset: int, sizes: list[int], peer: Address) -> None:
        """Record DATs of consecutive bytes from sequence number `offset`; `sizes` is kept."""
        self._groups.append((event, PacketType.DAT, offset, sizes, peer, self.now))
        self.packets[event, PacketType.DAT] += len(sizes)
        self.data_bytes[event] += sum(sizes)

    def discount_old(self, nbytes: int) -> None:
        """Of the DAT added last, received as new, `nbytes` had come before in another cut."""
        self.data_bytes["r"] -= nbytes
        self.data_bytes["R"] += nbytes

    def ack_event(self, number: int, window: int, *, is_sent: bool) -> str:
        """The event letter of an ACK, by whether the same one was seen before (of the last 4,096)."""
        key = (number, window)
        is_repeated = key in self._acks
        if not is_repeated:
            self._acks[key] = None
            if len(self._acks) > _REMEMBERED_ACKS:
                del self._acks[next(iter(self._acks))]
        return ("S" if is_repeated else "s") if is_sent else ("R" if is_repeated else "r")

    def take(self) -> list[PacketRecord]:
        """The records since the last call, in order."""
        groups, self._groups = self._groups, []
        records: list[PacketRecord] = []
        for event, kind, number, sizes, peer, at in groups:
            for size in sizes:
                records.append((event, kind, number, size, peer, at))
                number += size
        return records

    def drop(self) -> None:
        """Forget the records since the last call, for nobody wants to see them."""
        self._groups.clear()

    def count(self, events: str, kind: PacketType) -> int:
        """Packets of a type over some events."""
        return sum(self.packets[event, kind] for event in events)


def sender_summary(log: PacketLog, duration_ns: int) -> str:
    """The assignment's summary of a sender, ten lines."""
    sent, received = "sS", "rR"
    return _lines(
        ("total data bytes sent", log.data_bytes["s"] + log.data_bytes["S"]),
        ("unique data bytes sent", log.data_bytes["s"]),
        ("total data packets sent", log.count(sent, PacketType.DAT)),
        ("unique data packets sent", log.count("s", PacketType.DAT)),
        ("SYN packets sent", log.count(sent, PacketType.SYN)),
        ("FIN packets sent", log.count(sent, PacketType.FIN)),
        ("RST packets sent", log.count(sent, PacketType.RST)),
        ("ACK packets received", log.count(received, PacketType.ACK)),
        ("RST packets received", log.count(received, PacketType.RST)),
        ("total time duration (second)", _seconds(duration_ns)),
    )


def receiver_summary(log: PacketLog, duration_ns: int) -> str:
    """The assignment's summary of a receiver, ten lines."""
    sent, received = "sS", "rR"
    return _lines(
        ("total data bytes received", log.data_bytes["r"] + log.data_bytes["R"]),
        ("unique data bytes received", log.data_bytes["r"]),
        ("total data packets received", log.count(received, PacketType.DAT)),
        ("unique data packets received", log.count("r", PacketType.DAT)),
        ("SYN packets received", log.count(received, PacketType.SYN)),
        ("FIN packets received", log.count(received, PacketType.FIN)),
        ("RST packets received", log.count(received, PacketType.RST)),
        ("ACK packets sent", log.count(sent, PacketType.ACK)),
        ("RST packets sent", log.count(sent, PacketType.RST)),
        ("total time duration (second)", _seconds(duration_ns)),
    )


def _lines(*fields: tuple[str, int | str]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in fields)


def _seconds(duration_ns: int) -> str:
    return f"{duration_ns / 1e9:.3f}"
