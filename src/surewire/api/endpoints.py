"""An endpoint for a socket: with the system's own randomness, and no longer datagrams than the socket keeps whole."""

from __future__ import annotations

import dataclasses
import random
import time

from surewire.drivers.udp import UdpSocket
from surewire.native.config import NativeConfig
from surewire.native.endpoint import Endpoint
from surewire.native.security import ServerSecurity

_ETHERNET = 1_472  # bytes of UDP payload under IPv4


def fitted(config: NativeConfig, *, keeps_whole: bool) -> NativeConfig:
    """`config` for a socket that does not (`keeps_whole`) forbid fragments.

    Where fragments pass, a probe of any length does, and what is lost of it is lost whole: so nothing longer than
    Ethernet takes is searched for.
    """
    if keeps_whole or config.max_datagram <= _ETHERNET:
        return config
    return dataclasses.replace(config, max_datagram=_ETHERNET)


def open_endpoint(udp: UdpSocket, security: ServerSecurity | None, config: NativeConfig) -> Endpoint:
    """A client's endpoint, or with `security` a server's."""
    settings = fitted(config, keeps_whole=udp.stats.dont_fragment)
    return Endpoint(security, config=settings, rng=random.SystemRandom(), now=time.monotonic_ns())
