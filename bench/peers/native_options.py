"""Options of the ends that use surewire's own transport, for the blocking and the asyncio API alike."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from surewire.core.congestion import Congestion
from surewire.native.config import NativeConfig

_SHARED_KEY = bytes(range(32))  # measured is what sealing costs, and nobody else is on the link
_LOADED_WHEN_USED = ("surewire.crypto.sealed", "cryptography.hazmat.backends.openssl.backend")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Both ends of a transfer get the same."""
    parser.add_argument("--plain", action="store_true", help="checked (CRC-32C), not sealed")
    parser.add_argument(
        "--mtu", type=int, default=0, help="bytes of UDP payload in a full datagram; 0: as the path has"
    )
    parser.add_argument("--no-offload", action="store_true", help="one datagram a system call")
    parser.add_argument("--congestion", metavar="NAME", help="another controller than the default")


def keywords(args: argparse.Namespace) -> dict[str, Any]:
    """What `connect` and `listen` of both APIs take. Imports what they would import, so that it is not measured."""
    if not args.plain:
        for name in _LOADED_WHEN_USED:
            importlib.import_module(name)
    security: dict[str, Any] = {"plain": True} if args.plain else {"psk": _SHARED_KEY}
    config = NativeConfig(congestion=Congestion(args.congestion)) if args.congestion else None
    return {**security, "mtu": args.mtu or None, "offload": not args.no_offload, "config": config}
