"""What a native case of the fuzzer must come to; see `fuzz_expect`.

The end has rules of its own. Who acknowledges last says DONE and is gone; that word is said again a few times when the
peer asks on (`native/last_words.py`), but if all of that is lost the peer ends with an error although everything went
well: two generals. So where a path loses much, changes addresses or is dark for a while, that outcome is expected too.
"""

from __future__ import annotations

import math

from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.lab.proof.fuzz_case import NativeCase, Plan
from surewire.lab.proof.path_figures import PathFigures, link_rates, path_figures
from surewire.native.admission import AdmissionConfig
from surewire.native.config import LEAST_DATAGRAM, NativeConfig

SUCCESS = "success"

_IMPROBABLE = 1e-9
_RARE = 1e-6  # for what only happens while nobody has anything to say
_UNCOMMON = 1e-5  # for what only happens once in a connection
_SAID_AT_ONCE = 1.0  # datagrams with which a client answers the WELCOME, that are lost one by one
_PINGS = 5  # in each direction in an idle time, besides what else is sent
_PROBES_EACH = 1.5  # datagrams a probe timeout sends, on average: one, then two each
_LAST_WORDS = 7  # times that the last word is said, at most
_HELLO_INTERVAL = NS_PER_S
_UNCERTAIN_ENDS = frozenset({SUCCESS, "Unconfirmed / success", "IdleTimeout / success"})


def native_deadline(case: NativeCase) -> int:
    """When both endpoints must have forgotten all connections, ns since the beginning."""
    waits = sum(_waits(config) for config in (case.client, case.server))
    work = case.server_start + sum(plan.give_up for talk in case.talks for plan in (talk.client, talk.server))
    return 10 * (waits + work) + 7200 * NS_PER_S


def _waits(config: NativeConfig) -> int:
    transport = config.transport
    return transport.idle_timeout + transport.handshake_timeout + transport.stall_limit + config.wait_at_end[1]


def is_benign_native(case: NativeCase) -> bool:
    """True when nothing but success will do, or one of `good_outcomes`."""
    figures = native_figures(case)
    if figures is None or case.refusals or _is_narrow(case):
        return False
    if any(verb == "abort" for plan in _plans(case) for verb, _ in plan.steps):
        return False
    if len(case.talks) > min(case.limits.max_unproven_per_address, case.limits.max_per_address) // 2:
        return False
    limits = case.limits
    if limits != AdmissionConfig(always_validate=limits.always_validate, handshake_timeout=limits.handshake_timeout):
        return False
    rebinding = case.path.rebinding
    if rebinding is not None and rebinding.every is not None and rebinding.every < 8 * figures.rtt + 10 * NS_PER_S:
        return False
    opening = case.client.transport.handshake_timeout - case.server_start - figures.dark - 2 * figures.rtt
    return (
        _is_met(case, figures)
        and figures.fails(opening / _HELLO_INTERVAL / 2) < _IMPROBABLE
        and all(_is_patient(config, peer, figures) for config, peer in _both_ways(case))
    )


def _is_met(case: NativeCase, figures: PathFigures) -> bool:
    """Whether a client that has its WELCOME is heard of before the server forgets it."""
    spare = case.limits.handshake_timeout - figures.dark - 2 * figures.rtt
    wait, longest = _timeout(case.client, case.server, figures), case.client.transport.max_pto
    at, tries = wait, _SAID_AT_ONCE if spare > 0 else 0.0
    while at < spare:
        tries += _PROBES_EACH
        wait = min(2 * wait, max(wait, longest))
        at += wait
    lost = 1 - math.sqrt(figures.answered)
    return bool(lost ** (tries / figures.spaced_run) < _UNCOMMON)


def good_outcomes(case: NativeCase) -> frozenset[str]:
    """What a benign case may come to."""
    figures = native_figures(case)
    is_certain = (
        figures is not None
        and not figures.dark
        and case.path.rebinding is None
        and figures.fails(_LAST_WORDS) < _IMPROBABLE
    )
    return frozenset({SUCCESS}) if is_certain else _UNCERTAIN_ENDS


def native_figures(case: NativeCase) -> PathFigures | None:
    """The worst of the path; None when it is hopeless for the longest datagram that is sent without a search."""
    nbytes = sum(value for plan in _plans(case) for verb, value in plan.steps if verb in ("write", "send"))
    sizes = [config.fixed_datagram or LEAST_DATAGRAM for config in (case.client, case.server)]
    return path_figures(case.path, largest=max(sizes), nbytes=nbytes)


def _plans(case: NativeCase) -> list[Plan]:
    return [plan for talk in case.talks for plan in (talk.client, talk.server)]


def _both_ways(case: NativeCase) -> tuple[tuple[NativeConfig, NativeConfig], tuple[NativeConfig, NativeConfig]]:
    return (case.client, case.server), (case.server, case.client)


def _is_narrow(case: NativeCase) -> bool:
    """True where full datagrams take so long, or are dropped so often, that nothing can be reckoned."""
    for link in (case.path.up, case.path.down):
        if link.rate is None and link.policer is None:
            continue
        if link.queue < 1_500 or (link.queue_packets or 100) < 2 or min(link_rates(link)) < 50_000:
            return True
    return False


def _timeout(config: NativeConfig, peer: NativeConfig, figures: PathFigures) -> int:
    """A side's probe timeout at its longest before it doubles, ns."""
    round_trip = max(figures.rtt + peer.transport.max_ack_delay, config.transport.initial_rtt)
    return 3 * round_trip + config.transport.max_ack_delay + NS_PER_MS


def _is_patient(config: NativeConfig, peer: NativeConfig, figures: PathFigures) -> bool:
    """Whether a side is heard within its patience, whether bytes are under way or nothing but pings."""
    transport = config.transport
    timeout = max(_timeout(peer, config, figures), peer.transport.max_pto)
    spare = min(transport.idle_timeout, transport.stall_limit) - figures.dark - figures.rtt - timeout
    pings = figures.fails(_PINGS) * (1 - math.sqrt(figures.answered)) ** (_PINGS / figures.spaced_run)
    is_asked = pings < _RARE and max(config.keepalive, peer.keepalive) < transport.idle_timeout // 4
    return is_asked and figures.fails(spare / timeout) < _IMPROBABLE
