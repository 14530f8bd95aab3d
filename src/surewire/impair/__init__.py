"""Models of a bad network, for the simulator (virtual time) and the router (real time) alike."""

from surewire.impair.classroom import (
    ETHERNET_OVERHEAD,
    MAX_DATAGRAM,
    SEND_TIME,
    ClassroomConfig,
    ClassroomLink,
)
from surewire.impair.config import Change, CoDel, GilbertElliott, LinkConfig, Policer
from surewire.impair.copies import REORDER_HOLD
from surewire.impair.link import Link
from surewire.impair.model import Delivery, LinkStats
from surewire.impair.path_options import PATH_OPTIONS, PathOption, link_config
from surewire.impair.scenario import CrossTraffic, Rebinding, Scenario, parse_scenario

__all__ = [
    "ETHERNET_OVERHEAD",
    "MAX_DATAGRAM",
    "PATH_OPTIONS",
    "REORDER_HOLD",
    "SEND_TIME",
    "Change",
    "ClassroomConfig",
    "ClassroomLink",
    "CoDel",
    "CrossTraffic",
    "Delivery",
    "GilbertElliott",
    "Link",
    "LinkConfig",
    "LinkStats",
    "PathOption",
    "Policer",
    "Rebinding",
    "Scenario",
    "link_config",
    "parse_scenario",
]
