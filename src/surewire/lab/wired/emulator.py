"""The emulator as a process of its own, so that nothing else in the laboratory can hold up its loop.

    python -m surewire.lab.wired.emulator      (started by `surewire.lab.wired.emulation`, inside a namespace)

Standard input: a line of JSON with the interfaces' names, the file for a capture and the length of what follows, then
a pickled `WireConfig` (from our own parent, nobody else), then nothing until its end, which means: stop. Standard
output: one JSON object a line, with the key "event": "ready" when the devices exist, "begin" at the first packet, at
last "end" with the counters, or "error" with the reason.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

from surewire.drivers.tun import open_tun
from surewire.lab.wired.capture import CaptureWriter
from surewire.lab.wired.wire import Wire, WireConfig

# Where real-time scheduling is refused.
_PRIORITY = -15
_CAPTURE_BUFFER = 1 << 20


def main() -> int:
    """Serve until standard input ends; returns the exit status."""
    with contextlib.suppress(KeyboardInterrupt):
        order = json.loads(sys.stdin.buffer.readline())
        config: WireConfig = pickle.loads(sys.stdin.buffer.read(order["config_bytes"]))
        try:
            _serve(order, config)
        except OSError as error:
            _say("error", reason=str(error))
            return 1
    return 0


def _serve(order: dict[str, Any], config: WireConfig) -> None:
    with contextlib.ExitStack() as stack:
        client, server = (open_tun(name) for name in order["interfaces"])
        for descriptor in (client, server):
            stack.callback(os.close, descriptor)
        # Closed before "end" is said: its last part is written then, and that may fail.
        with contextlib.ExitStack() as capturing:
            observer = None
            if order["capture"] is not None:
                file = capturing.enter_context(open(order["capture"], "wb", buffering=_CAPTURE_BUFFER))
                observer = CaptureWriter(file, epoch=time.time_ns() - time.monotonic_ns()).write
            _hurry()
            wire = Wire(client, server, config, observer)
            _say("ready")
            wire.run(sys.stdin.fileno(), on_first=lambda: _say("begin"))
        _say(
            "end",
            up=dataclasses.asdict(wire.up.stats),
            down=dataclasses.asdict(wire.down.stats),
            wire=dataclasses.asdict(wire.stats),
        )


def _hurry() -> None:
    """Go before the programs that share the processor, wake exactly, and do not stop to look for garbage."""
    # A kernel or a container that refuses one of these only makes the wire less punctual, which is counted.
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    with contextlib.suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1", encoding="ascii")
    gc.disable()


def _say(event: str, **more: object) -> None:
    print(json.dumps({"event": event, **more}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
