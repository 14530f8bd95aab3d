"""Many connections behind one socket, of a client and of a server alike, without socket or clock.

Datagrams are handed to the connection whose id they name; a HELLO that belongs to none is judged (`admission.py`)
and becomes a connection or gets an answer. Strangers' datagrams are counted and dropped. What is kept of strangers:
nothing.

A driver calls, after anything else: `poll_transmit` until it returns None, `poll_timeout`, then `poll_accept` and
`take_changed` for the application. Events are the connections' own: `poll_event` of each one that changed. The
application calls a connection's verbs directly and tells the endpoint by `touch`, since a connection does not know
its endpoint. Once, at the beginning, the driver may `lend` the memory that it reads into.

None of these calls walks all connections: those with something to do stand in a queue, each gets one train in turn,
and deadlines stand in a heap (`agenda.py`).

Invariants: no two connections have one id; a connection that has closed and has sent its last datagram is in no
table; what is kept of closed ones and what waits to be answered is bounded.
"""

from __future__ import annotations

import random
from itertools import groupby

from surewire.core.events import Event
from surewire.core.trains import Address, Buffer, Train
from surewire.crypto.crc32c import crc32c
from surewire.errors import LocalProtocolError, MalformedSegment
from surewire.native.admission import AdmissionConfig
from surewire.native.agenda import Agenda
from surewire.native.config import NativeConfig
from surewire.native.connection import Connection
from surewire.native.connection_ids import ConnectionIds
from surewire.native.endpoint_stats import EndpointStats
from surewire.native.last_words import LastWord
from surewire.native.members import HelloKey, Maker, Member, Members, hello_key
from surewire.native.received_trains import HEAD_SIZE, ReceivedTrains
from surewire.native.reception import Answers, Reception
from surewire.native.security import ClientSecurity, ServerSecurity
from surewire.wire.native_datagram import HEADER_SIZE, Hello, is_long, parse


class Endpoint:
    """The connections of one socket."""

    def __init__(
        self,
        security: ServerSecurity | None,
        *,
        config: NativeConfig,
        rng: random.Random,
        now: int,
        limits: AdmissionConfig | None = None,
        kind: type[Connection] = Connection,
    ) -> None:
        """An endpoint without connections.

        Args:
            security: whom it lets in, and how; None: nobody, it only connects to others.
            config: of every connection.
            rng: all randomness of the endpoint and its connections. Kept; outside of simulations it has to be
                one that nobody can predict (random.SystemRandom).
            now: current time, ns.
            limits: of those that are let in; the default ones when None.
            kind: what its connections are made by: another class for tests.

        Raises:
            ConfigError: the prefix of connection ids is too long.
        """
        self.stats = EndpointStats()
        self._members = Members(ConnectionIds(config.connection_id_prefix, rng))
        self._maker = Maker(kind, config=config, rng=rng)
        self._agenda = Agenda()
        self._trains = ReceivedTrains()
        self._answers = Answers(self.stats)
        self._is_answers_turn = True
        self.asked_at = now
        """When something was sent last that has to be acknowledged, or a datagram of a handshake came last; ns."""
        self._reception: Reception | None = None
        if security is not None:
            self._reception = Reception(
                security,
                limits or AdmissionConfig(),
                maker=self._maker,
                members=self._members,
                answers=self._answers,
                stats=self.stats,
                rng=rng,
                now=now,
            )

    # Getters.

    @property
    def connections(self) -> list[Connection]:
        """All that are not over, but for half-open ones from outside. Costs a walk."""
        return [member.connection for member in self._members if not member.is_half_open]

    @property
    def half_open(self) -> int:
        """Connections from outside whose handshake is not complete."""
        return 0 if self._reception is None else len(self._reception.half_open)

    @property
    def is_listening(self) -> bool:
        """Whether new connections may be let in."""
        return self._reception is not None and self._reception.is_open

    # The application's verbs.

    def connect(self, peer: Address, *, security: ClientSecurity, now: int) -> Connection:
        """Open a connection to `peer`. It is usable at once; what is written waits for the handshake."""
        connection_id = self._members.draw_id()
        connection = self._maker.open(peer, security=security, connection_id=connection_id, now=now)
        self._agenda.stir(self._members.add(connection, connection_id))
        return connection

    def touch(self, connection: Connection) -> None:
        """A verb of the connection was called: what it wants to send and to wait for is asked anew.

        Harmless when nothing changed, and when the connection is over.
        """
        member = self._members.by_connection(connection)
        if member is not None:
            self._agenda.stir(member)

    def close_listening(self, *, now: int) -> None:
        """Let nobody in any more: HELLOs are refused, half-open connections dropped; the others go on."""
        if self._reception is None:
            return
        self._reception.close()
        for member in list(self._reception.half_open):
            self._remove(member, now)

    # Outputs.

    def poll_transmit(self, *, now: int) -> Train | None:
        """The next train, or None when nothing is to be sent now. Its bytes are valid until the next call."""
        ready, answers = self._agenda.ready, self._answers.waiting
        while ready:
            if self._is_answers_turn and answers:
                self._is_answers_turn = False
                return answers.popleft()
            member = ready[0]
            if member.is_gone:
                ready.popleft()
                continue
            train = member.connection.poll_transmit(now=now)
            if train is not None:
                if member.connection.is_closed:
                    member.last_word = LastWord(train, now=now)
                self._agenda.unsettle(member)
                if len(ready) > 1:
                    ready.rotate(-1)
                self._is_answers_turn = True
                self.asked_at = max(self.asked_at, member.connection.asked_at)
                return train
            ready.popleft()
            member.is_ready = False
            self._agenda.unsettle(member)  # it may have said when it will have something
            if member.connection.is_closed:
                self._remove(member, now)
        return answers.popleft() if answers else None

    def poll_timeout(self) -> int | None:
        """When `handle_timeout` wants to be called, or None."""
        earliest = self._agenda.earliest()
        expiry = None if self._reception is None else self._reception.expiry()
        if earliest is None or expiry is None:
            return expiry if earliest is None else earliest
        return min(earliest, expiry)

    def poll_event(self) -> Event | None:
        """None: events are told connection by connection, see `take_changed`."""
        return None

    def poll_accept(self) -> Connection | None:
        """A connection from outside that is established, in the order in which they were; None when there is none.

        It may be over by now: what it brought can still be read.
        """
        return None if self._reception is None else self._reception.poll_accept()

    def take_changed(self) -> list[Connection]:
        """Connections that may have become readable, writable, established or closed since the last call, each once.

        To be called regularly, since they are held until then. One that is over comes for the last time after
        its last datagram was sent; half-open ones from outside do not come.
        """
        return self._agenda.take_changed()

    # Inputs.

    def lend(self, memory: memoryview) -> None:
        """The driver reads into this memory: datagrams handed in as a view of its beginning are opened there.

        Not called, or for other memory, each read is copied first.

        Raises:
            LocalProtocolError: the memory is not bytes in a row that may be written to.
        """
        self._trains.lend(memory)

    def handle_datagrams(self, buffer: Buffer, stride: int, source: Address, *, now: int) -> None:
        """Take datagrams of one sender: `stride` bytes each, the last may be shorter.

        Nothing is copied when `buffer` is a view of the memory that was lent, which then has to begin where that
        does; what is in it afterwards has no meaning.

        Raises:
            LocalProtocolError: the stride is not positive.
        """
        if stride < 1:
            raise LocalProtocolError(f"datagrams of {stride} bytes")
        received = self._trains.take(buffer)
        nbytes = len(received)
        stride = min(stride, nbytes) or 1
        count = -(-nbytes // stride)
        short = count if stride < HEAD_SIZE else int(0 < nbytes % stride < HEAD_SIZE)
        if short:
            self.stats.malformed += short
            count -= short
        if not count:
            return
        heads = self._trains.heads(received, stride, count)
        if heads.count(heads[0]) == count:
            self._route(heads[0], received, stride, 0, count, source, now)
            return
        start = 0
        for head, run in groupby(heads):
            stop = start + len(list(run))
            self._route(head, received, stride, start, stop, source, now)
            start = stop

    def handle_timeout(self, *, now: int) -> None:
        """Act on every deadline that has passed."""
        while self._reception is not None and (expired := self._reception.pop_expired(now)) is not None:
            self._remove(expired, now)
        due = []
        while (late := self._agenda.pop_due(now)) is not None:
            due.append(late)
        for member in due:
            member.connection.handle_timeout(now=now)
            self._after(member, now)

    def handle_refused(self, *, now: int, source: Address | None = None) -> None:
        """Nobody listens at the address of a peer. Not known which one it is (None): at that of the only peer.

        Costs a walk over the connections; never for a server's socket, which is not told.
        """
        if source is None:
            if self._reception is not None:
                return
            peers = {member.connection.peer for member in self._members}
            if len(peers) != 1:
                return
            (source,) = peers
        for member in list(self._members):
            if member.connection.peer == source:
                member.connection.handle_refused(now=now)
                self._after(member, now)

    def handle_too_long(self, size: int, *, destination: Address, now: int) -> None:
        """The local interface refused a datagram of `size` bytes to `destination`. Costs a walk."""
        for member in list(self._members):
            if member.connection.peer == destination:
                member.connection.handle_too_long(size, now=now)
                self._after(member, now)

    # Datagrams in.

    def _route(
        self, head: bytes, received: memoryview, stride: int, start: int, stop: int, source: Address, now: int
    ) -> None:
        """Hand datagrams [start, stop), which all begin alike, to whom they are for."""
        if is_long(head[0]):
            for index in range(start, stop):
                self._handle_long(received[index * stride : (index + 1) * stride], source, now)
            return
        member = self._members.by_id(head[1:])
        if member is None:
            self._note_lost(head[1:], stop - start, stride, source, now)
            return
        self._deliver(member, received, stride, start, stop, source, now)
        self._after(member, now)

    def _deliver(
        self, member: Member, received: memoryview, stride: int, start: int, stop: int, source: Address, now: int
    ) -> None:
        """Give short datagrams to their connection; a shorter one at the end by itself."""
        connection = member.connection
        trailer = connection.trailer
        least = HEADER_SIZE + trailer
        rest = len(received) - (stop - 1) * stride  # bytes of the last of them, if it is shorter
        whole = stop if rest >= stride else stop - 1
        if stride < least:
            self.stats.malformed += stop - start
            return
        slots = self._trains.slots(stride, stop, trailer)
        if whole > start:
            connection.handle_datagrams(slots, start, whole, source, now=now)
        if whole == stop:
            return
        if rest < least:
            self.stats.malformed += 1
            return
        connection.handle_datagrams(slots.last(whole, rest), 0, 1, source, now=now)

    def _handle_long(self, datagram: memoryview, source: Address, now: int) -> None:
        try:
            packet = parse(datagram, crc32c)
        except MalformedSegment:
            self.stats.malformed += 1
            return
        self.asked_at = now
        if isinstance(packet, Hello):
            key = hello_key(packet, source)
            member = self._members.by_hello(key)
            if member is None:
                self._handle_hello(packet, key, source, len(datagram), now)
                return
        else:
            member = self._members.by_id(packet.dcid)
            if member is None:
                self._note_lost(packet.dcid, 1, len(datagram), source, now)
                return
        member.connection.handle_long(packet, source, len(datagram), now=now)
        self._after(member, now)

    def _note_lost(self, connection_id: bytes, count: int, nbytes: int, source: Address, now: int) -> None:
        """Datagrams for nobody, `nbytes` each. A peer that missed the end of its connection is told again."""
        if not self._members.is_over(connection_id):
            self.stats.unknown += count
            return
        self.stats.late += count
        word = self._members.last_word(connection_id)
        train = None if word is None else word.repeat(source, nbytes, now=now)
        if train is not None:
            self._answers.put(train)

    def _handle_hello(self, hello: Hello, key: HelloKey, source: Address, nbytes: int, now: int) -> None:
        """A HELLO that belongs to no connection."""
        if self._reception is None:
            self.stats.unknown += 1
            return
        member = self._reception.take_hello(hello, key, source, nbytes, now=now)
        if member is not None:
            self._agenda.stir(member)

    # What follows.

    def _after(self, member: Member, now: int) -> None:
        """Something happened to a connection: see to what it wants, and what it is now."""
        self._agenda.stir(member)
        if self._reception is not None and member.is_half_open:
            if not member.connection.is_established:
                return
            self._reception.on_established(member)
        self._agenda.show(member)

    def _remove(self, member: Member, now: int) -> None:
        """Forget a connection that is over."""
        self._agenda.forget(member)
        self._members.remove(member, now=now)
        if not member.is_half_open:
            self._agenda.show(member)
        if self._reception is not None and member.guest is not None:
            self._reception.on_gone(member)
