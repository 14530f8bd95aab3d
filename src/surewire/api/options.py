"""What the keyword arguments of `connect`, `listen`, `aio.connect` and `aio.serve` mean.

They become a configuration, a security and a socket address here, once for the blocking and the asyncio API. The
`cryptography` package is loaded only when somebody asks for a sealed connection: it takes as long as all the rest.
"""

from __future__ import annotations

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

from surewire.api.keys import KEY_SIZE, StrPath, server_private_key, shared_key
from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError, UntrustedServer
from surewire.native.config import NativeConfig
from surewire.native.security import ClientSecurity, ServerSecurity

Address = tuple[str, int] | str
"""Host and port, together ("host:port", "[::1]:port") or apart."""

FIRST_USE = "first use"
"""For `trust`: an unknown server's key is taken as it comes, and remembered; a known one's must be what it was."""

_ADDRESS = re.compile(r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<plain>[^:\[\]]*)):(?P<port>[0-9]{1,5})")


class Client(NamedTuple):
    """How to connect.

    Attributes:
        security: what the endpoint wants.
        shown_key: the public key that the server has shown, once it has.
        on_established: to be called when the connection stands.
    """

    security: ClientSecurity
    shown_key: Callable[[], bytes | None]
    on_established: Callable[[], None]


class Server(NamedTuple):
    """How to let in; `public_key` is what clients know the server by, if they do."""

    security: ServerSecurity
    public_key: bytes | None


def split_address(address: Address) -> tuple[str, int]:
    """Host and port of an address in any of its forms.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(address, str):
        found = _ADDRESS.fullmatch(address)
        if found is None:
            raise ConfigError(f"an address is HOST:PORT or [IPv6]:PORT, not {address!r}")
        host, port = found["bracketed"] or found["plain"] or "", int(found["port"])
    elif isinstance(address, tuple) and len(address) == 2:
        host, port = address
    else:
        raise ConfigError(f"an address is a pair of host and port or one text of both, not {address!r}")
    if not isinstance(host, str) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise ConfigError(f"an address is a pair of host and port (0 to 65535), not {address!r}")
    return host, port


def native_config(
    config: NativeConfig | None,
    *,
    mtu: int | None,
    timeout: float | None = None,
    congestion: Congestion | str | None = None,
    max_rate: int | None = None,
) -> NativeConfig:
    """The settings of a connection.

    Args:
        config: to begin with; None: the defaults.
        mtu: bytes of UDP payload of a full datagram; None: as many as the path is found to carry.
        timeout: seconds in which the handshake has to be done; None: what `config` says.
        congestion: the controller or its name; None: what `config` says.
        max_rate: bytes a second that are sent at most; None: what `config` says.

    Raises:
        ConfigError: a value is out of range.
    """
    made = NativeConfig() if config is None else config
    if mtu is not None:
        made = dataclasses.replace(made, fixed_datagram=mtu)
    if congestion is not None:
        made = dataclasses.replace(made, congestion=_chosen(congestion))
    if max_rate is not None:
        made = dataclasses.replace(made, max_rate=checked_rate(max_rate))
    if timeout is not None:
        if timeout <= 0:
            raise ConfigError("a timeout is positive")
        transport = dataclasses.replace(made.transport, handshake_timeout=max(int(timeout * NS_PER_S), 1))
        made = dataclasses.replace(made, transport=transport)
    return made


def _chosen(congestion: Congestion | str) -> Congestion:
    if isinstance(congestion, str):
        return Congestion(congestion)
    if not isinstance(congestion, Congestion):
        raise ConfigError(f"congestion is the name of a controller or a Congestion, not {congestion!r}")
    return congestion


def checked_rate(rate: int | None) -> int | None:
    """A limit of the rate as it was given.

    Raises:
        ConfigError: it is no whole number above 0, nor None.
    """
    if rate is not None and (not isinstance(rate, int) or isinstance(rate, bool) or rate < 1):
        raise ConfigError(f"max_rate is a whole number of bytes a second, at least 1, or None, not {rate!r}")
    return rate


def client_of(
    host: str,
    port: int,
    *,
    psk: bytes | StrPath | None,
    server_key: bytes | str | None,
    trust: str | None,
    known_servers: StrPath | None,
    plain: bool,
) -> Client:
    """How a client proves the server, or that it does not.

    Raises:
        ConfigError: the arguments contradict each other, or a key cannot be had.
    """
    chosen = [
        name
        for name, is_given in (
            ("plain", plain),
            ("psk", psk is not None),
            ("server_key", server_key is not None),
            ("trust", trust is not None),
        )
        if is_given
    ]
    if len(chosen) > 1:
        raise ConfigError(f"{' and '.join(chosen)} exclude each other")
    if plain:
        from surewire.crypto.checked import CheckedClient

        return Client(CheckedClient(), _nothing, _nothing)
    sealed = _sealed()
    if psk is not None:
        return Client(sealed.PskClient(shared_key(psk)), _nothing, _nothing)
    if server_key is not None:
        judge: _Judge = _Pinned(public_key(server_key))
    else:
        judge = _Remembered(host, port, known_servers, trust)
    return Client(sealed.KeyClient(judge.verify), judge.shown, judge.on_established)


def server_of(*, psk: bytes | StrPath | None, server_key: bytes | StrPath | None, plain: bool) -> Server:
    """Whom a server lets in, and how it proves itself.

    Raises:
        ConfigError: the arguments contradict each other, or a key cannot be had.
    """
    if plain:
        if psk is not None or server_key is not None:
            raise ConfigError("plain excludes psk and server_key")
        from surewire.crypto.checked import CheckedServer

        return Server(CheckedServer(), None)
    sealed = _sealed()
    if psk is not None:
        if server_key is not None:
            # Together they would let in everybody, shared key or not.
            raise ConfigError("psk and server_key exclude each other")
        return Server(sealed.PskServer(shared_key(psk)), None)
    private = server_key if isinstance(server_key, bytes) else server_private_key(server_key)
    return Server(sealed.KeyServer(private), sealed.public_key(private))


def public_key(key: bytes | str) -> bytes:
    """A server's public key: 32 bytes, or as many in hexadecimal digits.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(key, str):
        try:
            key = bytes.fromhex(key)
        except ValueError:
            raise ConfigError(f"a public key is {2 * KEY_SIZE} hexadecimal digits, not {key!r}") from None
    if len(key) != KEY_SIZE:
        raise ConfigError(f"a public key has {KEY_SIZE} bytes, not {len(key)}")
    return key


def _sealed() -> ModuleType:
    """The module `crypto.sealed`.

    Raises:
        ConfigError: it cannot be had without a package that is not installed.
    """
    try:
        from surewire.crypto import sealed
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "cryptography":
            raise
        raise ConfigError(
            "sealed connections need the package cryptography, which cannot be loaded here (pip install cryptography); "
            "plain ones do without"
        ) from error
    return sealed


def _nothing() -> None:
    return None


class _Judge(ABC):
    """Says whether the key that a server has proved to own is one to talk to."""

    def __init__(self) -> None:
        self._shown: bytes | None = None

    def shown(self) -> bytes | None:
        return self._shown

    @abstractmethod
    def verify(self, key: bytes) -> None:
        """Raise UntrustedServer unless the key is the right one."""

    @abstractmethod
    def on_established(self) -> None:
        """The server has this key, and it was the right one."""


class _Pinned(_Judge):
    """The one key that the caller named."""

    def __init__(self, expected: bytes) -> None:
        super().__init__()
        self._expected = expected

    def verify(self, key: bytes) -> None:
        if key != self._expected:
            raise UntrustedServer(
                f"the server has another key than the one demanded: {_fingerprint(key)}, not "
                f"{_fingerprint(self._expected)}"
            )
        self._shown = key

    def on_established(self) -> None:
        """Nothing to remember: the caller names the key each time."""


class _Remembered(_Judge):
    """The key that is on record, or one whose fingerprint the caller has been told."""

    def __init__(self, host: str, port: int, path: StrPath | None, trust: str | None) -> None:
        from surewire.api.known_servers import KnownServers, server_name
        from surewire.crypto.fingerprints import normal_fingerprint

        super().__init__()
        self._servers = KnownServers(path)
        self._host, self._port = host, port
        self._name = server_name(host, port)
        self._takes_new = trust == FIRST_USE
        self._trusted = None if trust is None or trust == FIRST_USE else normal_fingerprint(trust)
        # read now, so that a file that is wrong is told before anything is sent
        self._known = self._servers.key_of(host, port)

    def verify(self, key: bytes) -> None:
        shown = _fingerprint(key)
        if self._trusted is not None:
            if shown != self._trusted:
                raise UntrustedServer(f"the server's fingerprint is {shown}, not {self._trusted}")
        elif self._known is None and self._takes_new:
            pass
        elif self._known is None:
            raise UntrustedServer(
                f"{self._name} is not known; its fingerprint is {shown}: if its owner says so too, connect with this "
                "fingerprint as trust"
            )
        elif key != self._known:
            raise UntrustedServer(
                f"the key of {self._name} has changed: its fingerprint was {_fingerprint(self._known)} and is {shown}. "
                f"Somebody may be in between. If its owner says that it is right, connect with the new "
                "one as trust"
            )
        self._shown = key

    def on_established(self) -> None:
        if self._shown is not None and self._shown != self._known:
            # The file may have changed since it was read: what was first then may have become a second key.
            self._servers.remember(self._host, self._port, self._shown, is_first=self._trusted is None)


def _fingerprint(key: bytes) -> str:
    from surewire.crypto.fingerprints import fingerprint

    return fingerprint(key)
