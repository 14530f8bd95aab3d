"""The laboratory's hosts: a client on a LAN, a NAT router, and a server at the other end of a wire.

    client                     router                                     server
    eth0 192.168.1.100/24 ---- lan 192.168.1.1/24
                               wan 10.10.1.1/24 ====(the wire)==== eth1 10.10.1.100/24

The network of the RDP text's lab (section 4, figure 2), with two PCs for its one with two network cards. Each host is
a network namespace. Client and router are joined by a veth pair, which impairs nothing. The wire joins two interfaces
that somebody else has put into the namespaces "router" and "server" (`attach_tuns`), or is a bridge for the kernel's
netem (`attach_veths`). MTU 1500 everywhere, IPv4 only: IPv6 is off, so that no router solicitation counts as traffic.
"""

from __future__ import annotations

import json

from surewire.drivers.namespaces import NamespaceError, Namespaces
from surewire.lab.wired.nat import LAN, WAN_INTERFACE, nat_rules

CLIENT, ROUTER, SERVER, WIRE = "client", "router", "server", "wire"
HOSTS = (CLIENT, ROUTER, SERVER, WIRE)
"""The namespaces; in `wire` only the emulator runs, or the bridge is."""

SERVER_INTERFACE = "eth1"
TO_ROUTER, TO_SERVER = "to-router", "to-server"
ADDRESSES = {CLIENT: "192.168.1.100", ROUTER: "10.10.1.1", SERVER: "10.10.1.100"}
"""Where each host is reached; of the router the outer address, which the server sees behind a NAT."""

COMMANDS = ("ip", "nft")
MTU = 1500

_NET = "10.10.1.0/24"
_ROUTER_LAN = "192.168.1.1"
_QUIET_IPV6 = 'for file in /proc/sys/net/ipv6/conf/*/disable_ipv6; do [ ! -e "$file" ] || echo 1 >"$file" || exit; done'
_FORWARD = "echo 1 >/proc/sys/net/ipv4/ip_forward"
# Longer than any queue of the wire would let it become: a process that is late must not lose packets silently.
_TUN_QUEUE = 10_000
_MACS = {ROUTER: "02:00:0a:0a:01:01", SERVER: "02:00:0a:0a:01:64"}


def build_hosts(namespaces: Namespaces, *, nat: bool) -> None:
    """Make everything but the wire.

    Raises:
        NamespaceError: a command failed.
    """
    for host in HOSTS:
        namespaces.run(host, ["sh", "-c", _QUIET_IPV6])
    _ip(
        namespaces,
        ROUTER,
        f"link add lan mtu {MTU} type veth peer name eth0 mtu {MTU} netns {namespaces.path(CLIENT)}",
        f"addr add {_ROUTER_LAN}/24 dev lan",
        "link set lan up",
    )
    _ip(
        namespaces,
        CLIENT,
        f"addr add {ADDRESSES[CLIENT]}/24 dev eth0",
        "link set eth0 up",
        f"route add default via {_ROUTER_LAN}",
    )
    namespaces.run(ROUTER, ["sh", "-c", _FORWARD])
    if nat:
        namespaces.run(ROUTER, ["nft", "-f", "-"], nat_rules())


def attach_tuns(namespaces: Namespaces) -> None:
    """Move the two TUN devices, named as the interfaces are to be, out of the namespace `wire` to their hosts.

    Raises:
        NamespaceError: a command failed.
    """
    _ip(
        namespaces,
        WIRE,
        *(
            f"link set {device} mtu {MTU} txqueuelen {_TUN_QUEUE} netns {namespaces.path(host)}"
            for device, host in ((WAN_INTERFACE, ROUTER), (SERVER_INTERFACE, SERVER))
        ),
    )


def attach_veths(namespaces: Namespaces) -> None:
    """Join router and server by a bridge in the namespace `wire`, with its interfaces `TO_ROUTER` and `TO_SERVER`.

    What leaves these are packets of at most the MTU: `gso_max_segs` has the hosts' interfaces cut what the kernel
    carries as one large packet, which a queue on them would still see, and lose, whole.

    Raises:
        NamespaceError: a command failed.
    """
    ends = ((ROUTER, WAN_INTERFACE, TO_ROUTER, SERVER), (SERVER, SERVER_INTERFACE, TO_SERVER, ROUTER))
    _ip(namespaces, WIRE, "link add bridge type bridge mcast_snooping 0", "link set bridge up")
    for host, device, port, other in ends:
        peer = f"peer name {device} mtu {MTU} address {_MACS[host]} netns {namespaces.path(host)}"
        _ip(namespaces, WIRE, f"link add {port} mtu {MTU} type veth {peer}", f"link set {port} master bridge up")
        _ip(
            namespaces,
            host,
            f"link set {device} gso_max_segs 1 up",
            # Entered by hand, since a lost ARP request would be none of the traffic's business.
            f"neigh add {ADDRESSES[other]} lladdr {_MACS[other]} dev {device} nud permanent",
        )


def raise_wire(namespaces: Namespaces, *, nat: bool) -> None:
    """Give the wire's two interfaces their addresses and set them up.

    Raises:
        NamespaceError: a command failed.
    """
    for host, device in ((ROUTER, WAN_INTERFACE), (SERVER, SERVER_INTERFACE)):
        _ip(namespaces, host, f"addr add {ADDRESSES[host]}/24 dev {device}", f"link set {device} up")
    # The addresses that a NAT takes when it is rebound are nobody's: on a wire with ARP nobody would answer for them.
    networks = (_NET,) if nat else (_NET, LAN)
    by_router = f"via {ADDRESSES[ROUTER]} dev {SERVER_INTERFACE} onlink"
    _ip(namespaces, SERVER, *(f"route replace {network} {by_router}" for network in networks))


def wire_drops(namespaces: Namespaces) -> int:
    """Packets that the kernel dropped before the wire took them, because it was too slow, both directions.

    Raises:
        NamespaceError: a command failed.
    """
    total = 0
    for host, device in ((ROUTER, WAN_INTERFACE), (SERVER, SERVER_INTERFACE)):
        found = json.loads(namespaces.run(host, ["ip", "-json", "-stats", "link", "show", "dev", device]))
        try:
            total += int(found[0]["stats64"]["tx"]["dropped"])
        except (LookupError, TypeError) as error:
            raise NamespaceError(f"ip does not tell the drops of {device}: {error!r}") from error
    return total


def _ip(namespaces: Namespaces, host: str, *lines: str) -> None:
    namespaces.run(host, ["ip", "-batch", "-"], "".join(f"{line}\n" for line in lines))
