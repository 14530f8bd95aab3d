"""A sender whose first ACK named packet numbers never sent waited for ever.

The ACK opened the transfer but was then ignored as a whole, before it set the deadline for silence or a window.
"""

from __future__ import annotations

from surewire.core.state import State
from surewire.errors import IdleTimeout
from tests.unit.rdp.scripted import MS, SenderScript, error_of


def test_the_sender_gives_up_after_the_usual_silence() -> None:
    script = SenderScript()
    script.ack(0, window=1_000, received=((0, 50),))
    assert script.sender.state is State.ESTABLISHED
    deadline = script.now + script.sender.config.transport.idle_timeout
    script.wait(deadline - MS)
    assert script.sender.state is State.ESTABLISHED
    script.wait(deadline + MS)
    assert isinstance(error_of(script.sender), IdleTimeout)
