"""Where the peer is, and how much may be sent there before it is known to be there (RFC 9000 §8 and §9).

Not the sending: the connection tells what came from where and asks what to send. Three rules:

- Before an address has proven that datagrams sent to it arrive at the peer, it gets at most three times what came
  from it (RFC 9000 §8.1). So nobody can use us to flood a third party.
- When the newest datagram comes from another address (a NAT forgot the peer, or the peer changed networks), that
  address and the present one are both asked with a PATH_CHALLENGE. The traffic stays where it is meanwhile.
- The new address gets the traffic when it answers and the present one has not. If the present one answers later than
  that, it gets the traffic back. So whoever copies the peer's datagrams and lets the copies overtake the originals
  (RFC 9000 §9.3.3) gains nothing, even if it passes challenge and response on: the peer still answers where it is.
  A peer that can be reached at both addresses stays where it was.

A response counts wherever it comes from (RFC 9000 §8.2.3 demands nothing of its source): only the peer can answer a
sealed challenge, so the response shows that the address challenged leads to it. To insist on the source would help
nobody but an attacker, who could prevent a change by letting a copy of the response overtake the original. In checked
mode nothing is sealed; there the rules hold against whoever does not see the datagrams.

State is bounded: one trial at a time, `ROUNDS` challenges to each of its two addresses, `MAX_RESPONSES` responses.
"""

from __future__ import annotations

import random
from collections import deque
from typing import NamedTuple

from surewire.core.trains import Address
from surewire.core.units import NS_PER_MS, NS_PER_S

UNLIMITED = 1 << 62
"""What `allowance` says of a validated peer, in bytes."""

AMPLIFICATION = 3
"""Bytes that an address may get for each that came from it, before it is validated (RFC 9000 §8.1)."""

PADDED = 1200
"""Bytes of a datagram with a challenge or response, if allowed: it shows that the path takes them (RFC 9000 §8.2.1)."""

ROUNDS = 5
"""Times that a challenge is sent. The waits between double from `FIRST_WAIT`, so an address has 3.1 s to
answer; 31 probe timeouts where one takes longer."""

FIRST_WAIT = 100 * NS_PER_MS
"""Wait before the second challenge, and for as long no other address can replace the one on trial."""

HOLD = NS_PER_S
"""Wait for the next trial after one that changed nothing; doubles each time up to `LONGEST_HOLD`."""

LONGEST_HOLD = 4 * NS_PER_S

MAX_RESPONSES = 4
"""Responses that may wait to be sent."""

_SMALLEST = 40  # a sealed datagram with nothing but a challenge: 13 + 9 + 16 bytes, and some
_SHORT = 400  # bytes: too few to say anything about the size that a path takes
_DATA_BITS = 64


class PathProbe(NamedTuple):
    """A datagram with a PATH_CHALLENGE or PATH_RESPONSE that should go out, alone and padded.

    Attributes:
        address: where it has to go.
        data: the 8 bytes of the frame.
        budget: bytes the whole datagram may have, 40..1,200; it counts as sent.
    """

    address: Address
    data: bytes
    budget: int


class _Trial:
    """A candidate and the peer's address it would replace: what each was asked."""

    __slots__ = (
        "asked",
        "candidate",
        "candidate_data",
        "deadline",
        "has_moved",
        "incumbent",
        "incumbent_data",
        "is_defended",
        "left",
        "rounds",
    )

    def __init__(self, candidate: Address, incumbent: Address, *, is_defended: bool, now: int) -> None:
        self.candidate = candidate
        self.incumbent = incumbent
        self.is_defended = is_defended  # whether the incumbent is asked as well
        self.candidate_data: list[bytes] = []
        self.incumbent_data: list[bytes] = []
        self.left = 0  # bytes the candidate may get
        self.rounds = 0
        self.asked: deque[bool] = deque()  # whom this round still asks: True is the candidate
        self.deadline = now
        self.has_moved = False

    def begin_round(self, now: int, *, wait: int) -> bool:
        """Ask once more, if it is time; False when the last round is over. `wait` (ns) is that for the first answer."""
        if now < self.deadline:
            return True
        if self.rounds == ROUNDS:
            return False
        self.deadline = now + (wait << self.rounds)
        self.rounds += 1
        self.asked.clear()
        if not self.has_moved:
            self.asked.append(True)
        if self.is_defended:
            self.asked.append(False)
        return True


class Paths:
    """`peer` and what may be sent to it; `poll_challenge` and `poll_response` are what else has to go out.

    Tell of every genuine datagram with `on_authentic`. For a peer that is not validated yet also tell of all
    bytes with `on_sent` and `on_received`, and send no more than `allowance`.
    """

    __slots__ = (
        "_hold",
        "_next_trial_at",
        "_received",
        "_responses",
        "_rng",
        "_sent",
        "_trial",
        "has_host_changed",
        "is_validated",
        "peer",
    )

    def __init__(self, peer: Address, *, is_validated: bool, rng: random.Random) -> None:
        """Begin with `peer`; `rng` must be unpredictable where an attacker may be about."""
        self.peer = peer
        self.is_validated = is_validated
        self.has_host_changed = False
        """Whether the last change led to another host: what is known of the path says nothing then (RFC 9000 §9.4)."""
        self._rng = rng
        self._received = 0
        self._sent = 0
        self._trial: _Trial | None = None
        self._next_trial_at = 0
        self._hold = HOLD
        self._responses: deque[PathProbe] = deque()

    def allowance(self) -> int:
        """Bytes that may go to the peer now."""
        if self.is_validated:
            return UNLIMITED
        return max(AMPLIFICATION * self._received - self._sent, 0)

    def on_received(self, nbytes: int) -> None:
        """A datagram of `nbytes` came from the peer's address, genuine or not."""
        self._received += nbytes

    def on_sent(self, nbytes: int) -> None:
        """`nbytes` went to the peer's address."""
        self._sent += nbytes

    def on_authentic(self, source: Address, nbytes: int, *, is_newest: bool, now: int) -> None:
        """Genuine datagrams of `nbytes` in all came from `source`.

        `is_newest`: one of them has the highest number so far, and carries more than challenges, responses and
        padding (RFC 9000 §9.1 calls a datagram without more probing: it does not mean a change).
        """
        if source == self.peer:
            self.is_validated = True  # it could not be made without what was sent to this address
            return
        trial = self._trial
        if trial is not None and source == trial.candidate:
            trial.left += AMPLIFICATION * nbytes
        elif is_newest and now >= self._next_trial_at and not (trial and trial.has_moved and source == trial.incumbent):
            # An address that is not validated has nothing to defend, and must not be sent more than its allowance.
            self._trial = trial = _Trial(source, self.peer, is_defended=self.is_validated, now=now)
            trial.left = AMPLIFICATION * nbytes
            self._next_trial_at = now + FIRST_WAIT

    def poll_challenge(self, *, now: int, pto: int = 0) -> PathProbe | None:
        """The next challenge to send now; call until None. An answer takes `pto` (ns) at most (RFC 9000 §8.2.4)."""
        trial = self._trial
        if trial is None:
            return None
        if not trial.begin_round(now, wait=max(FIRST_WAIT, pto)):
            self._trial = None
            if trial.has_moved:
                self._hold = HOLD
            else:
                self._hold_off(now)
            return None
        while trial.asked:
            if not trial.asked.popleft():
                return PathProbe(trial.incumbent, self._new_data(trial.incumbent_data), PADDED)
            if trial.left >= _SMALLEST:
                budget = min(trial.left, PADDED)
                if budget < _SHORT:  # shared out among the rounds, as one challenge may be lost
                    budget = max(budget // (ROUNDS + 1 - trial.rounds), _SMALLEST)
                trial.left -= budget
                return PathProbe(trial.candidate, self._new_data(trial.candidate_data), budget)
        return None

    def on_response(self, data: bytes, *, now: int) -> Address | None:
        """A PATH_RESPONSE came; return the old address if `peer` is another one now."""
        trial = self._trial
        if trial is None:
            return None
        if data in trial.incumbent_data:
            self._trial = None
            self._hold_off(now)
            return self._move(trial.incumbent) if trial.has_moved else None
        if data in trial.candidate_data and not trial.has_moved:
            trial.has_moved = True
            return self._move(trial.candidate)
        return None

    def on_challenge(self, source: Address, data: bytes, nbytes: int) -> None:
        """Genuine datagrams of `nbytes` in all, from `source`, carried a PATH_CHALLENGE with these 8 bytes.

        Call it after `on_authentic` for them. A challenge that finds the queue full is dropped.
        """
        if len(self._responses) >= MAX_RESPONSES:
            return
        trial = self._trial
        budget = PADDED
        if trial is not None and source == trial.candidate and not trial.has_moved:
            budget = min(trial.left, PADDED)
            trial.left -= budget
        elif source != self.peer:
            # `nbytes` may be of many datagrams with many challenges: it pays for one response (RFC 9000 §8.2.2).
            if any(waiting.address == source for waiting in self._responses):
                return
            budget = min(AMPLIFICATION * nbytes, PADDED)
        if budget >= _SMALLEST:
            self._responses.append(PathProbe(source, data, budget))

    def poll_response(self) -> PathProbe | None:
        """The next response to send, to the address that the challenge came from; call until None."""
        return self._responses.popleft() if self._responses else None

    @property
    def is_settled(self) -> bool:
        """True when nobody is being asked, and nobody waits for an answer."""
        return self._trial is None and not self._responses

    def next_deadline(self) -> int | None:
        """When to call `poll_challenge` again, or None."""
        return None if self._trial is None else self._trial.deadline

    def _new_data(self, used: list[bytes]) -> bytes:
        data = self._rng.getrandbits(_DATA_BITS).to_bytes(_DATA_BITS // 8, "big")
        used.append(data)
        return data

    def _move(self, address: Address) -> Address:
        old, self.peer = self.peer, address
        self.has_host_changed = _host(old) != _host(address)
        self.is_validated = True
        return old

    def _hold_off(self, now: int) -> None:
        """A trial was in vain: the next one has to wait."""
        self._next_trial_at = max(self._next_trial_at, now + self._hold)
        self._hold = min(2 * self._hold, LONGEST_HOLD)


def _host(address: Address) -> Address:
    """The part of an address that stays when a NAT assigns another port."""
    return address[0] if isinstance(address, tuple) and address else address
