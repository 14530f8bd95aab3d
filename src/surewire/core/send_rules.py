"""What a session lets the sending half do."""

from __future__ import annotations

from enum import Enum, auto

from surewire.core.config import TransportConfig


class Probe(Enum):
    """What goes out when nothing was acknowledged for a probe timeout."""

    SEGMENT = auto()  # bytes worth sending anyway, or again (RFC 9002 §6.2.4)
    PING = auto()  # a packet number without bytes: costs little, and its acknowledgment shows what is lost
    EVERYTHING = auto()  # all that is in flight, again: what go-back-N does


class SendRules:
    """What the session lets the sending half do; it changes as the peer shows itself.

    Attributes:
        probe: what a probe timeout sends. PING needs packet numbers on the wire.
        max_runs: runs that one call of `poll_runs` returns at most.
        max_train: full segments that one call returns at most.
        ping_interval: wait for the second ping and further ones, ns; EVERYTHING waits as long at most, or `max_pto`.
        silence_interval: where SEGMENT is not answered, PING takes over, and waits so long (ns), but at least a probe
            timeout, and half of that on a path that loses: it costs so little that an outage need not be noticed to be
            over any later. Where PING is answered, a few segments go out, and ever fewer and more rarely where only
            PING is answered. None: PING never takes over.
        segment: bytes of stream data in a full segment.
        max_ack_delay: longest that the peer holds back an acknowledgment, ns.
        max_rate: bytes a second that may leave at most, whatever the controller would allow; None: no limit.
        max_offset: stream offset the peer's window ends at.
        may_finish_early: the end mark may be sent before all data are acknowledged.
        has_byte_acks: the peer acknowledges byte positions only.
        repair_window: at the end of the stream, or of a file in it, repairs may be sent before they are asked for
            (see `tail`): sums of datagrams of at most so many bytes, by which the peer works out what was lost;
            0: only copies of what is in flight. None: no repairs.
        peer_loss: share, 0..1, of what the peer sends that is lost, as far as it is known: the best guess of what
            the path loses where nothing of this stream was lost yet.
        is_end_prompt: the peer acknowledges the end mark as soon as it arrives, whatever it has to do with the data.
        max_closing_pto: longest wait between probes once all data are acknowledged, ns.
    """

    __slots__ = (
        "has_byte_acks",
        "is_end_prompt",
        "max_ack_delay",
        "max_closing_pto",
        "max_offset",
        "max_rate",
        "max_runs",
        "max_train",
        "may_finish_early",
        "peer_loss",
        "ping_interval",
        "probe",
        "repair_window",
        "segment",
        "silence_interval",
    )

    def __init__(self, *, segment: int, config: TransportConfig) -> None:
        self.segment = segment
        self.probe = Probe.SEGMENT
        self.max_runs = config.max_train
        self.max_train = config.max_train
        self.ping_interval = config.max_pto
        self.silence_interval: int | None = None
        self.max_ack_delay = config.max_ack_delay
        self.max_offset = 0
        self.max_rate: int | None = None
        self.may_finish_early = False
        self.has_byte_acks = True
        self.repair_window: int | None = None
        self.peer_loss = 0.0
        self.is_end_prompt = False
        self.max_closing_pto = config.max_closing_pto

    @property
    def has_spares(self) -> bool:
        """True where repairs may be sent before they are asked for."""
        return self.repair_window is not None
