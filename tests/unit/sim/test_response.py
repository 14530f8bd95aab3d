"""The formulas against values worked by hand."""

from __future__ import annotations

import pytest

from surewire.sim.response import cubic_window, mathis_window, pftk_window, reno_utilisation


def test_mathis() -> None:
    assert mathis_window(0.015) == pytest.approx(10)
    assert mathis_window(0.015, acked_together=2) == pytest.approx(7.0711, abs=1e-4)


def test_pftk() -> None:
    # p = 0.06: sqrt(0.04) = 0.2; 3 sqrt(0.0225) = 0.45; 0.45 * 0.06 * (1 + 32 * 0.0036) = 0.0301
    assert pftk_window(0.015, rtt=0.1, timeout=0) == pytest.approx(10)
    assert pftk_window(0.06, rtt=0.1, timeout=1) == pytest.approx(0.1 / (0.02 + 0.0301104))
    assert pftk_window(1, rtt=0.1, timeout=1) == pytest.approx(0.1 / (0.1 * 0.81650 + 33), rel=1e-4)  # min(1, ...)


def test_cubic() -> None:
    # (0.4 * 3.7 / 1.2)^(1/4) = 1.0538; the rest is 1 where rtt = p
    assert cubic_window(0.1, rtt=0.1) == pytest.approx(1.0538, abs=1e-4)
    assert cubic_window(1e-4, rtt=0.1) == pytest.approx(187.4, abs=0.1)


@pytest.mark.parametrize(("buffer", "share"), [(0, 0.75), (0.25, 0.58594 / 0.65625), (1, 1), (3, 1)])
def test_reno_utilisation(buffer: float, share: float) -> None:
    assert reno_utilisation(buffer) == pytest.approx(share, abs=1e-4)
