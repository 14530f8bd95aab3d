"""A bad network in front of a UDP server, for a test or a script: `surewire router` inside the own process.

    with surewire.lab.link(to=("127.0.0.1", 9000), loss=10, delay=20) as link:
        client.sendto(b"hello", link.address)

Clients send to `link.address` instead of to the server. The keywords are the options of a path by their names
(`surewire.impair.PATH_OPTIONS`), in the same units: percent, ms, bits a second, bytes; `up_loss` and `down_loss`
hold for one direction only. A relay (`surewire.drivers.relay`) runs in a thread; its limits stand there.

Invariants: every method may be called from any thread; the relay is only touched by its own. After `close` the thread
has ended and the sockets are closed, and an error that ended it has been raised.
"""

from __future__ import annotations

import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, TypeVar, cast

from surewire.drivers.relay import Relay, RelayTap
from surewire.drivers.relay_config import RelayConfig, RelayStats
from surewire.drivers.relay_sockets import Endpoint
from surewire.errors import ConfigError, LocalProtocolError
from surewire.impair import LinkConfig, LinkStats, Scenario, link_config
from surewire.lab.scenario_files import load_scenario

Place = tuple[str, int] | int | socket.socket
"""A UDP address: host and port, a port of 127.0.0.1, or a bound socket."""

Value = str | int | float | list[str] | None
"""What an option of a path may be given: a number or a text in its unit, several texts if it may be repeated."""

T = TypeVar("T")

_LOCALHOST = "127.0.0.1"
_PATIENCE_S = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkReport:
    """What a link did, at one moment.

    Attributes:
        up: counters of the path from clients to the server.
        down: counters of the path from the server to clients.
        relay: what happened beside these.
    """

    up: LinkStats
    down: LinkStats
    relay: RelayStats

    @property
    def kept_up(self) -> bool:
        """Whether the link was as configured, not worse for want of processor time."""
        return self.relay.kept_up


class LossyLink:
    """A bad network between clients and one server, from construction to `close`. Made by `link`.

    Attributes:
        seed: of all its random decisions; a link with the same seed and options decides the same for
            the same sequence of datagrams.
    """

    def __init__(self, to: Place, listen: Place, config: RelayConfig, tap: RelayTap | None) -> None:
        """See `link`."""
        self.seed = config.seed
        self._relay = Relay(_endpoint(listen), _endpoint(to), config, tap=tap)
        host, port, *_ = _reachable(self._relay.endpoint.address)
        self._address: tuple[str, int] = (host, port)
        self._failure: BaseException | None = None
        self._last: LinkReport | None = None
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="surewire-link", daemon=True)
        self._thread.start()

    def __enter__(self) -> LossyLink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception as failure:
            if error is None:
                raise
            error.add_note(f"and the link's thread had ended with {failure!r}")

    def __repr__(self) -> str:
        return f"<LossyLink at {self._address} seed {self.seed}>"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients send to."""
        return self._address

    @property
    def stats(self) -> LinkReport:
        """The counters as they are now, or were when the link ended."""
        if self._last is not None:
            return self._last
        try:
            return self._ask(self._report)
        except LocalProtocolError:
            return self._report()  # its thread has ended, and nobody else touches the relay

    def change(self, **path: Value) -> None:
        """From now on other values; what is not named stays as it was.

        What is under way arrives as before. The queue of a bottleneck starts empty, and a burst of losses and the
        numbers of `drop` anew.

        Args:
            path: as for `link`.

        Raises:
            ConfigError: a name or a value makes no sense; nothing has changed then.
            LocalProtocolError: the link is closed.
        """

        def apply() -> None:
            relay = self._relay
            up, down = _both_ways(path, relay.up_config, relay.down_config)
            relay.change(up=up, down=down)

        self._ask(apply)

    @contextmanager
    def blackout(self) -> Iterator[None]:
        """Inside the with block everything that is sent is lost, in both directions.

        What was sent before still arrives. Afterwards the values from before hold again, as by `change`.

        Raises:
            LocalProtocolError: the link is closed.
        """
        before = self._ask(lambda: (self._relay.up_config, self._relay.down_config))
        up, down = (replace(config, loss=1.0, max_loss_run=None, changes=()) for config in before)
        self._ask(lambda: self._relay.change(up=up, down=down))
        try:
            yield
        finally:
            if self._last is None:
                self._ask(lambda: self._relay.change(up=before[0], down=before[1]))

    def rebind(self, *, address: bool = False) -> None:
        """Do now what a NAT does that forgot its binding: every client gets another source port.

        Args:
            address: the source address changes, too; possible towards a server on 127.x.x.x, on Linux.

        Raises:
            ConfigError: the address cannot change.
            LocalProtocolError: the link is closed.
        """
        self._ask(lambda: self._relay.rebind(address=address))

    def reverse(self, client: Place) -> tuple[str, int]:
        """The address at which the server reaches a client that has sent nothing yet, as by a port forwarding.

        For two programs that both have to know where to send: the client sends to `address`, the server to this.
        It holds until the client is rebound, or idle for five minutes.

        Raises:
            OSError: the system gives no socket.
            LocalProtocolError: the link is closed.
        """
        return self._ask(lambda: cast("tuple[str, int]", self._relay.admit(_endpoint(client).address)[:2]))

    def close(self) -> None:
        """End the thread and close the sockets; datagrams under way are gone. Again does nothing.

        Raises:
            Exception: whatever ended the thread before; also what a tap raised.
        """
        with self._closing:
            if self._last is not None:
                return
            self._relay.stop()
            self._thread.join()
            self._last = self._report()
            self._relay.close()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._relay.run()
        except BaseException as failure:
            self._failure = failure

    def _report(self) -> LinkReport:
        relay = self._relay
        return LinkReport(up=replace(relay.up), down=replace(relay.down), relay=relay.snapshot())

    def _ask(self, what: Callable[[], T]) -> T:
        """Have something done in the relay's thread and wait for the answer."""
        answer: Future[T] = Future()

        def reply() -> None:
            try:
                answer.set_result(what())
            except Exception as error:
                answer.set_exception(error)

        if self._last is not None:
            raise LocalProtocolError("the link is closed")
        if threading.current_thread() is self._thread:
            return what()  # a tap asks; to wait for its own thread would be forever
        self._relay.post(reply)
        while True:
            # Asked before the wait, so that an answer given just before the thread's end is not missed.
            is_running = self._thread.is_alive()
            try:
                return answer.result(_PATIENCE_S)
            except NotYet:
                if not is_running:
                    raise LocalProtocolError("the link is closed") from self._failure


def link(
    *,
    to: Place,
    listen: Place = (_LOCALHOST, 0),
    scenario: str | Scenario | None = None,
    seed: int | None = None,
    tap: RelayTap | None = None,
    **path: Value,
) -> LossyLink:
    """Put a bad network in front of a UDP server; for a with statement, which closes it.

    Args:
        to: the server: (host, port), a port of 127.0.0.1, or its bound socket.
        listen: where clients are to send to; port 0 takes a free one.
        scenario: what holds where `path` says nothing: a name, a TOML file or a Scenario. Its NAT rebinding is
            done, its cross traffic is refused.
        seed: of all random decisions; None draws one, see `LossyLink.seed`.
        tap: told of every datagram, in the link's thread.
        path: options of a path, such as loss=10 (percent, each way), up_loss=0, delay=20 (ms), rate="20M",
            burst="10:5", queue="64k"; see `surewire.impair.PATH_OPTIONS`.

    Raises:
        ConfigError: a name or a value makes no sense, or the scenario needs what a relay cannot do.
        OSError: an address does not resolve or cannot be used.
    """
    base = load_scenario(scenario) if isinstance(scenario, str) else scenario
    if base is not None and base.cross_traffic:
        raise ConfigError(f"scenario {base.name} has cross traffic, which only the simulator and surewire lab play")
    perfect = LinkConfig()
    up, down = _both_ways(path, base.up if base else perfect, base.down if base else perfect)
    config = RelayConfig(
        up=up,
        down=down,
        seed=secrets.randbelow(2**32) if seed is None else seed,
        rebinding=base.rebinding if base else None,
    )
    return LossyLink(to, listen, config, tap)


def _both_ways(path: dict[str, Value], up: LinkConfig, down: LinkConfig) -> tuple[LinkConfig, LinkConfig]:
    """Apply keywords to both directions; those of one direction override those of both."""
    chosen: dict[str, dict[str, Any]] = {"up": {}, "down": {}}
    for name, value in path.items():
        if not name.startswith(("up_", "down_")):
            for values in chosen.values():
                values.setdefault(name, value)
    for name, value in path.items():
        way, _, rest = name.partition("_")
        if way in chosen and value is not None:
            chosen[way][rest] = value
    return link_config(chosen["up"], base=up), link_config(chosen["down"], base=down)


def _endpoint(place: Place) -> Endpoint:
    if isinstance(place, socket.socket):
        return Endpoint(place.family, _reachable(place.getsockname()))
    if isinstance(place, int):
        return Endpoint.resolve(_LOCALHOST, place)
    return Endpoint.resolve(*place[:2])


def _reachable(address: Any) -> Any:
    """Where a socket at `address` is reached on this host: a wildcard is no place to send to."""
    host, *rest = address
    return ({"0.0.0.0": _LOCALHOST, "::": "::1"}.get(host, host), *rest)
