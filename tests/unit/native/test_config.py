"""What a connection's settings imply."""

from __future__ import annotations

from dataclasses import replace

import pytest

from surewire.native.config import DEFAULT_TRANSPORT, LEAST_DATAGRAM, NativeConfig


@pytest.mark.parametrize("window", [1 << 16, 16 << 20, 64 << 20, 1 << 30])
def test_the_replay_window_is_as_wide_as_the_flow_window(window: int) -> None:
    """At worst every second datagram of a full window is missing."""
    tracking = NativeConfig(transport=replace(DEFAULT_TRANSPORT, receive_window=window)).tracking
    assert tracking.max_tracked_ranges >= window // LEAST_DATAGRAM // 2
    assert replace(tracking, max_tracked_ranges=DEFAULT_TRANSPORT.max_tracked_ranges) == replace(
        DEFAULT_TRANSPORT, receive_window=window
    )


def test_the_usual_window_needs_no_more_than_is_remembered_anyway() -> None:
    config = NativeConfig()
    assert config.tracking is config.transport
