"""Process 1 of the process namespace that `surewire.drivers.namespaces` makes; run as a file, not imported.

It makes the network namespaces, hands descriptors of all namespaces to whoever started it, and then only waits. It
imports nothing of the package, so that it runs in any Python without a path to find it.

Invariant: it ends when the other end of its standard input is closed, by whatever cause, and with process 1 the
kernel ends every process of the namespace: also those that ignore signals or have left their session.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys

_CLONE_NEWNET = 0x40000000


def main() -> int:
    """Make as many network namespaces as the argument says; serve until the starter is gone."""
    libc = ctypes.CDLL(None, use_errno=True)
    # Orphans come to process 1; with this the kernel buries them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    files = [os.open(f"/proc/self/ns/{kind}", os.O_RDONLY) for kind in ("pid", "mnt")]
    for _ in range(int(sys.argv[1])):
        # os.unshare came with Python 3.12.
        if libc.unshare(_CLONE_NEWNET) != 0:
            print(f"cannot make a network namespace: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
            return 1
        files.append(os.open("/proc/self/ns/net", os.O_RDONLY))
    with socket.socket(fileno=0) as channel:
        # Their numbers, too: for processes in here, /proc/1/fd/NUMBER leads to the namespace.
        socket.send_fds(channel, [" ".join(map(str, files)).encode()], files)
        channel.recv(1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
