"""Models of a bad network, for the simulator (virtual time) and the router (real time) alike."""

from surewire.impair.classroom import (
    ETHERNET_OVERHEAD,
    MAX_DATAGRAM,
    SEND_TIME,
    ClassroomConfig,
    ClassroomLink,
)
from surewire.impair.model import (
    REORDER_HOLD,
    Delivery,
    GilbertElliott,
    Link,
    LinkConfig,
    LinkStats,
)

__all__ = [
    "ETHERNET_OVERHEAD",
    "MAX_DATAGRAM",
    "REORDER_HOLD",
    "SEND_TIME",
    "ClassroomConfig",
    "ClassroomLink",
    "Delivery",
    "GilbertElliott",
    "Link",
    "LinkConfig",
    "LinkStats",
]
