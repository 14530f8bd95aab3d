"""Settings of an RDP session beyond the transport's."""

from __future__ import annotations

from dataclasses import dataclass, field

from surewire.core.config import TransportConfig
from surewire.core.congestion import Congestion
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError
from surewire.wire import text


@dataclass(frozen=True, kw_only=True, slots=True)
class RdpConfig:
    """What one RDP session may do. Times are ns, sizes bytes.

    Attributes:
        magic: the sender's spelling of the protocol's name; a receiver answers in the sender's.
        extensions: offer or take up what only surewire peers speak.
        plain_window: window a receiver states to a peer not known to be ours; small enough for a peer
            that sends all of it at once, and for the socket's buffer.
        assumed_window: window of a peer whose ACKs state none; the assignment's example value.
        plain_payload: most data in a packet to a peer not known to be ours, at most 959.
        silent_close: silence after which a peer not known to be ours, which has acknowledged all data
            but not the FIN, is taken to have exited (many do, right after their last ACK).
        reset_copies: RST sent to a peer of ours; a RST is not acknowledged and may be lost.
        farewell_copies: ACKs with which a sender tells a receiver of ours that it may go; if all are lost,
            the receiver lingers in vain, which costs nothing but its patience.
        plain_linger: TIME_WAIT towards a sender not known to be ours, which never says that it is done.
        congestion: the controller of what a sender sends.
        max_rate: bytes of the file a second that are sent at most, whatever the controller allows; None: no limit.
        transport: limits and timing of the core.
    """

    magic: bytes = text.DEFAULT_MAGIC
    extensions: bool = True
    plain_window: int = 65_536
    assumed_window: int = 10_240
    plain_payload: int = text.MAX_PLAIN_PAYLOAD
    silent_close: int = 5 * NS_PER_S
    reset_copies: int = 3
    farewell_copies: int = 3
    plain_linger: int = 3 * NS_PER_S
    congestion: Congestion = field(default_factory=Congestion)
    max_rate: int | None = None
    transport: TransportConfig = field(default_factory=TransportConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot be put into a header.

        Raises:
            ConfigError: the magic is not 1 to 32 printable characters, or a size is out of range.
        """
        if not 1 <= len(self.magic) <= 32 or any(not 0x21 <= byte <= 0x7E for byte in self.magic):
            raise ConfigError("magic must be 1 to 32 printable ASCII characters without spaces")
        if not 1 <= self.plain_payload <= text.MAX_PLAIN_PAYLOAD:
            raise ConfigError(f"the plain payload is 1 to {text.MAX_PLAIN_PAYLOAD} bytes")
        for name in (
            "plain_window",
            "assumed_window",
            "silent_close",
            "reset_copies",
            "farewell_copies",
            "plain_linger",
        ):
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be positive")
        if self.max_rate is not None and self.max_rate < 1:
            raise ConfigError("a limit of the rate is positive")
