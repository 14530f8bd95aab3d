"""One sender as the main thread of `surewire recv` sees it."""

from __future__ import annotations

from pathlib import Path

from surewire.apps.progress import FIRST_AFTER
from surewire.apps.served_sender import ServedSender
from surewire.errors import Aborted, IdleTimeout
from surewire.transfer import messages
from surewire.transfer.messages import Offer
from tests.commands.pair_stream import PATIENCE_S, PairStream, pair

S = 1_000_000_000


def serve(stream: PairStream, folder: Path) -> ServedSender:
    sender = ServedSender(7, stream, str(folder), overwrite=True)
    return sender


def wait_for_offer(sender: ServedSender) -> None:
    while sender.receiving.offer is None:
        sender.thread.join(0.01)
        assert sender.thread.is_alive()


def test_a_sender_that_sends_nothing_for_long_loses_its_place(tmp_path: Path) -> None:
    with pair() as (far, near):
        sender = serve(near, tmp_path)
        sender.end_if_stalled(S, 1000 * S)  # no offer yet: that has a deadline of its own
        far.sendall(messages.emit(Offer("x", 10)) + b"abc")
        wait_for_offer(sender)
        while near.received < 3 + len(messages.emit(Offer("x", 10))):
            sender.thread.join(0.01)
        sender.end_if_stalled(5 * S, 1000 * S)
        sender.end_if_stalled(5 * S, 1005 * S)
        assert sender.thread.is_alive()
        far.sendall(b"d")
        while near.received < 4 + len(messages.emit(Offer("x", 10))):
            sender.thread.join(0.01)
        sender.end_if_stalled(5 * S, 1006 * S)
        sender.end_if_stalled(5 * S, 1011 * S)
        assert sender.thread.is_alive()
        sender.end_if_stalled(5 * S, 1012 * S)
        sender.thread.join(PATIENCE_S)
    assert isinstance(sender.error, IdleTimeout) and str(sender.error) == "nothing has come for 5 s"
    assert list(tmp_path.iterdir()) == []


def test_a_sender_is_shown_when_it_has_lasted(tmp_path: Path) -> None:
    with pair() as (far, near):
        sender = serve(near, tmp_path)
        assert sender.view(1 << 62) is None
        far.sendall(messages.emit(Offer("x", 10)))
        wait_for_offer(sender)
        began = sender.receiving.started_ns
        assert sender.view(began + FIRST_AFTER - 1) is None
        view = sender.view(began + FIRST_AFTER)
        assert view is not None and (view.key, view.name, view.size) == (7, "x", 10)
        near.abort(1, "stopped")
        sender.thread.join(PATIENCE_S)
    assert isinstance(sender.error, Aborted)
