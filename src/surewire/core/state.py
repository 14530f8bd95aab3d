"""The connection states of a one-way transfer, and every way from one to another, in one table.

Names are RFC 9293 §3.3.2's where they apply. RDP data flow one way, so only the side that sends data
finishes, and the SYN's acknowledgment needs none of its own: a receiver is ESTABLISHED at once. The
table is role-blind; which inputs a role can meet follows from how it was opened. A pair that is not in
the table is illegal, and meeting one is a defect of ours, not of the peer: sessions must sort out
what a peer sends before they feed it here.

    sender    CLOSED -> SYN_SENT -> ESTABLISHED -> FIN_WAIT_1 -> CLOSED
    receiver  CLOSED -> LISTEN -> ESTABLISHED -> CLOSE_WAIT -> TIME_WAIT -> CLOSED
"""

from __future__ import annotations

from enum import Enum, auto

from surewire.errors import LocalProtocolError


class State(Enum):
    """Where a connection stands."""

    CLOSED = auto()  # not opened, or over
    LISTEN = auto()  # waiting for anybody's SYN
    SYN_SENT = auto()  # SYN sent, not acknowledged
    ESTABLISHED = auto()  # data flow
    FIN_WAIT_1 = auto()  # FIN sent, not acknowledged (data before it may be missing still)
    CLOSE_WAIT = auto()  # FIN and all data received; the application has not confirmed them yet
    TIME_WAIT = auto()  # FIN acknowledged; a repeated FIN is acknowledged again


class Input(Enum):
    """What can change the state."""

    OPEN_ACTIVE = auto()
    OPEN_PASSIVE = auto()
    SYN_RECEIVED = auto()
    SYN_ACKED = auto()
    FIN_SENT = auto()
    FIN_ACKED = auto()
    FIN_RECEIVED = auto()  # and everything before it
    CONFIRM = auto()  # the application has stored everything
    TIMEOUT = auto()
    RESET = auto()
    ABORT = auto()


_OPEN_STATES = (
    State.LISTEN,
    State.SYN_SENT,
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.CLOSE_WAIT,
    State.TIME_WAIT,
)

TRANSITIONS: dict[tuple[State, Input], State] = {
    (State.CLOSED, Input.OPEN_ACTIVE): State.SYN_SENT,
    (State.CLOSED, Input.OPEN_PASSIVE): State.LISTEN,
    (State.LISTEN, Input.SYN_RECEIVED): State.ESTABLISHED,
    (State.SYN_SENT, Input.SYN_ACKED): State.ESTABLISHED,
    (State.ESTABLISHED, Input.FIN_SENT): State.FIN_WAIT_1,
    (State.FIN_WAIT_1, Input.FIN_ACKED): State.CLOSED,
    (State.ESTABLISHED, Input.FIN_RECEIVED): State.CLOSE_WAIT,
    (State.CLOSE_WAIT, Input.CONFIRM): State.TIME_WAIT,
    **{(state, Input.TIMEOUT): State.CLOSED for state in _OPEN_STATES},
    **{(state, Input.ABORT): State.CLOSED for state in _OPEN_STATES},
    **{
        (state, Input.RESET): State.CLOSED
        for state in (State.SYN_SENT, State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSE_WAIT, State.TIME_WAIT)
    },
}


class StateMachine:
    """The current state, changed through `TRANSITIONS` only."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = State.CLOSED

    def handle(self, event: Input) -> State:
        """Follow `event` to the next state and return it.

        Raises:
            LocalProtocolError: the table has no such transition.
        """
        target = TRANSITIONS.get((self.state, event))
        if target is None:
            raise LocalProtocolError(f"{event.name} is not possible in state {self.state.name}")
        self.state = target
        return target


def mermaid() -> str:
    """The table as a Mermaid state diagram, for the documentation."""
    lines = ["stateDiagram-v2"]
    for (state, event), target in TRANSITIONS.items():
        if event not in (Input.TIMEOUT, Input.ABORT, Input.RESET):
            lines.append(f"    {state.name} --> {target.name}: {event.name}")
    return "\n".join(lines) + "\n"
