"""Which bytes of the stream go out next: lost ones first, then new ones, within the peer's window."""

from __future__ import annotations

from surewire.core.scoreboard import Scoreboard
from surewire.core.send_rules import SendRules


def next_piece(board: Scoreboard, rules: SendRules, room: int) -> tuple[int, int] | None:
    """The next bytes to send, lost ones first: at most `room` (> 0), whole segments unless the range ends."""
    segment = rules.segment
    piece = board.peek_lost() or _next_new(board, rules)
    if piece is None:
        return None
    start, stop = piece
    if rules.has_byte_acks:
        room = min(room, segment)
    if start < board.size > rules.max_offset:  # it may be smaller than was thought: a probe's business then
        stop = min(stop, rules.max_offset)
    if stop - start > room and board.cut(start, stop, room) < stop:
        stop = start + room // segment * segment
    return (start, stop) if stop > start else None


def _next_new(board: Scoreboard, rules: SendRules) -> tuple[int, int] | None:
    start = board.next_offset
    if start == board.size:
        may_end = board.is_finished and (rules.may_finish_early or board.is_data_acked)
        return (start, start + 1) if may_end else None
    stop = min(board.size, rules.max_offset)
    if stop < board.size and (stop - start >= rules.segment or board.una < start):
        stop -= (stop - start) % rules.segment  # sender-side avoidance of the silly window (RFC 9293 §3.8.6.2.1)
    if stop <= start or start > board.size:
        return None
    return start, stop + (stop == board.size and board.is_finished and board.end_rides)
