"""Make the kernel's connection tracking forget, so that a NAT gives every flow a new translation (Linux, root).

One netlink message to ctnetlink (nfnetlink_conntrack.h): IPCTNL_MSG_CT_DELETE without a tuple, which deletes all
entries of the network namespace that the calling process is in. No `conntrack` command is needed.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

_NETLINK_NETFILTER = 12
_CT_DELETE = 1 << 8 | 2  # subsystem ctnetlink, message delete
_REQUEST_ACK = 1 | 4
_NLMSG_ERROR = 2
_HEAD = struct.Struct("=IHHII")
_TIMEOUT_S = 5.0


def forget_connections(family: int = socket.AF_INET) -> None:
    """Delete every tracked connection of an address family in this process's network namespace.

    Raises:
        OSError: the kernel refused, does not track connections, or did not answer.
    """
    body = struct.pack("=BBH", family, 0, 0)
    message = _HEAD.pack(_HEAD.size + len(body), _CT_DELETE, _REQUEST_ACK, 1, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as channel:
        channel.settimeout(_TIMEOUT_S)
        channel.send(message)
        answer = channel.recv(4096)
    if len(answer) < _HEAD.size + 4:
        raise OSError(errno.EPROTO, "netlink answered with less than a message")
    _, kind, _, _, _ = _HEAD.unpack_from(answer)
    if kind != _NLMSG_ERROR:
        raise OSError(errno.EPROTO, f"netlink answered with message {kind}")
    (code,) = struct.unpack_from("=i", answer, _HEAD.size)
    if code:
        raise OSError(-code, f"cannot delete tracked connections: {os.strerror(-code)}")
