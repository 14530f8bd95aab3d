"""Every way that a file or a request takes in `bench/native.py`.

"held" means full datagrams of 1,472 bytes of UDP payload, what an Ethernet carries: the loopback interface would take
65,507. "1,200 bytes" is what quinn sends (strace shows it), and quic-portal offers no other size. All files are read
from and written to memory-backed storage.
"""

from __future__ import annotations

from native_ends import PEERS, Way

HELD = "1472"
_FILE = ("recv", "{target}")
_SEND = ("send", "{source}", "{port}")
_SLOW, _SLOWEST = 200.0, 50.0  # megabytes that a way is shown at most
_SEALING = ("cryptography",)


def _peer(name: str, script: str, *options: str, most: float = 1e9, needs: tuple[str, ...] = ()) -> Way:
    begin = (str(PEERS / script), *options)
    return Way(name=name, receiver=begin + _FILE, sender=begin + _SEND, most_megabytes=most, needs=needs)


def _ours(name: str, *options: str, most: float = 1e9) -> Way:
    needs = () if "--plain" in options else _SEALING
    return _peer(name, "native_blocking.py", *options, most=most, needs=needs)


def _quinn(name: str, congestion: str) -> Way:
    begin = (str(PEERS / "quinn.py"), "--congestion", congestion)
    return Way(
        name=name,
        receiver=(*begin, "--bytes", "{size}", *_FILE),
        sender=begin + _SEND,
        needs=("quic_portal",),
        settle_s=0.3,
    )


def _rdp(name: str, *log: str, sender_log: tuple[str, ...]) -> Way:
    return Way(
        name=name,
        receiver=("-m", "surewire.apps.rdpr", "127.0.0.1", "0", "{target}", *log),
        sender=(
            *("-m", "surewire.apps.rdps", "127.0.0.1", "0", "127.0.0.1", "{port}", "{source}"),
            *("--stats", "{stats}", *sender_log),
        ),
        said_on="stderr",
    )


def _echo(name: str, *options: str) -> Way:
    begin = (str(PEERS / "native_echo.py"), *options)
    return Way(
        name=name,
        receiver=(*begin, "recv"),
        sender=(*begin, "send", "{port}", "{count}"),
        moves_file=False,
        needs=() if "--plain" in options else _SEALING,
    )


def _commands(name: str, *options: str) -> Way:
    begin = ("-m", "surewire.apps.cli")
    return Way(
        name=name,
        receiver=(*begin, "recv", "--listen", "127.0.0.1:0", "--into", "{folder}/into", "--once", *options),
        sender=(*begin, "send", "{source}", "127.0.0.1:{port}", "--json", "--quiet", *options),
        said_on="stderr",
        stored_as="{folder}/into/source",
    )


WAYS = {
    way.name: way
    for way in (
        _peer("kernel TCP, MSS 1,460", "kernel_tcp.py", "--mss", "1460"),
        _peer("kernel TCP, MSS free", "kernel_tcp.py", "--mss", "0"),
        _ours("checked, held", "--plain", "--mtu", HELD),
        _ours("sealed, held", "--mtu", HELD),
        _ours("sealed, 1,200 bytes", "--mtu", "1200"),
        _ours("checked, MTU free", "--plain"),
        _ours("sealed, MTU free"),
        _ours("checked, held, no offload", "--plain", "--mtu", HELD, "--no-offload", most=_SLOW),
        _ours("sealed, held, no offload", "--mtu", HELD, "--no-offload", most=_SLOW),
        _peer("asyncio, sealed, held", "native_asyncio.py", "--mtu", HELD, needs=("surewire.aio", *_SEALING)),
        _peer("aioquic", "quic_asyncio.py", "--package", "aioquic", most=_SLOWEST, needs=("aioquic", *_SEALING)),
        _peer("qh3", "quic_asyncio.py", "--package", "qh3", most=_SLOW, needs=("qh3", *_SEALING)),
        _quinn("quinn, CUBIC", "cubic"),
        _quinn("quinn, BBR", "bbr"),
        _rdp("RDP, no logs", "--quiet", sender_log=("--quiet",)),
        _rdp("RDP, logs to files", "--log", "{folder}/rdpr.log", sender_log=("--log", "{folder}/rdps.log")),
        _echo("round trips, sealed"),
        _echo("round trips, checked", "--plain"),
        _commands("surewire send and recv, checked, held", "--plain", "--mtu", HELD),
    )
}
