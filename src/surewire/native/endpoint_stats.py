"""What an endpoint counts besides what its connections count."""

from __future__ import annotations


class EndpointStats:
    """What came and what became of it: datagrams, but for `opened`, `accepted` and `expired`."""

    __slots__ = (
        "accepted",
        "answers_dropped",
        "expired",
        "failed",
        "hellos",
        "late",
        "malformed",
        "opened",
        "postponed",
        "refused",
        "retries",
        "unknown",
        "versions",
    )

    def __init__(self) -> None:
        self.hellos = 0  # that could be read and belonged to no connection
        self.opened = 0  # connections let in, half-open at first
        self.accepted = 0  # those of them that were established
        self.expired = 0  # those of them that were dropped half-open
        self.failed = 0  # HELLOs made with another key
        self.retries = 0  # HELLOs answered by a cookie
        self.versions = 0  # HELLOs answered by what this endpoint speaks
        self.refused = 0  # HELLOs answered by a refusal
        self.postponed = 0  # HELLOs not answered, since too many handshakes are under way: they will come again
        self.answers_dropped = 0  # answers that were not sent, since too many waited
        self.unknown = 0  # to nobody here
        self.late = 0  # to a connection that is over
        self.malformed = 0  # too short, or damaged where it says to whom
