"""What every end of a measured transfer shares: its command line, its clock, and the line that it prints.

An end is a process of its own, so that its CPU time and memory are its own:

    python bench/peers/NAME.py [options] recv FILE         prints "PORT n" when it listens, takes one file, ends
    python bench/peers/NAME.py [options] send FILE PORT    ends when the receiver has it all

`--host` says where to listen or send to (127.0.0.1), `--listen-port` where to listen (0: any port that is free), and
`--linger` how long a receiver stays whose confirmation leaves, and may have to leave again, after it was given out.

Its last line is a JSON object: `seconds` and `cpu_s` from before connecting (receiver: from when it listens) until the
receiver has stored everything and the sender knows it, `began` when that was by the system's monotonic clock, `peak_kb`
the most memory it had. Importing is not counted, nor what an end does after the confirmation.
"""

from __future__ import annotations

import argparse
import json
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
HOST = "127.0.0.1"
CONFIRMED = b"K"


class Figures(dict[str, Any]):
    """What an end prints. Its clock runs from construction until `stop`."""

    def __init__(self, **more: Any) -> None:
        super().__init__(more)
        self._cpu = time.process_time()
        self["began"] = time.monotonic()

    def stop(self) -> None:
        """The transfer is over: what comes now, such as closing, does not count. Only the first call does anything."""
        if "seconds" not in self:
            self["seconds"] = time.monotonic() - self["began"]
            self["cpu_s"] = time.process_time() - self._cpu


def free_port(host: str = HOST) -> int:
    """A UDP port that nobody has at the moment, for peers that cannot say which one they got."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def say_port(port: int) -> None:
    """Tell whoever started this process where it listens."""
    print(f"PORT {port}", flush=True)


@contextmanager
def measured(**more: Any) -> Iterator[Figures]:
    """Print what the block took, up to `stop`; what the block puts into the dictionary is printed too."""
    figures = Figures(**more)
    yield figures
    figures.stop()
    figures["peak_kb"] = _peak_kb()
    print(json.dumps(figures), flush=True)


def _peak_kb() -> int:
    """Most memory this program has had. The system's `ru_maxrss` begins with that of whoever started it."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes, a megabyte at a time."""
    with path.open("rb", buffering=0) as file:
        while data := file.read(CHUNK):
            yield data


def run(
    send: Callable[[Path, int, argparse.Namespace], None],
    recv: Callable[[Path, argparse.Namespace], None],
    add_options: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> None:
    """The command line of an end."""
    parser = argparse.ArgumentParser(description=(sys.modules["__main__"].__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default=HOST, help="where to listen, or to send to")
    parser.add_argument("--listen-port", type=int, default=0, help="where to listen; 0: any port that is free")
    parser.add_argument("--linger", type=float, default=0.1, help="seconds in which a confirmation may be sent again")
    add_options(parser)
    roles = parser.add_subparsers(dest="role", required=True)
    sending = roles.add_parser("send")
    sending.add_argument("file", type=Path)
    sending.add_argument("port", type=int)
    roles.add_parser("recv").add_argument("file", type=Path)
    args = parser.parse_args()
    if args.role == "send":
        send(args.file, args.port, args)
    else:
        recv(args.file, args)
