"""TUN devices: a network interface whose wire is a file descriptor (Linux, root).

A packet that the kernel sends out of the interface is read from the descriptor, a packet written to it arrives at
the interface: whole IP packets, without a link-layer header. The device is made in the network namespace of the
process that opens it; it may be moved to another one and stays connected to the descriptor. It vanishes with the
last copy of the descriptor.

No offload is asked for, so the kernel cuts large segments to the interface's MTU and fills in all checksums before a
packet is read here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct

TUN_PATH = "/dev/net/tun"
MAX_PACKET = 65535
"""Bytes of the longest IP packet."""

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_NO_PI = 0x1000
_IFREQ = struct.Struct("16sH22x")


def open_tun(name: str) -> int:
    """Make a TUN device; returns a non-blocking descriptor.

    Args:
        name: of the interface, 1 to 15 ASCII characters.

    Raises:
        OSError: it cannot be made; the text says whether the device file, the right or the name is at fault.
    """
    encoded = name.encode()
    if not 1 <= len(encoded) <= 15:
        raise OSError(errno.EINVAL, f"an interface's name has 1 to 15 characters, not '{name}'")
    descriptor = os.open(TUN_PATH, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, _IFREQ.pack(encoded, _IFF_TUN | _IFF_NO_PI))
    except OSError as error:
        os.close(descriptor)
        raise OSError(error.errno, f"cannot make the TUN device {name}: {error.strerror}") from error
    return descriptor
