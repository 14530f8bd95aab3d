"""`surewire lab validate`: what it says when the wire is right, and when it is not."""

from __future__ import annotations

import argparse

import pytest

from surewire.apps import lab_validate
from surewire.drivers.namespaces import NamespaceError
from surewire.impair import LinkConfig, Scenario
from surewire.lab.wired import validation
from surewire.lab.wired.validation import Row, Step, probe
from tests.drivers.wired_rooms import require_lab

ARGUMENTS = argparse.Namespace(json=False, quick=True)
STEP = Step(
    packet_bytes=1500, offered=9, delivered=8, late=0, slow_turns=0, unread=0, worst_lateness_ms=0.5, kept_up=True
)


def row(measured: float, *, kept_up: bool = True) -> Row:
    return Row(what="loss", set_to=10.0, measured=measured, tolerance=1.0, unit="%", kept_up=kept_up)


@pytest.mark.parametrize(
    ("found", "status", "verdict"),
    [(row(11.0), 0, "ok"), (row(11.1), 1, "WRONG"), (row(8.9), 1, "WRONG"), (row(10, kept_up=False), 1, "not kept up")],
)
def test_the_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], found: Row, status: int, verdict: str
) -> None:
    monkeypatch.setattr(lab_validate, "checks", lambda count: iter([found]))
    monkeypatch.setattr(lab_validate, "saturation", lambda size, rates: iter([STEP]))

    assert lab_validate.run(ARGUMENTS) == status
    assert verdict in capsys.readouterr().out


def test_a_laboratory_that_cannot_be_built_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(count: int) -> None:
        raise NamespaceError("must be run as root")

    monkeypatch.setattr(lab_validate, "checks", fails)

    assert lab_validate.run(ARGUMENTS) == 3
    assert capsys.readouterr() == ("", "surewire lab validate: error: must be run as root\n")


def test_a_probe_sees_what_a_link_does() -> None:
    require_lab()
    link = LinkConfig(duplicate=1.0, delay=30_000_000)

    probed = probe(Scenario(name="test", up=link, down=LinkConfig()), "ping", "echo", 100, 50, 1000)

    assert (probed.far["unique"], probed.far["received"]) == (50, 100)
    # Never faster than the link; how much slower is the machine's business.
    assert min(probed.near["round_trips_ns"]) >= link.delay
    # The last echoes may find the pinger gone, whose kernel says so: that crosses the wire, too.
    assert probed.lab.wire.up["duplicated"] >= 50


def test_a_wrong_wire_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of 30% loss, given a wire that loses 40%."""
    require_lab()

    def unfair(scenario: Scenario, *rest: object) -> validation.Probed:
        assert scenario.up.loss == 0.3
        worse = Scenario(name="unfair", up=LinkConfig(loss=0.4), down=LinkConfig())
        return probe(worse, "flood", "sink", 200, 1000, 4000)

    monkeypatch.setattr(validation, "probe", unfair)

    assert not validation.loss_check(30, 1000).is_right
