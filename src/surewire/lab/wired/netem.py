"""The kernel's own emulator, netem, in the place of the wire: which links it can be, and the command that makes one.

netem draws from the kernel's generator, so a run has no seed. It differs from `surewire.impair` where there is a
rate: its one limit, in packets, holds those that wait and those under way together, and it loses before the
bottleneck, not behind it. Hence two questions: what netem can do exactly, and what it can do nearly.

The commands are tested as text. They have been run on no kernel with netem so far.
"""

from __future__ import annotations

import dataclasses
import json

from surewire.drivers.namespaces import NamespaceError, Namespaces
from surewire.errors import ConfigError
from surewire.impair import LinkConfig

_NS_PER_US = 1_000
_BITS_PER_BYTE = 8
_NS_PER_S = 1_000_000_000
_MTU = 1500
_NO_LIMIT = 100_000
_IN_NETEM = {
    *("loss", "bursts", "duplicate", "corrupt", "corrupt_bits", "reorder", "reorder_gap", "delay", "jitter"),
    *("rate", "queue", "queue_packets", "overhead"),
}


def netem_exists(namespaces: Namespaces, host: str) -> bool:
    """Whether this kernel has netem and there is a `tc`: tried on the loopback interface of a namespace."""
    try:
        namespaces.run(host, ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"])
        namespaces.run(host, ["tc", "qdisc", "del", "dev", "lo", "root"])
    except NamespaceError:
        return False
    return True


def why_not_exactly(config: LinkConfig) -> str | None:
    """What of a link netem does otherwise than `surewire.impair`, as a name of a field; None for nothing.

    It draws duplication and loss for a packet side by side: one that is both arrives once, and a copy may be lost too.
    """
    impossible = _why_not(config)
    if impossible is not None:
        return impossible
    if config.rate is not None:
        return "rate"
    if config.duplicate and (config.loss or config.bursts is not None):
        return "duplicate beside loss"
    return "corrupt_bits" if config.corrupt and config.corrupt_bits != 1 else None


def netem_command(device: str, config: LinkConfig) -> list[str]:
    """The `tc` command that puts a link behind an interface.

    Raises:
        ConfigError: netem cannot do what the link does, not even nearly.
    """
    impossible = _why_not(config)
    if impossible is not None:
        raise ConfigError(f"the kernel's netem cannot do this link: {impossible}")
    command = ["tc", "qdisc", "add", "dev", device, "root", "netem", "limit", str(_limit(config))]
    if config.delay or config.jitter:
        command += ["delay", f"{config.delay // _NS_PER_US}us"]
        if config.jitter:
            command += [f"{config.jitter // _NS_PER_US}us"]
    if config.bursts is not None:
        bursts = config.bursts
        # tc asks for p, r, 1-h and 1-k: the last two are the losses in the bad and in the good state.
        chain = (bursts.p, bursts.r, bursts.loss_bad, bursts.loss_good)
        command += ["loss", "gemodel", *(_percent(value) for value in chain)]
    elif config.loss:
        command += ["loss", "random", _percent(config.loss)]
    if config.duplicate:
        command += ["duplicate", _percent(config.duplicate)]
    if config.corrupt:
        command += ["corrupt", _percent(config.corrupt)]
    if config.reorder:
        command += ["reorder", _percent(config.reorder), "gap", str(config.reorder_gap)]
    if config.rate is not None:
        command += ["rate", f"{config.rate}bit"]
    return command


def netem_counters(namespaces: Namespaces, host: str, device: str) -> dict[str, int]:
    """What netem tells of a link: packets and bytes it let through, and drops of any kind.

    Raises:
        NamespaceError: tc failed.
    """
    text = namespaces.run(host, ["tc", "-json", "-stats", "qdisc", "show", "dev", device])
    return parse_counters(text)


def parse_counters(text: str) -> dict[str, int]:
    """The counters in what `tc -json -stats qdisc show` prints.

    Raises:
        NamespaceError: there is no netem in it.
    """
    for queue in json.loads(text or "[]"):
        if queue.get("kind") == "netem":
            names = {"delivered": "packets", "delivered_bytes": "bytes", "dropped": "drops"}
            return {ours: int(queue.get(theirs, 0)) for ours, theirs in names.items()}
    raise NamespaceError("tc shows no netem where it was put")


def _why_not(config: LinkConfig) -> str | None:
    neutral = LinkConfig()
    for field in dataclasses.fields(config):
        if field.name not in _IN_NETEM and getattr(config, field.name) != getattr(neutral, field.name):
            return field.name
    if config.bursts is not None and config.loss:
        return "loss beside bursts"
    return "reorder without delay" if config.reorder and not config.delay else None


def _limit(config: LinkConfig) -> int:
    """netem's limit: with a rate, what may wait and what the delay holds, in packets of the MTU."""
    if config.rate is None:
        return _NO_LIMIT
    waiting = config.queue // _MTU if config.queue_packets is None else min(config.queue_packets, config.queue // _MTU)
    under_way = config.rate * (config.delay + config.jitter) // (_BITS_PER_BYTE * _NS_PER_S * _MTU)
    return max(1, waiting + under_way + 1)


def _percent(probability: float) -> str:
    return f"{probability * 100:.6g}%"
