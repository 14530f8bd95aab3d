"""What `surewire router` says: the live line, the summary as text and as JSON, the warning when it did not keep up.

Text only; `surewire.apps.router` prints it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from surewire.apps.router_options import DIRECTIONS
from surewire.drivers.relay import Relay
from surewire.drivers.relay_config import LATE, RelayStats
from surewire.impair import LinkStats

_NS_PER_MS = 1_000_000
_ROWS = (
    ("offered", "offered"),
    ("offered bytes", "offered_bytes"),
    ("blacked out", "blacked_out"),
    ("too long (mtu)", "mtu_dropped"),
    ("policed", "policed"),
    ("dropped, queue full", "queue_dropped"),
    ("dropped by CoDel", "codel_dropped"),
    ("lost", "lost"),
    ("duplicated", "duplicated"),
    ("corrupted", "corrupted"),
    ("reordered", "reordered"),
    ("delivered", "delivered"),
    ("delivered bytes", "delivered_bytes"),
    ("peak queue bytes", "peak_queue_bytes"),
)


def live_text(relay: Relay) -> str:
    """One line of less than 80 characters for counts of up to a million."""
    parts = [f"clients {relay.active_clients}" if relay.snapshot().kept_up else "NOT KEEPING UP"]
    for name, stats in (("up", relay.up), ("down", relay.down)):
        parts.append(f"{name} {stats.offered}>{stats.delivered} lost {stats.gone}")
    return " | ".join(parts)


def relay_records(relay: Relay) -> dict[str, Any]:
    """What the relay counted, as the part of the JSON summary that is its own."""
    stats = relay.snapshot()
    record = dataclasses.asdict(stats)
    record["worst_lateness_ms"] = round(record.pop("worst_lateness") / _NS_PER_MS, 3)
    return {
        "kept_up": stats.kept_up,
        "relay": record,
        "up": dataclasses.asdict(relay.up),
        "down": dataclasses.asdict(relay.down),
    }


def summary_text(summary: dict[str, Any]) -> str:
    """The summary for a person."""
    names = [name for _, name in DIRECTIONS]
    scenario = f", scenario {summary['scenario']}" if summary["scenario"] is not None else ""
    lines = [
        f"relayed {summary['listen']} to {summary['to']} for {summary['duration_s']:.3f} s, seed {summary['seed']}"
        + scenario,
        f"{'datagrams':<20}{names[0]:>18}{names[1]:>18}",
    ]
    lines += [f"{label:<20}{summary['up'][key]:>18}{summary['down'][key]:>18}" for label, key in _ROWS]
    relay = summary["relay"]
    lines.append(
        f"clients: {relay['clients']} served, {relay['clients_evicted']} forgotten, "
        f"{relay['clients_refused']} datagrams of clients refused, {relay['rebindings']} new source ports"
    )
    lines.append(f"ICMP errors: {relay['icmp_errors']}, not sent: {relay['unsent']}, not yet due: {relay['pending']}")
    lines.append(f"keeping up: {'yes' if summary['kept_up'] else 'NO'}; {_lateness(relay)}")
    return "\n".join(lines)


def warning(stats: RelayStats) -> str | None:
    """What to say when the path was worse than the options say; None if it was not."""
    if stats.kept_up:
        return None
    record = dataclasses.asdict(stats)
    record["worst_lateness_ms"] = round(stats.worst_lateness / _NS_PER_MS, 3)
    return f"it did not keep up, so the path was worse than asked for: {_lateness(record)}"


def silence(up: LinkStats, down: LinkStats, stats: RelayStats) -> str | None:
    """What to say when datagrams reached the server and none came back: the commonest mistakes; None otherwise."""
    if up.delivered == 0 or down.offered > 0:
        return None
    if stats.icmp_errors:
        return "nothing listens at the server's address (--to): it answered with ICMP errors only"
    return (
        "nothing came back from the server: it does not answer, or it answers from another port than --to, "
        "which does not pass (surewire lab run carries that)"
    )


def _lateness(relay: dict[str, Any]) -> str:
    drops = relay["receive_drops"]
    return (
        f"{relay['late']} deliveries over {LATE // _NS_PER_MS} ms late (worst {relay['worst_lateness_ms']} ms), "
        f"{relay['overflowed']} dropped for lack of memory, {relay['congested']} for lack of room to send, "
        f"{'unknown' if drops is None else drops} dropped by the system unread"
    )
