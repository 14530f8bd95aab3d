"""RDP to explore: a file of a few bytes, between two of ours and with a plain side, from the opening or at the end."""

from __future__ import annotations

import random
from collections.abc import Callable

from surewire.core.events import Closed, Established, Event, ReceivedAll
from surewire.core.state import State
from surewire.core.units import NS_PER_S
from surewire.errors import DigestMismatch, MalformedSegment
from surewire.lab.proof.explore_room import ADDRESSES, ORIGIN, Room, Seat
from surewire.lab.proof.explorer import World
from surewire.rdp.config import RdpConfig
from surewire.rdp.receiver import RdpReceiver
from surewire.rdp.sender import RdpSender
from surewire.transfer.files import MemorySink, MemorySource
from surewire.wire import text

OURS, PLAIN = RdpConfig(), RdpConfig(extensions=False)
SEGMENTS_2 = bytes(range(256)) * 6  # two packets in either form
_TWO = "a file of two packets"
_SEED = 1
_DEADLINE = 40 * NS_PER_S  # of a good network: the longest silence that a side bears is 30 s
_PATIENT_DEADLINE = 70 * NS_PER_S  # after an answer that was lost: the opening's patience, and then that silence


class SendingActor:
    """A sender and who started it; `gives_up`: as soon as the receiver has answered."""

    max_datagram = text.MAX_PACKET

    def __init__(self, data: bytes, config: RdpConfig, *, gives_up: bool = False) -> None:
        rng = random.Random(_SEED)
        self.endpoint = RdpSender(MemorySource(data), ADDRESSES[1], rng=rng, now=ORIGIN, config=config)
        self._gives_up = gives_up

    def on_event(self, event: Event, now: int) -> None:
        """Give up, perhaps."""
        if self._gives_up and isinstance(event, Established):
            self.endpoint.abort("enough", now=now)

    def on_turn(self, now: int) -> bool:
        """Nothing to do."""
        return False


class ReceivingActor:
    """A receiver and where the file goes; `refuses`: as soon as somebody opens."""

    max_datagram = text.MAX_PACKET

    def __init__(self, config: RdpConfig, *, refuses: bool = False) -> None:
        self.sink = MemorySink()
        self.endpoint = RdpReceiver(self.sink, config=config)
        self._refuses = refuses

    def on_event(self, event: Event, now: int) -> None:
        """Store the file when it is there."""
        if self._refuses and isinstance(event, Established):
            self.endpoint.abort("no room", now=now)
        elif isinstance(event, ReceivedAll):
            if event.digest is not None and event.digest != self.sink.digest(event.size):
                self.endpoint.abort(DigestMismatch("the received bytes do not hash to what was sent"), now=now)
                return
            self.sink.commit(event.size)
            self.endpoint.confirm(now=now)

    def on_turn(self, now: int) -> bool:
        """Nothing to do."""
        return False


def sides(room: Room) -> tuple[SendingActor, ReceivingActor]:
    """The actors in their seats."""
    sender, receiver = room.seats[0].actor, room.seats[1].actor
    assert isinstance(sender, SendingActor) and isinstance(receiver, ReceivingActor)
    return sender, receiver


def ends(room: Room) -> tuple[Closed, Closed]:
    """How both closed."""
    first, second = (seat.closed for seat in room.seats)
    assert first is not None and second is not None
    return first, second


def false_claim(data: bytes) -> Callable[[Room], str | None]:
    """Says when a side claims what is not so: a file that is not the one sent, or a success without it."""

    def check(room: Room) -> str | None:
        _, receiver = sides(room)
        committed = receiver.sink.committed
        if committed is not None and committed != data:
            return f"the receiver stored {len(committed)} bytes that are not the file"
        sent, received = (seat.closed for seat in room.seats)
        if received is not None and received.error is None and committed is None:
            return "the receiver ended well without the file"
        if sent is None or sent.error is not None:
            return None
        if sent.note is None and committed is None:
            return "the sender claims success, and the file does not stand"
        if bytes(receiver.sink.data) != data:
            return "the sender claims that all data were acknowledged, and some are not there"
        return None

    return check


def is_delivered(room: Room) -> str | None:
    """Says when it did not end as it should on a path that recovers: both sides well, and the file stands."""
    sent, received = ends(room)
    if sent.error is not None or received.error is not None:
        return f"not delivered: sender {sent.error!r}, receiver {received.error!r}"
    return None


def is_given_up(room: Room) -> str | None:
    """Says when a sender claims success although one side gave up; the file may have been complete before."""
    sent, received = ends(room)
    return f"given up, but the sender ended well, the receiver: {received.error!r}" if sent.error is None else None


def outcome(room: Room) -> str:
    """Both ends in a few words."""
    words = []
    for name, closed in zip(("sender", "receiver"), ends(room), strict=True):
        how = "well" if closed.error is None else type(closed.error).__name__
        words.append(f"{name} {how}{', with a note' if closed.note else ''}")
    return "; ".join(words)


def describe(datagram: bytes) -> str:
    """A packet's type and number."""
    try:
        segment = text.parse(datagram)
        return f"{segment.type} {segment.number}"
    except MalformedSegment:  # its checksum has a key
        words = datagram.split(b"\n\n")[0].replace(b"\n", b" ").decode("ascii", "replace").split()
        return " ".join(words[3:4] + words[5:6])


def is_closing(room: Room) -> bool:
    """True once the sender has sent its FIN."""
    return sides(room)[0].endpoint.state is State.FIN_WAIT_1


def transfer(
    name: str,
    description: str,
    data: bytes,
    *,
    sender: RdpConfig,
    receiver: RdpConfig,
    begins: Callable[[Room], bool] = lambda room: True,
) -> World:
    """A file between sides with these settings; both have to end well."""
    return World(
        name=name,
        description=description,
        open=lambda: Room(Seat(SendingActor(data, sender)), Seat(ReceivingActor(receiver))),
        check=false_claim(data),
        judge=is_delivered,
        outcome=outcome,
        deadline=_DEADLINE,
        begins=begins,
        describe=describe,
    )


def _giving_up(name: str, description: str, config: RdpConfig, *, refuses: bool) -> World:
    data = SEGMENTS_2

    def open_room() -> Room:
        sender = SendingActor(data, config, gives_up=not refuses)
        return Room(Seat(sender), Seat(ReceivingActor(config, refuses=refuses)))

    return World(
        name=name,
        description=description,
        open=open_room,
        check=false_claim(data),
        judge=is_given_up,
        outcome=outcome,
        deadline=_PATIENT_DEADLINE,
        describe=describe,
    )


def _transfers(prefix: str, who: str, config: RdpConfig) -> tuple[World, ...]:
    contents = (("empty", "an empty file", b""), ("byte", "a file of one byte", b"!"), ("segments", _TWO, SEGMENTS_2))
    return tuple(
        transfer(prefix + name, f"{what}, {who}", data, sender=config, receiver=config) for name, what, data in contents
    )


WORLDS: tuple[World, ...] = (
    *_transfers("", "two of ours", OURS),
    *_transfers("plain-", "two plain sides", PLAIN),
    transfer("plain-sender", f"{_TWO} from a plain sender to ours", SEGMENTS_2, sender=PLAIN, receiver=OURS),
    transfer("plain-receiver", f"{_TWO} from ours to a plain receiver", SEGMENTS_2, sender=OURS, receiver=PLAIN),
    transfer("closing", "from the FIN on, two of ours", SEGMENTS_2, sender=OURS, receiver=OURS, begins=is_closing),
    transfer(
        "plain-closing", "from the FIN on, two plain sides", SEGMENTS_2, sender=PLAIN, receiver=PLAIN, begins=is_closing
    ),
    _giving_up("refused", "the receiver refuses the opening, two of ours", OURS, refuses=True),
    _giving_up("plain-refused", "the receiver refuses the opening, two plain sides", PLAIN, refuses=True),
    _giving_up("aborted", "the sender gives up once it is answered, two of ours", OURS, refuses=False),
    _giving_up("plain-aborted", "the sender gives up once it is answered, two plain sides", PLAIN, refuses=False),
)
