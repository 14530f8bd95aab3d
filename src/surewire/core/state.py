"""The connection states, and every way from one to another, in three tables.

Names are RFC 9293 §3.3.2's where they apply. A pair that is not in the table is illegal, and meeting
one is a defect of ours, not of the peer: sessions must sort out what a peer sends before they feed it
here. The tables are role-blind; which inputs a role can meet follows from how it was opened.

`SIMPLEX`: data flow one way (a file), so only the side that sends data finishes, and the SYN's
acknowledgment needs none of its own: a receiver is ESTABLISHED at once.

    sender    CLOSED -> SYN_SENT -> ESTABLISHED -> FIN_WAIT_1 -> CLOSED
    receiver  CLOSED -> LISTEN -> ESTABLISHED -> CLOSE_WAIT -> TIME_WAIT -> CLOSED

`DUPLEX`: data flow both ways, and each side finishes when it likes (RFC 9293, figure 5, from
ESTABLISHED on). Data ride on the SYN, so an opened connection takes the application's at once.

    first to finish   ESTABLISHED -> FIN_WAIT_1 -> FIN_WAIT_2 -> TIME_WAIT -> CLOSED
    second            ESTABLISHED -> CLOSE_WAIT -> LAST_ACK -> CLOSED
    both at once      ESTABLISHED -> FIN_WAIT_1 -> CLOSING -> TIME_WAIT -> CLOSED

`SEALED`: as DUPLEX, but nothing flows before both sides have agreed on keys. The side that answers is
not sure of the other one's address until something sealed came from it.

    client  CLOSED -> SYN_SENT -> ESTABLISHED
    server  CLOSED -> SYN_RECEIVED -> ESTABLISHED
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from surewire.errors import LocalProtocolError


class State(Enum):
    """Where a connection stands."""

    CLOSED = auto()  # not opened, or over
    LISTEN = auto()  # waiting for anybody's SYN
    SYN_SENT = auto()  # SYN sent, not acknowledged
    SYN_RECEIVED = auto()  # SYN received and answered; not known whether the answer arrived
    ESTABLISHED = auto()  # data flow
    FIN_WAIT_1 = auto()  # finished, the FIN not acknowledged (data before it may be missing still)
    FIN_WAIT_2 = auto()  # FIN acknowledged; the peer has not finished
    CLOSING = auto()  # both have finished, ours is not acknowledged
    CLOSE_WAIT = auto()  # FIN and all data received; the application has not confirmed, or not finished
    LAST_ACK = auto()  # finished after the peer; the FIN is not acknowledged
    TIME_WAIT = auto()  # the peer's FIN is acknowledged; a repeated one is acknowledged again


FIN_UNACKNOWLEDGED = (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)
"""This side has finished, and does not know yet that the peer has heard it."""


class Input(Enum):
    """What can change the state."""

    OPEN_ACTIVE = auto()
    OPEN_PASSIVE = auto()
    OPEN_DUPLEX = auto()
    SYN_RECEIVED = auto()
    SYN_ACKED = auto()
    FIN_SENT = auto()
    FINISH = auto()  # the application writes no more
    FIN_ACKED = auto()
    FIN_RECEIVED = auto()  # and everything before it
    CONFIRM = auto()  # the application has stored everything
    TIMEOUT = auto()
    RESET = auto()
    ABORT = auto()


Transitions = Mapping[tuple[State, Input], State]


def _ends(*states: State) -> dict[tuple[State, Input], State]:
    return {(state, end): State.CLOSED for state in states for end in (Input.TIMEOUT, Input.ABORT)}


SIMPLEX: Transitions = {
    (State.CLOSED, Input.OPEN_ACTIVE): State.SYN_SENT,
    (State.CLOSED, Input.OPEN_PASSIVE): State.LISTEN,
    (State.LISTEN, Input.SYN_RECEIVED): State.ESTABLISHED,
    (State.SYN_SENT, Input.SYN_ACKED): State.ESTABLISHED,
    (State.ESTABLISHED, Input.FIN_SENT): State.FIN_WAIT_1,
    (State.FIN_WAIT_1, Input.FIN_ACKED): State.CLOSED,
    (State.ESTABLISHED, Input.FIN_RECEIVED): State.CLOSE_WAIT,
    (State.CLOSE_WAIT, Input.CONFIRM): State.TIME_WAIT,
    **_ends(State.LISTEN, State.SYN_SENT, State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.TIME_WAIT),
    **{
        (state, Input.RESET): State.CLOSED
        for state in (State.SYN_SENT, State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.TIME_WAIT)
    },
}

DUPLEX: Transitions = {
    (State.CLOSED, Input.OPEN_DUPLEX): State.ESTABLISHED,
    (State.ESTABLISHED, Input.FINISH): State.FIN_WAIT_1,
    (State.ESTABLISHED, Input.FIN_RECEIVED): State.CLOSE_WAIT,
    (State.FIN_WAIT_1, Input.FIN_ACKED): State.FIN_WAIT_2,
    (State.FIN_WAIT_1, Input.FIN_RECEIVED): State.CLOSING,
    (State.FIN_WAIT_2, Input.FIN_RECEIVED): State.TIME_WAIT,
    (State.CLOSING, Input.FIN_ACKED): State.TIME_WAIT,
    (State.CLOSE_WAIT, Input.FINISH): State.LAST_ACK,
    (State.LAST_ACK, Input.FIN_ACKED): State.CLOSED,
    **_ends(
        State.ESTABLISHED,
        State.FIN_WAIT_1,
        State.FIN_WAIT_2,
        State.CLOSING,
        State.CLOSE_WAIT,
        State.LAST_ACK,
        State.TIME_WAIT,
    ),
}

SEALED: Transitions = {
    **{pair: target for pair, target in DUPLEX.items() if pair[1] is not Input.OPEN_DUPLEX},
    (State.CLOSED, Input.OPEN_ACTIVE): State.SYN_SENT,
    (State.CLOSED, Input.SYN_RECEIVED): State.SYN_RECEIVED,
    (State.SYN_SENT, Input.SYN_ACKED): State.ESTABLISHED,
    (State.SYN_RECEIVED, Input.SYN_ACKED): State.ESTABLISHED,
    **_ends(State.SYN_SENT, State.SYN_RECEIVED),
    **{
        (state, Input.RESET): State.CLOSED
        for state in (
            State.SYN_SENT,
            State.SYN_RECEIVED,
            State.ESTABLISHED,
            State.FIN_WAIT_1,
            State.FIN_WAIT_2,
            State.CLOSING,
            State.CLOSE_WAIT,
            State.LAST_ACK,
            State.TIME_WAIT,
        )
    },
}


class StateMachine:
    """The current state, changed through one table only."""

    __slots__ = ("_transitions", "state")

    def __init__(self, transitions: Transitions) -> None:
        self.state = State.CLOSED
        self._transitions = transitions

    def handle(self, event: Input) -> State:
        """Follow `event` to the next state and return it.

        Raises:
            LocalProtocolError: the table has no such transition.
        """
        target = self._transitions.get((self.state, event))
        if target is None:
            raise LocalProtocolError(f"{event.name} is not possible in state {self.state.name}")
        self.state = target
        return target


def mermaid(transitions: Transitions) -> str:
    """A table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2"]
    for (state, event), target in transitions.items():
        if event not in (Input.TIMEOUT, Input.ABORT, Input.RESET):
            lines.append(f"    {state.name} --> {target.name}: {event.name}")
    return "\n".join(lines) + "\n"
