"""Where the peer is: the limit before validation, changes of address, and attackers who copy, delay or replay."""

from __future__ import annotations

import random

import pytest

from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS, NS_PER_S
from surewire.native.paths import (
    AMPLIFICATION,
    FIRST_WAIT,
    HOLD,
    LONGEST_HOLD,
    MAX_RESPONSES,
    PADDED,
    ROUNDS,
    UNLIMITED,
    PathProbe,
    Paths,
)

HOME = ("192.0.2.1", 5000)
REBOUND = ("192.0.2.1", 6000)
AWAY = ("198.51.100.7", 7000)
EVIL = ("203.0.113.66", 666)
VICTIM = ("203.0.113.9", 53)
RTT = 40 * NS_PER_MS
GIVEN_UP = FIRST_WAIT * (2**ROUNDS - 1)


def paths_at(peer: Address = HOME, *, is_validated: bool = True) -> Paths:
    return Paths(peer, is_validated=is_validated, rng=random.Random(3))


def challenges(paths: Paths, now: int) -> dict[Address, PathProbe]:
    found: dict[Address, PathProbe] = {}
    while (probe := paths.poll_challenge(now=now)) is not None:
        assert probe.address not in found
        found[probe.address] = probe
    return found


def hear(paths: Paths, source: Address, now: int, *, nbytes: int = 1000, is_newest: bool = True) -> None:
    paths.on_authentic(source, nbytes, is_newest=is_newest, now=now)


class World:
    """A peer that answers at some addresses, `delay` ns after a challenge was sent there; keeps count of all bytes."""

    def __init__(self, paths: Paths, delays: dict[Address, int]) -> None:
        self.paths = paths
        self.delays = delays
        self.now = 0
        self.sent: dict[Address, int] = {}
        self.moves: list[tuple[int, Address]] = []
        self._answers: list[tuple[int, bytes]] = []

    def run(self, until: int) -> None:
        while True:
            for address, probe in challenges(self.paths, self.now).items():
                self.sent[address] = self.sent.get(address, 0) + probe.budget
                if address in self.delays:
                    self._answers.append((self.now + self.delays[address], probe.data))
            self._answers.sort()
            deadline = self.paths.next_deadline()
            assert deadline is None or deadline > self.now
            ahead = [at for at in (deadline, self._answers[0][0] if self._answers else None) if at is not None]
            if not ahead or min(ahead) > until:
                self.now = until
                return
            self.now = min(ahead)
            while self._answers and self._answers[0][0] <= self.now:
                _, data = self._answers.pop(0)
                if self.paths.on_response(data, now=self.now) is not None:
                    self.moves.append((self.now, self.paths.peer))


def test_an_unvalidated_peer_gets_three_times_what_came() -> None:
    paths = paths_at(is_validated=False)
    assert paths.allowance() == 0
    paths.on_received(1200)
    assert paths.allowance() == 3600
    paths.on_sent(3599)
    assert paths.allowance() == 1
    paths.on_sent(100)
    assert paths.allowance() == 0
    hear(paths, HOME, 0, nbytes=40, is_newest=False)
    assert paths.is_validated
    assert paths.allowance() == UNLIMITED


def test_a_datagram_from_elsewhere_does_not_validate_the_peer() -> None:
    paths = paths_at(is_validated=False)
    paths.on_received(1200)
    hear(paths, AWAY, 0)
    assert not paths.is_validated
    assert paths.allowance() == 3600


@pytest.mark.parametrize(("address", "has_host_changed"), [(REBOUND, False), (AWAY, True), ("opaque", True)])
def test_the_peer_moves_when_it_answers_at_the_new_address_only(address: Address, has_host_changed: bool) -> None:
    world = World(paths_at(), {address: RTT})
    hear(world.paths, address, 0)
    world.run(RTT - 1)
    assert world.paths.peer == HOME
    world.run(RTT)
    assert world.moves == [(RTT, address)]
    assert world.paths.has_host_changed is has_host_changed
    world.run(10 * NS_PER_S)
    assert world.paths.peer == address
    assert world.paths.next_deadline() is None


def test_who_moves_may_move_again_at_once() -> None:
    world = World(paths_at(), {REBOUND: RTT})
    hear(world.paths, REBOUND, 0)
    world.run(FIRST_WAIT)
    world.delays = {AWAY: RTT}
    hear(world.paths, AWAY, world.now)
    world.run(FIRST_WAIT + RTT)
    assert [peer for _, peer in world.moves] == [REBOUND, AWAY]


def test_an_old_datagram_from_elsewhere_means_nothing() -> None:
    """It was sent before the newest, and only took longer; a replayed one is not even genuine."""
    paths = paths_at()
    hear(paths, AWAY, 0, is_newest=False)
    assert paths.poll_challenge(now=0) is None
    assert paths.next_deadline() is None


def test_both_addresses_are_asked_with_data_of_their_own() -> None:
    paths = paths_at()
    hear(paths, AWAY, 0)
    first = challenges(paths, 0)
    assert set(first) == {HOME, AWAY}
    assert challenges(paths, FIRST_WAIT - 1) == {}
    second = challenges(paths, FIRST_WAIT)
    assert len({probe.data for probe in [*first.values(), *second.values()]}) == 4
    assert all(len(probe.data) == 8 and probe.budget == PADDED for probe in first.values())


def test_an_answer_to_an_earlier_challenge_counts() -> None:
    paths = paths_at()
    hear(paths, AWAY, 0)
    first = challenges(paths, 0)
    for wait in (FIRST_WAIT, 3 * FIRST_WAIT):
        hear(paths, AWAY, wait)
        challenges(paths, wait)
    assert paths.on_response(first[AWAY].data, now=4 * FIRST_WAIT) == HOME
    assert paths.on_response(first[AWAY].data, now=4 * FIRST_WAIT) is None, "once"


def test_wrong_data_moves_nothing() -> None:
    paths = paths_at()
    assert paths.on_response(bytes(8), now=0) is None
    hear(paths, AWAY, 0)
    data = challenges(paths, 0)[AWAY].data
    assert paths.on_response(bytes(8), now=0) is None
    assert paths.on_response(data[:7], now=0) is None
    assert paths.peer == HOME


def test_silence_ends_a_trial() -> None:
    """Nobody answers: what HOME gets is bounded, and so is the time."""
    world = World(paths_at(), {})
    hear(world.paths, AWAY, 0)
    world.run(GIVEN_UP - 1)
    assert world.paths.next_deadline() == GIVEN_UP
    world.run(GIVEN_UP)
    assert world.paths.next_deadline() is None
    assert world.sent == {HOME: ROUNDS * PADDED, AWAY: AMPLIFICATION * 1000}
    hear(world.paths, AWAY, GIVEN_UP + HOLD - 1)
    assert challenges(world.paths, GIVEN_UP + HOLD - 1) == {}
    hear(world.paths, AWAY, GIVEN_UP + HOLD)
    assert challenges(world.paths, GIVEN_UP + HOLD) != {}


def test_a_newer_address_replaces_the_one_on_trial_but_not_too_often() -> None:
    paths = paths_at()
    hear(paths, AWAY, 0)
    first = challenges(paths, 0)
    hear(paths, REBOUND, FIRST_WAIT - 1)
    assert REBOUND not in challenges(paths, FIRST_WAIT - 1)
    hear(paths, REBOUND, FIRST_WAIT)
    second = challenges(paths, FIRST_WAIT)
    assert set(second) == {HOME, REBOUND}
    assert paths.on_response(first[AWAY].data, now=FIRST_WAIT) is None
    assert paths.on_response(second[REBOUND].data, now=FIRST_WAIT) == HOME


@pytest.mark.parametrize("nbytes", [13, 14, 40, 399, 400, 2000])
def test_the_candidate_gets_three_times_what_came_from_it(nbytes: int) -> None:
    world = World(paths_at(), {})
    hear(world.paths, VICTIM, 0, nbytes=nbytes)
    world.run(GIVEN_UP)
    assert world.sent.get(VICTIM, 0) <= AMPLIFICATION * nbytes
    assert (VICTIM in world.sent) == (nbytes > 13), "13 bytes leave no room for a challenge"


def test_what_comes_later_from_the_candidate_widens_its_limit() -> None:
    world = World(paths_at(), {})
    hear(world.paths, VICTIM, 0, nbytes=150)
    world.run(FIRST_WAIT - 1)
    assert world.sent[VICTIM] == 450
    hear(world.paths, VICTIM, world.now, nbytes=150, is_newest=False)
    world.run(FIRST_WAIT)
    assert world.sent[VICTIM] == 900


def test_a_short_datagram_allows_several_short_challenges() -> None:
    """Else the loss of one would leave a candidate that says little without any other."""
    world = World(paths_at(), {})
    hear(world.paths, VICTIM, 0, nbytes=30)
    world.run(FIRST_WAIT - 1)
    assert 0 < world.sent[VICTIM] < 90
    world.run(GIVEN_UP)
    assert 60 <= world.sent[VICTIM] <= 90


@pytest.mark.parametrize("spacing", [NS_PER_MS, FIRST_WAIT, HOLD])
def test_an_attacker_with_many_addresses_gains_no_amplification(spacing: int) -> None:
    """Each datagram is a genuine one that was overtaken by its copy, under another source address every time."""
    world = World(paths_at(), {HOME: 10 * NS_PER_S})
    came = 0
    for number in range(200):
        hear(world.paths, ("203.0.113.5", number), number * spacing, nbytes=100)
        came += 100
        world.run((number + 1) * spacing)
    sent = sum(nbytes for address, nbytes in world.sent.items() if address != HOME)
    assert 0 < sent <= AMPLIFICATION * came
    assert world.paths.peer == HOME
    assert world.sent[HOME] <= 2 * PADDED * (200 * spacing // FIRST_WAIT + 1)


def test_an_attacker_who_lets_copies_overtake_cannot_move_the_traffic() -> None:
    """The copies come from EVIL; challenges to EVIL are lost, or go to a third party that knows nothing of this."""
    world = World(paths_at(), {HOME: RTT})
    for step in range(3000):
        hear(world.paths, EVIL, world.now)
        world.run((step + 1) * 10 * NS_PER_MS)
    assert world.moves == []
    assert world.paths.peer == HOME


@pytest.mark.parametrize("shortcut", [1, 0])
def test_an_attacker_who_passes_challenges_on_does_not_keep_the_traffic(shortcut: int) -> None:
    """EVIL forwards what it gets, and may be faster than the direct way: then it has the traffic briefly."""
    delay = RTT // 4 if shortcut else 2 * RTT
    world = World(paths_at(), {HOME: RTT, EVIL: delay})
    theirs = 0
    for step in range(6000):
        hear(world.paths, EVIL if world.paths.peer == HOME else HOME, world.now)
        world.run((step + 1) * 10 * NS_PER_MS)
        theirs += world.paths.peer == EVIL
    assert world.paths.peer == HOME
    if not shortcut:
        assert world.moves == []
        return
    assert theirs < 0.02 * 6000
    assert len(world.moves) <= 2 * (60 * NS_PER_S // LONGEST_HOLD + 4)


def test_after_an_attack_a_real_change_waits_no_longer_than_the_longest_hold() -> None:
    world = World(paths_at(), {HOME: RTT})
    for step in range(2000):
        hear(world.paths, EVIL, world.now)
        world.run((step + 1) * 10 * NS_PER_MS)
    world.delays = {AWAY: RTT}
    began = world.now
    while not world.moves and world.now < began + 2 * LONGEST_HOLD:
        hear(world.paths, AWAY, world.now)
        world.run(world.now + NS_PER_MS)
    assert world.moves[0][0] <= began + LONGEST_HOLD + RTT + NS_PER_MS


def test_one_lost_challenge_to_the_peer_does_not_help_the_attacker() -> None:
    paths = paths_at()
    hear(paths, EVIL, 0)
    first = challenges(paths, 0)
    assert paths.on_response(first[EVIL].data, now=RTT) == HOME
    again = challenges(paths, FIRST_WAIT)
    assert set(again) == {HOME}, "the address that won needs no more"
    assert paths.on_response(again[HOME].data, now=FIRST_WAIT + RTT) == EVIL
    assert paths.peer == HOME
    assert paths.has_host_changed


def test_a_peer_that_answers_at_both_addresses_stays() -> None:
    world = World(paths_at(), {HOME: RTT, AWAY: RTT + 1})
    hear(world.paths, AWAY, 0)
    world.run(NS_PER_S)
    assert world.moves == []
    assert world.paths.next_deadline() is None


def test_a_peer_that_returns_is_found_again() -> None:
    world = World(paths_at(), {AWAY: RTT})
    hear(world.paths, AWAY, 0)
    world.run(NS_PER_S)
    world.delays = {HOME: RTT}
    hear(world.paths, HOME, world.now)
    world.run(2 * NS_PER_S)
    assert [peer for _, peer in world.moves] == [AWAY, HOME]


def test_an_address_that_never_proved_itself_is_not_flooded_by_a_change() -> None:
    """VICTIM's address stood in the opening, and the real client goes on from its own."""
    world = World(paths_at(VICTIM, is_validated=False), {EVIL: RTT})
    world.paths.on_received(1200)
    hear(world.paths, EVIL, 0)
    world.run(GIVEN_UP)
    assert world.paths.peer == EVIL
    assert VICTIM not in world.sent


def test_a_response_goes_where_the_challenge_came_from() -> None:
    paths = paths_at()
    paths.on_challenge(HOME, b"12345678", 30)
    paths.on_challenge(AWAY, b"abcdefgh", 100)
    assert paths.poll_response() == (HOME, b"12345678", PADDED)
    assert paths.poll_response() == (AWAY, b"abcdefgh", 300)
    assert paths.poll_response() is None


def test_responses_that_wait_are_bounded() -> None:
    paths = paths_at()
    for number in range(100):
        paths.on_challenge(HOME, bytes([number] * 8), 1200)
    waiting = []
    while (probe := paths.poll_response()) is not None:
        waiting.append(probe.data[0])
    assert waiting == list(range(MAX_RESPONSES))


def test_challenge_and_response_share_the_limit_of_the_candidate() -> None:
    paths = paths_at()
    hear(paths, VICTIM, 0, nbytes=200)
    paths.on_challenge(VICTIM, b"abcdefgh", 200)
    response = paths.poll_response()
    sent = sum(probe.budget for address, probe in challenges(paths, 0).items() if address == VICTIM)
    assert response is not None
    assert response.budget + sent <= AMPLIFICATION * 200


def test_a_challenge_answered_after_the_limit_was_spent_waits_for_more() -> None:
    paths = paths_at()
    hear(paths, VICTIM, 0, nbytes=200)
    assert challenges(paths, 0)[VICTIM].budget == AMPLIFICATION * 200
    paths.on_challenge(VICTIM, b"abcdefgh", 200)
    assert paths.poll_response() is None


def test_a_datagram_from_the_old_address_does_not_stop_it_from_defending_itself() -> None:
    """Its answer is on the way, and another trial, with the parts exchanged, would let the attacker defend itself."""
    paths = paths_at()
    hear(paths, EVIL, 0)
    asked = challenges(paths, 0)
    assert paths.on_response(asked[EVIL].data, now=RTT) == HOME
    hear(paths, HOME, 2 * FIRST_WAIT)
    challenges(paths, 2 * FIRST_WAIT)
    assert paths.on_response(asked[HOME].data, now=2 * FIRST_WAIT) == EVIL


def test_a_change_that_lasted_clears_the_record() -> None:
    world = World(paths_at(), {HOME: RTT})
    for _ in range(3):
        hear(world.paths, EVIL, world.now)
        world.run(world.now + LONGEST_HOLD + RTT)
    world.delays = {AWAY: RTT}
    hear(world.paths, AWAY, world.now)
    world.run(world.now + GIVEN_UP)
    assert world.paths.peer == AWAY
    hear(world.paths, EVIL, world.now)
    world.run(world.now + RTT)  # dismissed
    world.run(world.now + HOLD)
    hear(world.paths, REBOUND, world.now)
    assert REBOUND in challenges(world.paths, world.now)


def test_many_challenges_in_one_read_are_paid_for_once() -> None:
    paths = paths_at()
    hear(paths, VICTIM, 0, nbytes=160, is_newest=False)
    for number in range(4):
        paths.on_challenge(VICTIM, bytes([number] * 8), 160)
    response = paths.poll_response()
    assert response is not None
    assert response.budget == AMPLIFICATION * 160
    assert paths.poll_response() is None
