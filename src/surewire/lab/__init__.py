"""The laboratory: any network, in virtual time or for real, and the proof that nothing is lost on it.

`link` puts a bad network in front of any UDP server for the time of a with block: see `surewire.lab.links`.
`LossyLink` is what it gives, `LinkReport` what that counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from surewire.lab.links import LinkReport, LossyLink, link

__all__ = ["LinkReport", "LossyLink", "link"]


def __getattr__(name: str) -> object:
    # Loaded when asked for: pytest imports this package in every run where surewire is installed.
    if name in __all__:
        from surewire.lab import links

        return getattr(links, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
