"""Who is measured by `bench/lab.py`: the receiver's and the sender's command of each.

{server}, {client}, {port}, {source}, {target}, {size}, {stats} and {folder} stand for what they say. A sender's last
line, or the file {stats}, is a JSON object with `seconds`.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

_PEERS = Path(__file__).parent / "peers"
_SEALING = ("cryptography",)
_STAYS = ("--linger", "600")  # it is stopped when the sender has ended


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One way from a host to the other.

    Attributes:
        name: in the table.
        receiver, sender: what follows the interpreter.
        needs: modules that have to be there.
        stays: the receiver does not end by itself.
        is_rival: somebody else's, so that ours is compared with it.
    """

    name: str
    receiver: tuple[str, ...]
    sender: tuple[str, ...]
    needs: tuple[str, ...] = ()
    stays: bool = False
    is_rival: bool = False

    @property
    def missing(self) -> list[str]:
        """The modules that it needs and that are not there."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


def _peer(name: str, script: str, *options: str, needs: tuple[str, ...] = (), stays: bool = False) -> Peer:
    begin = (str(_PEERS / script), "--host", "{server}", *options)
    staying = _STAYS if stays else ()
    return Peer(
        name=name,
        receiver=(*begin, "--listen-port", "{port}", *staying, "recv", "{target}"),
        sender=(*begin, "send", "{source}", "{port}"),
        needs=needs,
        stays=stays,
        is_rival=not script.startswith("native"),
    )


def _quinn(name: str, congestion: str) -> Peer:
    begin = (str(_PEERS / "quinn.py"), "--host", "{server}", "--congestion", congestion)
    return Peer(
        name=name,
        receiver=(*begin, "--listen-port", "{port}", *_STAYS, "--bytes", "{size}", "recv", "{target}"),
        sender=(*begin, "send", "{source}", "{port}"),
        needs=("quic_portal",),
        stays=True,
        is_rival=True,
    )


def _commands(name: str, *options: str) -> Peer:
    begin = ("-m", "surewire.apps.cli")
    return Peer(
        name=name,
        receiver=(*begin, "recv", "--listen", "{server}:{port}", "--into", "{folder}", "--once", *options),
        sender=(*begin, "send", "{source}", "{server}:{port}", "--json", "--quiet", "--name", "{name}", *options),
        needs=_SEALING,
    )


_RDP = Peer(
    name="RDP",
    receiver=(
        *("-m", "surewire.apps.rdpr", "{server}", "{port}", "{target}"),
        *("--linger", "0.5", "--log", "{stats}.rdpr"),
    ),
    sender=(
        *("-m", "surewire.apps.rdps", "{client}", "0", "{server}", "{port}", "{source}"),
        *("--stats", "{stats}", "--log", "{stats}.rdps"),
    ),
)

OURS = "surewire"
"""The blocking API, sealed as the QUIC peers are."""

PEERS = {
    peer.name: peer
    for peer in (
        _peer("TCP cubic", "kernel_tcp.py", "--mss", "0", "--congestion", "cubic"),
        _peer("TCP bbr", "kernel_tcp.py", "--mss", "0", "--congestion", "bbr"),
        _peer("aioquic", "quic_asyncio.py", "--package", "aioquic", needs=("aioquic", *_SEALING), stays=True),
        _peer("qh3", "quic_asyncio.py", "--package", "qh3", needs=("qh3", *_SEALING), stays=True),
        _quinn("quinn BBR", "bbr"),
        _peer("picoquic BBR1", "picoquic.py", needs=("aiopquic", *_SEALING), stays=True),
        _peer("picoquic BBR3", "picoquic.py", "--congestion", "bbr", needs=("aiopquic", *_SEALING), stays=True),
        _RDP,
        _peer(OURS, "native_blocking.py", needs=_SEALING),
        _quinn("quinn CUBIC", "cubic"),
        _peer("surewire checked", "native_blocking.py", "--plain"),
        _peer("surewire cubic", "native_blocking.py", "--congestion", "cubic", needs=_SEALING),
        _commands("surewire commands", "--plain"),
    )
}
"""By name. The commands hash the file with SHA-256 at both ends."""

USUAL = ("TCP cubic", "TCP bbr", "aioquic", "qh3", "quinn BBR", "picoquic BBR1", "picoquic BBR3", "RDP", OURS)
"""Those that are measured when nobody is named."""
