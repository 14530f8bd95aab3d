"""One model of a bad network, for the simulator (virtual time) and the router (real time) alike."""

from surewire.impair.model import (
    REORDER_HOLD,
    Delivery,
    GilbertElliott,
    Link,
    LinkConfig,
    LinkStats,
)

__all__ = ["REORDER_HOLD", "Delivery", "GilbertElliott", "Link", "LinkConfig", "LinkStats"]
