"""Which controller a connection uses, by name, and the making of it."""

from __future__ import annotations

from dataclasses import dataclass

from surewire.core.congestion.background import Background
from surewire.core.congestion.base import CongestionController
from surewire.core.congestion.bbr1 import Bbr1
from surewire.core.congestion.cubic import Cubic
from surewire.core.congestion.fixed import FixedRate
from surewire.core.congestion.model import PathModel
from surewire.core.congestion.newreno import NewReno
from surewire.errors import ConfigError

NAMES = ("model", "cubic", "newreno", "fixed", "background", "bbr1")
"""What a connection can be told to use; the first one is the default."""

_ADAPTIVE: dict[str, type[PathModel] | type[Cubic] | type[NewReno] | type[Background] | type[Bbr1]] = {
    "model": PathModel,
    "cubic": Cubic,
    "newreno": NewReno,
    "background": Background,
    "bbr1": Bbr1,
}


@dataclass(frozen=True, slots=True)
class Congestion:
    """The choice of a controller.

    Attributes:
        name: one of `NAMES`.
        rate: of "fixed" only: bytes a second, > 0; None to let the window alone decide.
        window: of "fixed" only: bytes that may be in flight, > 0; None: two round trips of the rate.
    """

    name: str = NAMES[0]
    rate: int | None = None
    window: int | None = None

    def __post_init__(self) -> None:
        """Refuse what means nothing.

        Raises:
            ConfigError: an unknown name, a rate or window that "fixed" lacks, or that another controller has.
        """
        if self.name not in NAMES:
            raise ConfigError(f"congestion control is {', '.join(NAMES[:-1])} or {NAMES[-1]}, not {self.name!r}")
        given = [value for value in (self.rate, self.window) if value is not None]
        if (self.name == "fixed") != bool(given):
            raise ConfigError("a rate or a window goes with fixed congestion control, and with no other")
        if any(value <= 0 for value in given):
            raise ConfigError("a fixed rate and its window must be positive")

    def make(self, *, segment: int, initial_rtt: int) -> CongestionController:
        """A controller at its beginning, for segments of up to this many bytes.

        `initial_rtt` (ns, > 0) is the guess until a round trip was measured.
        """
        if self.name == "fixed":
            return FixedRate(rate=self.rate, cwnd=self.window, initial_rtt=initial_rtt)
        return _ADAPTIVE[self.name](segment=segment, initial_rtt=initial_rtt)
