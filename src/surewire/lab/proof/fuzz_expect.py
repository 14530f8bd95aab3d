"""What a case must come to: by when it is over, and whether anything but success would be a failure.

A case is benign when nothing gives up on purpose and each side tries so often within each of its
limits that all these tries are lost less often than once in a thousand million times. That is reckoned from the
case's figures, with every doubt against the case: a case that is not benign may succeed all the same, or end
with any error of `surewire.errors`; it is held to everything else.
"""

from __future__ import annotations

from surewire.core.config import TransportConfig
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.impair import LinkConfig
from surewire.lab.proof.fuzz_case import FuzzCase, NativeCase, Plan, RdpCase, StreamerCase
from surewire.lab.proof.fuzz_expect_native import is_benign_native, native_deadline
from surewire.lab.proof.path_figures import PathFigures, link_rates, path_figures
from surewire.rdp.config import RdpConfig
from surewire.streamer.config import Pipelining, StreamerConfig

_IMPROBABLE = 1e-9
_LARGEST_RDP = 1024
_LARGEST_STREAMER = 1472
_TRIES_ENOUGH = 1000
_PROBES_EACH = 1.5  # segments a probe timeout sends, on average: one, then two each


def deadline_of(case: FuzzCase) -> int:
    """When both sides must have ended, ns since the beginning: many times the sum of all they may wait for."""
    if isinstance(case, NativeCase):
        return native_deadline(case)
    if isinstance(case, RdpCase):
        waits = sum(_rdp_waits(config) for config in (case.sender, case.receiver))
        work = case.receiver_start + case.store_delay
    else:
        waits = sum(_streamer_waits(config) for config in (case.config1, case.config2))
        work = sum(plan.give_up + plan.start for plan in (case.plan1, case.plan2))
    return 10 * (waits + work) + 7200 * NS_PER_S


def is_benign(case: FuzzCase) -> bool:
    """True when nothing but success will do."""
    if isinstance(case, NativeCase):
        return is_benign_native(case)
    return _is_benign_rdp(case) if isinstance(case, RdpCase) else _is_benign_streamer(case)


# RDP


def _rdp_waits(config: RdpConfig) -> int:
    transport = config.transport
    return (
        transport.idle_timeout + transport.handshake_timeout + transport.linger + config.silent_close
        + config.plain_linger + transport.stall_limit
    )  # fmt: skip


def _is_benign_rdp(case: RdpCase) -> bool:
    figures = path_figures(case.path, largest=_LARGEST_RDP, nbytes=case.size)
    gives_up = (case.failing_write, case.shrinking_read, case.sender_abort, case.receiver_abort)
    if figures is None or any(one is not None for one in gives_up) or case.failing_commit or case.refusals:
        return False
    is_plain = not (case.sender.extensions and case.receiver.extensions)
    if is_plain and (case.path.up.corrupt or case.path.down.corrupt):
        return False  # nobody would notice
    if not _is_followed(case, figures, is_plain=is_plain):
        return False
    sender, receiver = case.sender.transport, case.receiver.transport
    timeout = _probe_timeout(sender, receiver, figures)
    wait = max(sender.max_pto, timeout)
    spare = min(_silence(sender), _silence(receiver)) - figures.dark - figures.rtt - wait
    opening = sender.handshake_timeout - case.receiver_start - figures.dark - figures.rtt
    # Else the sender ends although the receiver has not had its FIN, or reports an end that nobody confirmed.
    last_word = (case.sender.silent_close if is_plain else receiver.linger) - figures.dark - figures.rtt
    return (
        figures.fails(_PROBES_EACH * spare / wait) < _IMPROBABLE
        and figures.fails(opening / NS_PER_S) < _IMPROBABLE
        and figures.fails(last_word / max(sender.max_closing_pto, timeout)) < _IMPROBABLE
        and case.store_delay < 60 * NS_PER_S
    )


def _silence(transport: TransportConfig) -> int:
    """How long a side bears the other's silence, or answers that bring nothing new, ns."""
    return min(transport.idle_timeout, transport.stall_limit)


def _probe_timeout(sender: TransportConfig, receiver: TransportConfig, figures: PathFigures) -> int:
    """The sender's probe timeout at its longest before it doubles, ns."""
    round_trip = max(figures.rtt + receiver.max_ack_delay, sender.initial_rtt)
    return 3 * round_trip + sender.max_ack_delay + NS_PER_MS


def _is_followed(case: RdpCase, figures: PathFigures, *, is_plain: bool) -> bool:
    """True when the receiver can follow the sender to its new addresses."""
    rebinding = case.path.rebinding
    if rebinding is None:
        return True
    if is_plain:
        return False  # only by a packet that continues what has been received
    return rebinding.every is None or rebinding.every > 4 * figures.rtt + 2 * NS_PER_S


# Streamer


def _streamer_waits(config: StreamerConfig) -> int:
    transport = config.transport
    return (
        transport.idle_timeout + transport.handshake_timeout + transport.linger + config.peer_close_timeout
        + config.last_ack_timeout + config.keepalive_interval + transport.stall_limit
    )  # fmt: skip


def _is_benign_streamer(case: StreamerCase) -> bool:
    plans, configs = (case.plan1, case.plan2), (case.config1, case.config2)
    written = [sum(value for verb, value in plan.steps if verb == "write") for plan in plans]
    figures = path_figures(case.path, largest=_LARGEST_STREAMER, nbytes=sum(written))
    if figures is None or case.path.rebinding is not None:
        return False  # the side behind the NAT would have to be followed
    if any(verb == "abort" for plan in plans for verb, _ in plan.steps):
        return False
    if any(_is_narrow(link) for link in (case.path.up, case.path.down)):
        return False  # it slows down for nobody: its own pings may fill such a link
    longest_turn = max(plan.give_up + plan.start for plan in plans) + 60 * NS_PER_S
    return all(
        _is_patient(configs[i], configs[1 - i], figures, late=plans[1 - i].start, longest_turn=longest_turn)
        and _reads_enough(plans[i], configs[i], written[1 - i])
        for i in (0, 1)
    )


def _is_narrow(link: LinkConfig) -> bool:
    if link.rate is None and link.policer is None:
        return False
    return link.queue < 4_000 or (link.queue_packets or 100) < 20 or min(link_rates(link)) < 100_000


def _reads_enough(plan: Plan, config: StreamerConfig, written: int) -> bool:
    """True when the peer is never held up for good."""
    return plan.reads or written < config.receive_buffer


def _is_patient(
    config: StreamerConfig, peer: StreamerConfig, figures: PathFigures, *, late: int, longest_turn: int
) -> bool:
    transport = config.transport
    lost = figures.dark + figures.rtt
    patience = min(transport.idle_timeout, transport.stall_limit)
    return (
        figures.fails(_tries(config, peer, figures, patience - lost)) < _IMPROBABLE
        and figures.fails(_tries(config, peer, figures, transport.handshake_timeout - late - lost)) < _IMPROBABLE
        and figures.fails(_tries(peer, config, figures, transport.linger - lost)) < _IMPROBABLE
        and figures.fails(_tries(config, peer, figures, config.last_ack_timeout - lost)) < _IMPROBABLE
        and config.peer_close_timeout > longest_turn
    )


def _tries(config: StreamerConfig, peer: StreamerConfig, figures: PathFigures, duration: int) -> int:
    """How often a side asks within `duration` (ns), at least."""
    transport = config.transport
    held = peer.transport.max_ack_delay + transport.max_ack_delay
    timeout = max(4 * max(figures.rtt + held, transport.initial_rtt), transport.min_pto)
    if config.pipelining is not Pipelining.SELECTIVE_REPEAT:
        return duration // max(timeout, transport.max_pto, config.ping_interval)
    patience = min(config.patient_pings, config.patient_openings)
    longest = max(config.max_ping_interval, config.max_opening_interval)
    at, tries = min(timeout, max(transport.max_pto, transport.min_pto)), 0
    while at < duration and tries < _TRIES_ENOUGH:
        tries += 1
        at += min(config.ping_interval << min(max(tries - patience, 0), 20), longest)
    return tries
