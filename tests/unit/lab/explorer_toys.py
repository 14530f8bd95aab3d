"""Small protocols for the explorer to judge: each bad one fails in some orders of events only."""

from __future__ import annotations

from surewire.core.events import Closed, Event
from surewire.core.trains import Address, Buffer, Train
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.errors import IdleTimeout
from surewire.lab.proof.explore_room import ADDRESSES, ORIGIN, Room, Seat
from surewire.lab.proof.explorer import World

PATIENCE = 100 * NS_PER_MS  # after which a packet is sent again
LINGER = 1 * NS_PER_S


class Toy:
    """What all of them share: a queue of packets, one deadline, one end."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.outbox: list[bytes] = []
        self.deadline: int | None = None
        self.ending: Closed | None = None
        self.told = False

    def put(self, packet: bytes) -> None:
        self.outbox.append(packet)

    def close(self, error: IdleTimeout | None = None) -> None:
        self.ending, self.deadline = Closed(error), None

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        if self.ending is None:
            self.on_packet(bytes(buffer), now)

    def handle_timeout(self, *, now: int) -> None:
        self.deadline = None
        self.on_timer(now)

    def poll_transmit(self, *, now: int) -> Train | None:
        if not self.outbox:
            return None
        packet = self.outbox.pop(0)
        return Train([packet], len(packet), len(packet), ADDRESSES[1 - self.index])

    def poll_timeout(self) -> int | None:
        return self.deadline

    def poll_event(self) -> Event | None:
        if self.ending is None or self.told:
            return None
        self.told = True
        return self.ending

    def on_packet(self, packet: bytes, now: int) -> None:
        raise NotImplementedError

    def on_timer(self, now: int) -> None:
        raise NotImplementedError


class Sender(Toy):
    """Stop-and-wait: one word, and again until it is acknowledged. `bits`: words and ACKs alternate between 0 and 1."""

    def __init__(self, words: list[bytes], *, bits: bool, repeats: bool = True) -> None:
        super().__init__(0)
        self.words = words
        self.bits = bits
        self.repeats = repeats
        self.at = 0
        self.send(ORIGIN)

    def bit(self) -> bytes:
        return b"%d" % (self.at % 2) if self.bits else b"-"

    def send(self, now: int) -> None:
        if self.at == len(self.words):
            self.close()
            return
        self.put(self.bit() + self.words[self.at])
        self.deadline = now + PATIENCE if self.repeats else None

    def on_packet(self, packet: bytes, now: int) -> None:
        if packet == b"ack" + self.bit():
            self.at += 1
            self.send(now)

    def on_timer(self, now: int) -> None:
        self.send(now)


class Receiver(Toy):
    """Acknowledges each word; ends after a while of silence."""

    def __init__(self, *, bits: bool) -> None:
        super().__init__(1)
        self.bits = bits
        self.got: list[bytes] = []
        self.deadline = ORIGIN + LINGER

    def on_packet(self, packet: bytes, now: int) -> None:
        bit, word = packet[:1], packet[1:]
        if not self.bits or bit == b"%d" % (len(self.got) % 2):
            self.got.append(word)
        self.put(b"ack" + bit)
        self.deadline = now + LINGER

    def on_timer(self, now: int) -> None:
        self.close()


class Hasty(Sender):
    """Claims success when all is sent, whether or not it arrived."""

    def send(self, now: int) -> None:
        super().send(now)
        if self.ending is None and self.at == len(self.words) - 1:
            self.close()


class Waiter(Toy):
    """Opens by "hello" and ends when it is greeted; greets back once, and forgets that this may be lost."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        if index == 0:
            self.put(b"hello")
            self.deadline = ORIGIN + PATIENCE

    def on_packet(self, packet: bytes, now: int) -> None:
        if packet == b"hello" and self.deadline is None:
            self.put(b"welcome")
        elif packet == b"welcome":
            self.put(b"thanks")
            self.close()
        elif packet == b"thanks":
            self.close()

    def on_timer(self, now: int) -> None:
        self.put(b"hello")
        self.deadline = now + PATIENCE


class Spinner(Toy):
    """Its timer rings again and again, and nothing comes of it."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.deadline = ORIGIN

    def on_timer(self, now: int) -> None:
        self.deadline = now + PATIENCE


class Actor:
    """A toy has no application."""

    max_datagram = 100

    def __init__(self, toy: Toy) -> None:
        self.endpoint = toy

    def on_event(self, event: Event, now: int) -> None:
        """Nothing to do."""

    def on_turn(self, now: int) -> bool:
        """Nothing to do."""
        return False


def toys(room: Room) -> tuple[Toy, Toy]:
    first, second = (seat.actor.endpoint for seat in room.seats)
    assert isinstance(first, Toy) and isinstance(second, Toy)
    return first, second


def check_words(room: Room) -> str | None:
    """What arrived is how the words begin; all of them, when the sender has ended."""
    sender, receiver = toys(room)
    assert isinstance(sender, Sender) and isinstance(receiver, Receiver)
    if sender.words[: len(receiver.got)] != receiver.got:
        return f"received {receiver.got}"
    if sender.ending is not None and receiver.got != sender.words:
        return f"the sender claims success, received is {receiver.got}"
    return None


def nothing_wrong(room: Room) -> str | None:
    return None


def word_world(kind: type[Sender] = Sender, *, bits: bool, repeats: bool = True) -> World:
    """Two words from one side to the other."""
    return World(
        name="words",
        description="two words, stop-and-wait",
        open=lambda: Room(
            Seat(Actor(kind([b"one", b"two"], bits=bits, repeats=repeats))), Seat(Actor(Receiver(bits=bits)))
        ),
        check=check_words,
        judge=nothing_wrong,
        outcome=lambda room: "ended",
        deadline=10 * NS_PER_S,
    )


def pair_world(kind: type[Waiter] | type[Spinner]) -> World:
    """Two of a kind."""
    return World(
        name="pair",
        description="two of a kind",
        open=lambda: Room(Seat(Actor(kind(0))), Seat(Actor(kind(1)))),
        check=nothing_wrong,
        judge=nothing_wrong,
        outcome=lambda room: "ended",
        deadline=10 * NS_PER_S,
    )
