"""The state tables, exhaustively: every state with every input."""

from __future__ import annotations

import pytest

from surewire.core.state import DUPLEX, SEALED, SIMPLEX, Input, State, StateMachine, Transitions, mermaid
from surewire.errors import LocalProtocolError

FAILURES = {Input.TIMEOUT, Input.ABORT, Input.RESET}
both_tables = pytest.mark.parametrize("table", [SIMPLEX, DUPLEX, SEALED], ids=["simplex", "duplex", "sealed"])


def paths(table: Transitions) -> dict[State, list[Input]]:
    """The shortest list of inputs that leads from CLOSED to each state that can be reached."""
    found: dict[State, list[Input]] = {State.CLOSED: []}
    queue = [State.CLOSED]
    for state in queue:
        for event in Input:
            target = table.get((state, event))
            if target is not None and target not in found:
                found[target] = [*found[state], event]
                queue.append(target)
    return found


def machine_in(table: Transitions, state: State) -> StateMachine:
    machine = StateMachine(table)
    for event in paths(table)[state]:
        machine.handle(event)
    assert machine.state is state
    return machine


def test_every_state_is_reached_by_one_of_the_tables() -> None:
    assert set(paths(SIMPLEX)) | set(paths(DUPLEX)) | set(paths(SEALED)) == set(State)


@both_tables
def test_a_table_speaks_of_no_state_that_it_never_reaches(table: Transitions) -> None:
    assert {state for state, _ in table} | set(table.values()) == set(paths(table))


@pytest.mark.parametrize("event", Input)
@pytest.mark.parametrize(("table", "state"), [(table, state) for table in (SIMPLEX, DUPLEX) for state in paths(table)])
def test_every_state_with_every_input_follows_the_table_or_is_refused(
    table: Transitions, state: State, event: Input
) -> None:
    machine = machine_in(table, state)
    target = table.get((state, event))
    if target is None:
        with pytest.raises(LocalProtocolError, match=f"{event.name} is not possible in state {state.name}"):
            machine.handle(event)
        assert machine.state is state
    else:
        assert machine.handle(event) is target
        assert machine.state is target


@both_tables
def test_every_open_state_ends_by_timeout_or_by_giving_up(table: Transitions) -> None:
    for state in set(paths(table)) - {State.CLOSED}:
        assert table[state, Input.TIMEOUT] is State.CLOSED
        assert table[state, Input.ABORT] is State.CLOSED


def test_every_input_is_used() -> None:
    assert {event for _, event in [*SIMPLEX, *DUPLEX]} == set(Input)


def test_a_reset_ends_what_has_a_peer_and_a_listener_goes_on() -> None:
    reset = {state for state, event in SIMPLEX if event is Input.RESET}
    assert reset == set(paths(SIMPLEX)) - {State.CLOSED, State.LISTEN}
    assert all(target is State.CLOSED for (_, event), target in SIMPLEX.items() if event is Input.RESET)


@pytest.mark.parametrize(
    ("table", "events", "states"),
    [
        (
            SIMPLEX,
            [Input.OPEN_ACTIVE, Input.SYN_ACKED, Input.FIN_SENT, Input.FIN_ACKED],
            [State.SYN_SENT, State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSED],
        ),
        (
            SIMPLEX,
            [Input.OPEN_PASSIVE, Input.SYN_RECEIVED, Input.FIN_RECEIVED, Input.CONFIRM, Input.TIMEOUT],
            [State.LISTEN, State.ESTABLISHED, State.CLOSE_WAIT, State.TIME_WAIT, State.CLOSED],
        ),
        (
            DUPLEX,
            [Input.OPEN_DUPLEX, Input.FINISH, Input.FIN_ACKED, Input.FIN_RECEIVED, Input.TIMEOUT],
            [State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.TIME_WAIT, State.CLOSED],
        ),
        (
            DUPLEX,
            [Input.OPEN_DUPLEX, Input.FIN_RECEIVED, Input.FINISH, Input.FIN_ACKED],
            [State.ESTABLISHED, State.CLOSE_WAIT, State.LAST_ACK, State.CLOSED],
        ),
        (
            DUPLEX,
            [Input.OPEN_DUPLEX, Input.FINISH, Input.FIN_RECEIVED, Input.FIN_ACKED, Input.TIMEOUT],
            [State.ESTABLISHED, State.FIN_WAIT_1, State.CLOSING, State.TIME_WAIT, State.CLOSED],
        ),
    ],
    ids=["sender", "receiver", "first to finish", "second to finish", "both at once"],
)
def test_the_lives_of_a_connection(table: Transitions, events: list[Input], states: list[State]) -> None:
    machine = StateMachine(table)
    assert [machine.handle(event) for event in events] == states


@both_tables
def test_the_diagram_shows_each_transition_but_the_ways_to_fail(table: Transitions) -> None:
    lines = mermaid(table).splitlines()
    assert mermaid(table).endswith("\n")
    assert lines[0] == "stateDiagram-v2"
    assert sorted(line.strip() for line in lines[1:]) == sorted(
        f"{state.name} --> {target.name}: {event.name}"
        for (state, event), target in table.items()
        if event not in FAILURES
    )
