"""Those who come from outside, from their HELLO until the application takes them.

A HELLO that belongs to no connection is judged (`admission.py`). It becomes a half-open connection, which has so long
to show that it read the WELCOME, or it gets an answer, or nothing. Answers wait in a queue that is short: what does not
fit is not sent, and its HELLO will come again. The application knows nothing of half-open connections.

Invariants: half-open connections stand in the order of their deadlines; each is in the table of members as well.
"""

from __future__ import annotations

import random
from collections import deque

from surewire.core.trains import Address, Train
from surewire.crypto.crc32c import crc32c
from surewire.errors import HandshakeFailed
from surewire.native.admission import Admission, AdmissionConfig, Admitted
from surewire.native.connection import Connection
from surewire.native.endpoint_stats import EndpointStats
from surewire.native.members import HelloKey, Maker, Member, Members
from surewire.native.security import ServerSecurity
from surewire.wire.native_datagram import Hello, Refused, Retry, Versions, emit

_MAX_ANSWERS = 256  # that wait to be sent, 500 bytes each with all


class Answers:
    """Datagrams that are no connection's, waiting to be sent."""

    __slots__ = ("_stats", "waiting")

    def __init__(self, stats: EndpointStats) -> None:
        self._stats = stats
        self.waiting: deque[Train] = deque()

    def put(self, train: Train) -> None:
        """Let it out, if not too many wait."""
        if len(self.waiting) < _MAX_ANSWERS:
            self.waiting.append(train)
        else:
            self._stats.answers_dropped += 1


class Reception:
    """Lets others in. `half_open` maps those who are not through yet to their deadlines, ns."""

    __slots__ = ("_accepted", "_admission", "_answers", "_maker", "_members", "_security", "_stats", "half_open")

    def __init__(
        self,
        security: ServerSecurity,
        limits: AdmissionConfig,
        *,
        maker: Maker,
        members: Members,
        answers: Answers,
        stats: EndpointStats,
        rng: random.Random,
        now: int,
    ) -> None:
        """Let in whom `security` answers, within `limits`; connections enter `members`, answers go to `answers`."""
        self.half_open: dict[Member, int] = {}
        self._security = security
        self._admission = Admission(security.suites, limits, rng=rng, now=now)
        self._maker = maker
        self._members = members
        self._answers = answers
        self._stats = stats
        self._accepted: deque[Member] = deque()

    @property
    def is_open(self) -> bool:
        """Whether anybody may be let in."""
        return self._admission.is_open

    def close(self) -> None:
        """Let nobody in any more."""
        self._admission.is_open = False

    def take_hello(self, hello: Hello, key: HelloKey, source: Address, nbytes: int, *, now: int) -> Member | None:
        """A HELLO of `nbytes` that belongs to no connection; the connection that it made, if it did."""
        stats = self._stats
        if self._members.is_spent(key):
            stats.late += 1
            return None
        stats.hellos += 1
        verdict = self._admission.judge(hello, source, now=now)
        if verdict is None:
            stats.postponed += 1
            return None
        if not isinstance(verdict, Admitted):
            self._answer(verdict, source)
            return None
        connection_id = self._members.draw_id()
        try:
            connection = self._maker.accept(
                hello,
                source=source,
                hello_bytes=nbytes,
                security=self._security,
                connection_id=connection_id,
                is_validated=verdict.is_proven,
                now=now,
            )
        except HandshakeFailed:
            stats.failed += 1
            self._members.note_failed(key, now=now)
            return None
        stats.opened += 1
        guest = self._admission.enter(source, verdict)
        member = self._members.add(connection, connection_id, guest=guest, hello=key)
        self.half_open[member] = now + self._admission.config.handshake_timeout
        return member

    def _answer(self, answer: Retry | Versions | Refused, source: Address) -> None:
        """Let a stranger have an answer, of whom nothing else is kept."""
        stats = self._stats
        if isinstance(answer, Retry):
            stats.retries += 1
        elif isinstance(answer, Versions):
            stats.versions += 1
        else:
            stats.refused += 1
        datagram = emit(answer, crc32c)
        self._answers.put(Train([datagram], len(datagram), len(datagram), source))

    def expiry(self) -> int | None:
        """When the next half-open connection has to be dropped, or None."""
        return next(iter(self.half_open.values())) if self.half_open else None

    def pop_expired(self, now: int) -> Member | None:
        """A half-open connection whose time is over."""
        if not self.half_open:
            return None
        member, expiry = next(iter(self.half_open.items()))
        if expiry > now:
            return None
        self._stats.expired += 1
        return member

    def on_established(self, member: Member) -> None:
        """A half-open connection is through; it waits for the application."""
        del self.half_open[member]
        if member.guest is not None:
            self._admission.on_established(member.guest)
        self._stats.accepted += 1
        self._accepted.append(member)

    def poll_accept(self) -> Connection | None:
        """The next one that waits, which is the application's from now on."""
        if not self._accepted:
            return None
        member = self._accepted.popleft()
        if member.guest is not None:
            self._admission.on_taken(member.guest)
        return member.connection

    def on_gone(self, member: Member) -> None:
        """A connection from outside is over, or was dropped."""
        self.half_open.pop(member, None)
        if member.guest is not None:
            self._admission.leave(member.guest)
