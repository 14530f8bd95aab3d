"""The state table, exhaustively: every state with every input."""

from __future__ import annotations

import pytest

from surewire.core.state import TRANSITIONS, Input, State, StateMachine, mermaid
from surewire.errors import LocalProtocolError


def paths() -> dict[State, list[Input]]:
    """The shortest list of inputs that leads from CLOSED to each state that can be reached."""
    found: dict[State, list[Input]] = {State.CLOSED: []}
    queue = [State.CLOSED]
    for state in queue:
        for event in Input:
            target = TRANSITIONS.get((state, event))
            if target is not None and target not in found:
                found[target] = [*found[state], event]
                queue.append(target)
    return found


PATHS = paths()
OPEN_STATES = [state for state in State if state is not State.CLOSED]


def machine_in(state: State) -> StateMachine:
    machine = StateMachine()
    for event in PATHS[state]:
        machine.handle(event)
    assert machine.state is state
    return machine


def test_every_state_can_be_reached() -> None:
    assert set(PATHS) == set(State)


@pytest.mark.parametrize("event", Input)
@pytest.mark.parametrize("state", State)
def test_every_state_with_every_input_follows_the_table_or_is_refused(state: State, event: Input) -> None:
    machine = machine_in(state)
    target = TRANSITIONS.get((state, event))
    if target is None:
        with pytest.raises(LocalProtocolError, match=f"{event.name} is not possible in state {state.name}"):
            machine.handle(event)
        assert machine.state is state
    else:
        assert machine.handle(event) is target
        assert machine.state is target


@pytest.mark.parametrize("state", OPEN_STATES)
def test_every_open_state_ends_by_timeout_or_by_giving_up(state: State) -> None:
    assert TRANSITIONS[state, Input.TIMEOUT] is State.CLOSED
    assert TRANSITIONS[state, Input.ABORT] is State.CLOSED


def test_every_input_is_used() -> None:
    assert {event for _, event in TRANSITIONS} == set(Input)


def test_a_reset_ends_what_has_a_peer_and_a_listener_goes_on() -> None:
    assert {state for state, event in TRANSITIONS if event is Input.RESET} == set(State) - {State.CLOSED, State.LISTEN}
    assert all(target is State.CLOSED for (_, event), target in TRANSITIONS.items() if event is Input.RESET)


@pytest.mark.parametrize(
    ("events", "states"),
    [
        (
            [Input.OPEN_ACTIVE, Input.SYN_ACKED, Input.FIN_SENT, Input.FIN_ACKED],
            [State.SYN_SENT, State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSED],
        ),
        (
            [Input.OPEN_PASSIVE, Input.SYN_RECEIVED, Input.FIN_RECEIVED, Input.CONFIRM, Input.TIMEOUT],
            [State.LISTEN, State.ESTABLISHED, State.CLOSE_WAIT, State.TIME_WAIT, State.CLOSED],
        ),
    ],
    ids=["sender", "receiver"],
)
def test_the_two_lives_of_a_connection(events: list[Input], states: list[State]) -> None:
    machine = StateMachine()
    assert [machine.handle(event) for event in events] == states


def test_the_diagram_shows_each_transition_but_the_ways_to_fail() -> None:
    lines = mermaid().splitlines()
    assert mermaid().endswith("\n")
    assert lines[0] == "stateDiagram-v2"
    failures = {Input.TIMEOUT, Input.ABORT, Input.RESET}
    assert sorted(line.strip() for line in lines[1:]) == sorted(
        f"{state.name} --> {target.name}: {event.name}"
        for (state, event), target in TRANSITIONS.items()
        if event not in failures
    )
