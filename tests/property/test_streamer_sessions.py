"""Two Streamer sessions under Hypothesis: whatever the path does and the applications do in whatever order, what is
read is what was written, everything arrives, both sides close, and no timer is left."""

from __future__ import annotations

import random
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from surewire.core.config import TransportConfig
from surewire.core.events import Closed, Event
from surewire.core.state import State
from surewire.impair import GilbertElliott, Link, LinkConfig
from surewire.sim import Host, Network
from surewire.streamer.config import AckPolicy, Pipelining, StreamerConfig
from surewire.streamer.session import StreamerSession
from surewire.wire import compact

MS = 1_000_000
S = 1_000_000_000
ADDRESSES = (("127.0.0.1", 8000), ("127.0.0.1", 8001))

sides = st.sampled_from([0, 1])
modes = st.sampled_from(list(Pipelining))


@st.composite
def configs(draw: st.DrawFn) -> StreamerConfig:
    """Settings a user could choose, with buffers small enough to matter.

    Nobody leaves before the other side can know it, however many packets in a row are lost.
    """
    window = draw(st.sampled_from([3_000, 20_000, 1 << 20]))
    return StreamerConfig(
        pipelining=draw(modes),
        acks=draw(st.sampled_from(list(AckPolicy))),
        nagle=draw(st.booleans()),
        fin_rides=draw(st.booleans()),
        coalesce_delay=draw(st.sampled_from([0, 20 * MS])),
        send_buffer=draw(st.sampled_from([500, 4_000, 1 << 20])),
        receive_buffer=draw(st.sampled_from([100, 4_000, 1 << 20])),
        peer_close_timeout=100 * S,
        last_ack_timeout=50 * S,
        transport=TransportConfig(
            initial_rtt=100 * MS,
            max_ack_delay=100 * MS,
            ack_every=draw(st.sampled_from([1, 4])),
            max_ack_ranges=65,
            ack_reordered=draw(st.booleans()),
            overtaking_window=draw(st.sampled_from([20 * MS, 100 * MS])),
            min_pto=250 * MS,
            max_pto=250 * MS,
            tail_effort=draw(st.sampled_from([0.0, 0.3])),
            tail_effort_spared=draw(st.sampled_from([0, 4_000])),
            handshake_timeout=120 * S,
            linger=60 * S,
            receive_window=window,
            max_gaps=draw(st.sampled_from([1, 16, 1024])),
            max_train=1,
        ),
    )


class Side:
    """A session and what its application wrote and read."""

    def __init__(self, index: int, config: StreamerConfig, rng: random.Random, now: int) -> None:
        self.session = StreamerSession(ADDRESSES[1 - index], rng=rng, now=now, config=config)
        self.written = bytearray()
        self.got = bytearray()
        self.closed: list[Closed] = []
        self._index = index

    def write(self, size: int, now: int) -> None:
        if self.session.state in (State.ESTABLISHED, State.CLOSE_WAIT):
            start = len(self.written)
            data = bytes((start + i + 7 * self._index + (start + i) // 256) % 256 for i in range(size))
            self.written += data[: self.session.write(data, now=now)]

    def read(self) -> None:
        self.got += self.session.read()

    def on_event(self, event: Event) -> None:
        assert not self.closed, "something follows the end"
        if isinstance(event, Closed):
            self.closed.append(event)

    def check(self, other: Side) -> None:
        """It ended well and has everything."""
        self.read()
        assert len(self.closed) == 1
        assert self.closed[0] == (None, None)
        assert bytes(self.got) == bytes(other.written)
        assert self.session.has_ended
        assert self.session.poll_timeout() is None


# Over a simulated path


probabilities = st.sampled_from([0.0, 0.0, 0.02, 0.1, 0.25])


@st.composite
def links(draw: st.DrawFn) -> LinkConfig:
    """One direction of some path."""
    return LinkConfig(
        loss=draw(probabilities),
        duplicate=draw(probabilities),
        reorder=draw(probabilities),
        corrupt=draw(probabilities),
        bursts=draw(st.sampled_from([None, None, GilbertElliott.from_average(0.1, 5)])),
        delay=draw(st.sampled_from([0, 100_000, 5 * MS, 50 * MS, 300 * MS])),
        jitter=draw(st.sampled_from([0, 0, MS, 40 * MS])),
        rate=draw(st.sampled_from([None, 400_000, 20_000_000])),
        queue=draw(st.sampled_from([8_000, 64_000])),
    )


acts = st.one_of(
    st.tuples(st.just("write"), st.sampled_from([1, 4, 5, 100, 1_455, 1_456, 1_457, 6_000])),
    st.tuples(st.sampled_from(["read", "flush"]), st.just(0)),
    st.tuples(st.just("pause"), st.sampled_from([1, 15, 30, 200, 1_500])),
)
scripts = st.lists(acts, max_size=12)


def schedule(network: Network, host: Host, side: Side, script: list[tuple[str, int]]) -> None:
    """Let the application do its script, then finish and read whatever comes."""
    at = network.now
    actions: dict[str, Callable[[int], None]] = {
        "write": lambda size: side.write(size, network.now),
        "read": lambda _: side.read(),
        "flush": lambda _: side.session.flush(now=network.now),
    }

    def do(action: Callable[[int], None], value: int) -> None:
        action(value)
        network.service(host)

    def end() -> None:
        def on_turn(now: int) -> bool:
            if not side.session.is_readable:
                return False
            side.read()
            return True

        side.session.finish(now=network.now)
        host.on_turn = on_turn
        network.service(host)

    for name, value in script:
        if name == "pause":
            at += value * MS
        else:
            network.at(at, lambda action=actions[name], value=value: do(action, value))  # type: ignore[misc]
    network.at(at, end)


@settings(max_examples=120)
@given(
    st.integers(0, 2**32),
    st.tuples(links(), links()),
    st.tuples(configs(), configs()),
    st.tuples(scripts, scripts),
    st.sampled_from([0, 10 * MS]),
)
def test_any_path_any_settings_any_order(
    seed: int,
    paths: tuple[LinkConfig, LinkConfig],
    settings_of: tuple[StreamerConfig, StreamerConfig],
    scripts_of: tuple[list[tuple[str, int]], list[tuple[str, int]]],
    send_time: int,
) -> None:
    network, rng = Network(start=S), random.Random(seed)
    both = [Side(i, settings_of[i], random.Random(rng.random()), S) for i in (0, 1)]
    hosts = []
    for i, side in enumerate(both):
        host = Host(ADDRESSES[i], side.session, lambda event, _, side=side: side.on_event(event), send_time=send_time)  # type: ignore[misc]
        hosts.append(host)
        network.add(host)
    for i in (0, 1):
        network.connect(hosts[i], hosts[1 - i], Link(paths[i], random.Random(rng.random())))
        schedule(network, hosts[i], both[i], scripts_of[i])
    network.run(until=1_000 * S, stop=lambda: all(side.closed for side in both))
    both[0].check(both[1])
    both[1].check(both[0])
    assert max(host.max_datagram for host in hosts) <= compact.MAX_PACKET


# By hand: every datagram goes where and when the history says


class TwoSessions(RuleBasedStateMachine):
    """Both sides and the datagrams between them; the history says what becomes of each."""

    @initialize(seed=st.integers(0, 2**32), first=configs(), second=configs())
    def open(self, seed: int, first: StreamerConfig, second: StreamerConfig) -> None:
        rng = random.Random(seed)
        self.now = S
        self.sides = [Side(i, config, random.Random(rng.random()), S) for i, config in enumerate((first, second))]
        self.on_way: list[list[bytes]] = [[], []]  # to each side

    def drain(self, index: int) -> None:
        session = self.sides[index].session
        for _ in range(2_000):
            train = session.poll_transmit(now=self.now)
            if train is None:
                break
            self.on_way[1 - index] += train.datagrams()
        else:
            raise AssertionError("it never stops sending")
        while (event := session.poll_event()) is not None:
            self.sides[index].on_event(event)

    def deliver(self, index: int, datagram: bytes) -> None:
        source = ADDRESSES[1 - index]
        self.sides[index].session.handle_datagrams(datagram, max(len(datagram), 1), source, now=self.now)
        self.drain(index)

    def pass_time(self, until: int) -> None:
        """Ring what is due, earliest first."""
        for _ in range(10_000):
            due = [(at, i) for i in (0, 1) if (at := self.sides[i].session.poll_timeout()) is not None]
            if not due or min(due)[0] > until:
                break
            at, index = min(due)
            self.now = max(self.now, at)
            self.sides[index].session.handle_timeout(now=self.now)
            self.drain(index)
        else:
            raise AssertionError("the timers never rest")
        self.now = max(self.now, until)

    @rule(index=sides, size=st.sampled_from([1, 4, 30, 700, 1_456, 3_000]))
    def write(self, index: int, size: int) -> None:
        self.sides[index].write(size, self.now)
        self.drain(index)

    @rule(index=sides)
    def read(self, index: int) -> None:
        self.sides[index].read()
        self.drain(index)

    @rule(index=sides)
    def flush(self, index: int) -> None:
        self.sides[index].session.flush(now=self.now)
        self.drain(index)

    @rule(index=sides)
    def finish(self, index: int) -> None:
        self.sides[index].session.finish(now=self.now)
        self.drain(index)

    @rule(duration=st.sampled_from([MS, 20 * MS, 110 * MS, 260 * MS]))
    def wait(self, duration: int) -> None:
        self.pass_time(self.now + duration)

    @precondition(lambda self: any(self.on_way))
    @rule(index=sides, which=st.integers(0, 5), fate=st.sampled_from(["arrive", "arrive", "twice", "lose", "damage"]),
          bit=st.integers(0, 10**6))  # fmt: skip
    def decide(self, index: int, which: int, fate: str, bit: int) -> None:
        """One of the datagrams meets its fate; a late one may be any of the first six."""
        waiting = self.on_way[index]
        if not waiting:
            return
        datagram = waiting[which % len(waiting)] if fate == "twice" else waiting.pop(which % len(waiting))
        if fate == "damage":
            place = bit % (8 * len(datagram))
            damaged = bytearray(datagram)
            damaged[place >> 3] ^= 1 << (place & 7)
            datagram = bytes(damaged)
        if fate != "lose":
            self.deliver(index, datagram)

    @rule(index=sides, noise=st.binary(max_size=40))
    def disturb(self, index: int, noise: bytes) -> None:
        self.deliver(index, noise)

    @invariant()
    def nothing_false_is_read(self) -> None:
        if not hasattr(self, "sides"):
            return
        for side, other in zip(self.sides, reversed(self.sides), strict=True):
            assert other.written.startswith(side.got)
            assert side.session.unacknowledged <= len(side.written)
            assert side.closed in ([], [(None, None)])
            assert not side.session.has_ended or bytes(side.got) == bytes(other.written)

    def teardown(self) -> None:
        """The path becomes perfect; both sides finish and read."""
        if not hasattr(self, "sides"):
            return
        for index in (0, 1):
            self.finish(index)
        for _ in range(20_000):
            for index in (0, 1):
                waiting, self.on_way[index] = self.on_way[index], []
                for datagram in waiting:
                    self.deliver(index, datagram)
                self.read(index)
            if all(side.closed for side in self.sides):
                break
            if not any(self.on_way):
                deadlines = [at for side in self.sides if (at := side.session.poll_timeout()) is not None]
                assert deadlines, "it hangs: nothing on its way, no timer"
                self.pass_time(max(min(deadlines), self.now))
        self.sides[0].check(self.sides[1])
        self.sides[1].check(self.sides[0])


TestTwoSessions = TwoSessions.TestCase
TestTwoSessions.settings = settings(max_examples=60, stateful_step_count=30)
