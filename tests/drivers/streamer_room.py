"""The drop-in folder's Streamer and LossyUDP, loaded afresh for one test, with settings that make it quick."""

from __future__ import annotations

import contextlib
import importlib.util
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.streamer.config import StreamerConfig

FOLDER = Path(__file__).resolve().parents[2] / "streamer"
HOST = "127.0.0.1"
LONG = 30  # s; for what must happen, sooner or later
NAMES = {"surewire-listener", "surewire-transmitter"}


def quick(**changes: Any) -> StreamerConfig:
    """Defaults with a short grace period; what is no setting of StreamerConfig goes to its transport."""
    own = {name: changes.pop(name) for name in list(changes) if name in StreamerConfig.__dataclass_fields__}
    base = StreamerConfig()
    transport = replace(base.transport, **{"linger": 200 * NS_PER_MS, **changes})
    limits = {"peer_close_timeout": 20 * NS_PER_S, "last_ack_timeout": NS_PER_S}
    return replace(base, **{**limits, "transport": transport, **own})


def load(name: str) -> Any:
    """A fresh copy of streamer/NAME.py, under its own name while it is imported."""
    before = sys.modules.get(name)
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
    return module


def our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in NAMES]


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.001)


class Room:
    """Makes Streamers over recorded LossyUDP sockets and leaves nothing behind."""

    def __init__(self) -> None:
        state = random.getstate()
        self.lossy: Any = load("lossy_socket")
        self.lossy.atexit.unregister(self.lossy.print_statistics)
        random.setstate(state)
        self.sockets: list[Any] = []
        self.lossy.LossyUDP = recorder(self.lossy.LossyUDP, self.sockets)
        sys.modules["lossy_socket"] = self.lossy
        try:
            self.streamer: Any = load("streamer")
        finally:
            del sys.modules["lossy_socket"]
        self.config(quick())

    def config(self, config: StreamerConfig | None) -> None:
        self.streamer.Streamer.config = config

    def impair(self, loss: float, corruption: float, delay: float) -> None:
        self.lossy.sim = self.lossy.SimulationParams(loss, corruption, delay)

    def open(self, here: int, there: int, *, host: str = HOST, **src: Any) -> Any:
        """A Streamer at port `here`; its socket is the last of `sockets`."""
        return self.streamer.Streamer(host, there, src_port=here, **src)

    def pair(self) -> tuple[Any, Any]:
        here, there = free_ports(2)
        return self.open(here, there), self.open(there, here)

    def clear(self) -> None:
        for sock in self.sockets:
            sock.gate.set()
            sock.stoprecv()  # ends a Streamer that the test left open
        eventually(lambda: not our_threads())
        for sock in self.sockets:
            sock.close()


def recorder(base: Any, sockets: list[Any]) -> Any:
    class Recorder(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            sockets.append(self)
            self.sent: list[bytes] = []
            self.is_gone = False  # neither sends nor receives
            self.gate = threading.Event()  # sendto waits for it
            self.gate.set()

        def sendto(self, message: bytes, dst: Any) -> Any:
            self.sent.append(bytes(message))
            assert self.gate.wait(LONG)
            return len(message) if self.is_gone else super().sendto(message, dst)

        def recvfrom(self, bufsize: int = 2048) -> Any:
            while True:
                received = super().recvfrom(bufsize)
                if not self.is_gone or received == (b"", ("", 0)):
                    return received

    return Recorder


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.bind(("", 0))
            found.append(sock.getsockname()[1])
        return found


def receive(streamer: Any, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = streamer.recv()
        assert piece, "the stream ended early"
        data += piece
    return data


def receive_all(streamer: Any) -> bytes:
    data = b""
    while piece := streamer.recv():
        data += piece
    assert streamer.recv() == b""
    return data
