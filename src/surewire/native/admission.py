"""Who is let in: version and suite, limits, and proof of the address when too many come at once.

`judge` says what becomes of a HELLO: it is admitted, or answered by one short datagram after which nothing of it is
kept. A *guest* is a connection that was let in, as far as limits are concerned: half-open until the client has shown
that it read the WELCOME, then waiting for the application to take it. A guest is *unproven* while nobody has shown
that its address is true, neither by a cookie nor by completing the handshake.

Addresses can be forged, so unproven guests must cost others nothing. They have limits of their own, far below those
of proven ones; beyond them a HELLO needs a cookie (`cookies.py`). So a flood of forged HELLOs fills `max_unproven`
places for `handshake_timeout` and no more, and whoever can read at his address still gets in. Nor do unproven guests
count where somebody else's address would be blamed for them.

Invariants: nothing is kept of an address without a guest; every count is the number of guests in that phase.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from surewire.core.trains import Address
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError
from surewire.native.cookies import Cookies
from surewire.wire.native_datagram import VERSION, Hello, RefusalCode, Refused, Retry, Versions

_TEXTS = {
    RefusalCode.FULL: "no room for another connection",
    RefusalCode.ADDRESS_LIMIT: "too many connections from this address",
    RefusalCode.CLOSING: "no new connections are taken",
}
_IPV6_SITE = 8  # bytes: whoever has an IPv6 address has a /64 of them, as a rule (RFC 6177 §2)


@dataclass(frozen=True, kw_only=True, slots=True)
class AdmissionConfig:
    """How many are let in. What a connection takes is stated in docs/performance.md; a guest adds 1 kB of tables.

    An address is a host, whatever the port; with IPv6 it is the /64 network.

    Attributes:
        max_connections: all that came from outside and are not over.
        max_per_address: those of one address; high, since an office or a provider may share one.
        max_half_open: those whose handshake is not complete.
        max_half_open_per_address: those of them from one address; a fourth, so one client cannot have them all.
        max_unproven: half-open ones that are let in without a cookie.
        max_unproven_per_address: those of them that claim to be from one address.
        max_unproven_per_s: handshakes computed without a cookie in a second; sealed, each takes 0.2 ms or so.
        max_waiting: established ones that the application has not taken.
        always_validate: ask everybody for a cookie: a round trip more for each connection.
        handshake_timeout: ns after which a half-open connection is dropped; no less than the `idle_timeout` of a client
            that has its WELCOME and whose datagrams are lost.
    """

    max_connections: int = 8_192
    max_per_address: int = 2_048
    max_half_open: int = 1_024
    max_half_open_per_address: int = 256
    max_unproven: int = 128
    max_unproven_per_address: int = 16
    max_unproven_per_s: int = 512
    max_waiting: int = 1_024
    always_validate: bool = False
    handshake_timeout: int = 30 * NS_PER_S

    def __post_init__(self) -> None:
        """Refuse limits that nobody could be let in with.

        Raises:
            ConfigError: a limit is below 1, or unproven guests could take all half-open places.
        """
        for field in fields(self):
            least = 0 if field.name.startswith("max_unproven") or field.name == "always_validate" else 1
            if getattr(self, field.name) < least:
                raise ConfigError(f"{field.name} must be at least {least}")
        if self.max_unproven >= self.max_half_open:
            raise ConfigError("max_unproven must be below max_half_open: those with a cookie need places, too")


class Guest:
    """A connection that was let in, as far as limits are concerned."""

    __slots__ = ("host", "is_half_open", "is_proven", "is_waiting")

    def __init__(self, host: Address, *, is_proven: bool) -> None:
        self.host = host
        self.is_proven = is_proven
        self.is_half_open = True
        self.is_waiting = False


class _Tally:
    """How many guests: of one address, or all. `proven` are all but the unproven ones, half-open or not."""

    __slots__ = ("proven", "proven_half_open", "unproven")

    def __init__(self) -> None:
        self.proven = 0
        self.proven_half_open = 0
        self.unproven = 0

    def count(self, guest: Guest, by: int) -> None:
        """Add the guest as it is now, or take it away."""
        if not guest.is_proven:
            self.unproven += by
            return
        self.proven += by
        if guest.is_half_open:
            self.proven_half_open += by

    @property
    def total(self) -> int:
        return self.proven + self.unproven


class Admitted(NamedTuple):
    """The verdict that lets a HELLO in."""

    is_proven: bool


class Admission:
    """Judges HELLOs and counts guests. `is_open` may be set to False: then nobody is let in any more."""

    def __init__(self, suites: Sequence[int], config: AdmissionConfig, *, rng: random.Random, now: int) -> None:
        """Let in whoever knows one of `suites`. `rng` is kept, see `Cookies`."""
        self.config = config
        self.is_open = True
        self.waiting = 0
        self.wrong_cookies = 0  # HELLOs with a cookie that is none of ours, or too old
        self._suites = tuple(suites)
        self._cookies = Cookies(rng, now=now)
        self._all = _Tally()
        self._by_host: dict[Address, _Tally] = {}
        self._second = now
        self._unproven_this_second = 0

    @property
    def half_open(self) -> int:
        """Guests whose handshake is not complete."""
        return self._all.unproven + self._all.proven_half_open

    @property
    def unproven(self) -> int:
        """Guests whose address may be forged."""
        return self._all.unproven

    @property
    def guests(self) -> int:
        """All guests."""
        return self._all.total

    @property
    def hosts(self) -> int:
        """Addresses about which something is kept."""
        return len(self._by_host)

    def judge(self, hello: Hello, source: Address, *, now: int) -> Admitted | Retry | Versions | Refused | None:
        """What becomes of a HELLO that belongs to no connection.

        Returns:
            The verdict that lets it in, after which `enter` is due if the handshake succeeds; or the answer to
            send, which is far shorter than the HELLO; or None: there is no room, but there will be in a moment.
        """
        if hello.version != VERSION or hello.suite not in self._suites:
            return Versions(hello.scid, hello.dcid, (VERSION,), self._suites)
        is_proven = False
        if hello.cookie:
            is_proven = self._cookies.is_genuine(hello, source, now=now)
            self.wrong_cookies += not is_proven
        of_host = self._by_host.get(host_of(source))
        refusal = self._refusal(of_host)
        if refusal is not None:
            return Refused(hello.scid, hello.version, hello.dcid, refusal, _TEXTS[refusal])
        if is_proven:
            return Admitted(is_proven=True) if self._has_half_open_room(of_host) else None
        if self._needs_cookie(of_host, now):
            return Retry(hello.scid, hello.version, hello.dcid, self._cookies.make(hello, source, now=now))
        self._unproven_this_second += 1
        return Admitted(is_proven=False)

    def _refusal(self, of_host: _Tally | None) -> RefusalCode | None:
        """Why nobody, or nobody of this address, will get in for some time."""
        config = self.config
        if not self.is_open:
            return RefusalCode.CLOSING
        if self._all.total >= config.max_connections or self.waiting >= config.max_waiting:
            return RefusalCode.FULL
        if of_host is not None and of_host.proven >= config.max_per_address:
            return RefusalCode.ADDRESS_LIMIT
        return None

    def _has_half_open_room(self, of_host: _Tally | None) -> bool:
        """Whether one more whose address is proven may begin. If not, a place will be free in a round trip or so."""
        config = self.config
        if self.half_open >= config.max_half_open:
            return False
        return of_host is None or of_host.proven_half_open < config.max_half_open_per_address

    def _needs_cookie(self, of_host: _Tally | None, now: int) -> bool:
        """Whether one more unproven guest would be too many."""
        config = self.config
        if now - self._second >= NS_PER_S:
            self._second = now
            self._unproven_this_second = 0
        return (
            config.always_validate
            or self._all.unproven >= config.max_unproven
            or self.half_open >= config.max_half_open
            or self._unproven_this_second >= config.max_unproven_per_s
            or (of_host is not None and of_host.unproven >= config.max_unproven_per_address)
        )

    # The life of a guest.

    def enter(self, source: Address, admitted: Admitted) -> Guest:
        """Count a guest that was let in."""
        guest = Guest(host_of(source), is_proven=admitted.is_proven)
        self._count(guest, 1)
        return guest

    def on_established(self, guest: Guest) -> None:
        """The client has read the WELCOME, which proves its address; it waits to be taken."""
        self._count(guest, -1)
        guest.is_proven, guest.is_half_open, guest.is_waiting = True, False, True
        self.waiting += 1
        self._count(guest, 1)

    def on_taken(self, guest: Guest) -> None:
        """The application has it. A guest that left while it waited is taken, too."""
        if guest.is_waiting:
            guest.is_waiting = False
            self.waiting -= 1

    def leave(self, guest: Guest) -> None:
        """Its connection is over; call it once. One that waits still does: what it brought can be read."""
        self._count(guest, -1)

    def _count(self, guest: Guest, by: int) -> None:
        self._all.count(guest, by)
        tally = self._by_host.get(guest.host)
        if tally is None:
            tally = self._by_host[guest.host] = _Tally()
        tally.count(guest, by)
        if not tally.total:
            del self._by_host[guest.host]


def host_of(source: Address) -> Address:
    """What the limits of an address go by: the host, or the /64 of an IPv6 one; an address of another shape whole."""
    if not isinstance(source, tuple) or not source:
        return source
    host: Address = source[0]
    if not isinstance(host, str) or ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return address.packed[:_IPV6_SITE]
