"""What every end of a measured transfer shares: its command line, its clock, and the line that it prints.

An end is a process of its own, so that its CPU time and memory are its own:

    python bench/peers/NAME.py recv FILE [options]         prints "PORT n" when it listens, takes one file, ends
    python bench/peers/NAME.py send FILE PORT [options]    sends to 127.0.0.1, ends when the receiver has it all

Its last line is a JSON object: `seconds` and `cpu_s` from before connecting (receiver: from when it listens) until the
receiver has stored everything and the sender knows it, `peak_kb` the most memory it had. Importing is not counted.
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


def free_port() -> int:
    """A UDP port that nobody has at the moment, for peers that cannot say which one they got."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def say_port(port: int) -> None:
    """Tell whoever started this process where it listens."""
    print(f"PORT {port}", flush=True)


@contextmanager
def measured(**more: Any) -> Iterator[dict[str, Any]]:
    """Print what the block took; what the block puts into the dictionary is printed too."""
    figures: dict[str, Any] = dict(more)
    began, cpu = time.monotonic(), time.process_time()
    yield figures
    figures["seconds"] = time.monotonic() - began
    figures["cpu_s"] = time.process_time() - cpu
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
