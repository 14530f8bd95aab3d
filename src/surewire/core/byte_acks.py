"""Cumulative byte acknowledgments translated into packet numbers: the one place for such formats.

A peer that says only "everything up to x arrived" leaves three things open, which this module settles
without guessing more than it must:

* Which transmission arrived, when a byte was sent more than once: the latest one in flight is taken as
  delivered, and no round trip is measured from such an acknowledgment (Karn's algorithm, RFC 6298 §3).
* Whether anything behind a hole arrived. A repeated acknowledgment says that something did; the segment
  at the hole is lost once it has also waited out the loss delay.
* Whether the peer keeps what arrives behind a hole. If an acknowledgment moves exactly to the end of
  what was repaired, it may not; then twice as many segments are repaired next time, else one (slow
  start over the hole). So a peer that keeps nothing is repaired in a logarithmic number of round trips,
  and one that keeps everything costs few needless resends.
"""

from __future__ import annotations

from surewire.core.sent_log import SentLog, SentRun


class ByteAcks:
    """Reads acknowledgments that name a byte position only."""

    __slots__ = ("_burst", "_repaired_to", "_una", "doublings")

    def __init__(self) -> None:
        self._burst = 1
        self._repaired_to = 0
        self._una = 0
        self.doublings = 0  # of the loss delay, since a round trip was certain: else one too short stays so (Karn)

    def numbers(self, log: SentLog, position: int) -> tuple[list[tuple[int, int]], int | None]:
        """Numbers that bytes below `position` settle.

        Cost grows with what is in flight, which is kept small towards such peers, in runs of one segment.

        Returns:
            Ranges of numbers, and the one whose arrival caused the acknowledgment, if that is certain.
        """
        ranges: list[tuple[int, int]] = []
        newest, is_clear = None, True
        for run in log.in_flight():
            if run.stop <= position:
                ranges.append((run.first, run.first + run.count))
                newest = run.last
                is_clear = is_clear and not run.retransmission
        return ranges, newest if is_clear else None

    def on_advance(self, position: int) -> None:
        """The acknowledged prefix moved to `position`."""
        self._burst = min(self._burst * 2, 64) if position == self._repaired_to else 1
        if position > self._repaired_to > self._una:
            self.doublings = 0  # the repair filled a hole: something behind it was there
        self._una = position

    def lost_at_hole(self, log: SentLog, *, una: int, sent_before: int) -> tuple[list[SentRun], SentRun | None]:
        """What is lost at the hole at `una`, given evidence that something later arrived.

        Only what was sent at or before `sent_before` counts. The caller declares the runs lost.

        Returns:
            The lost runs, and the latest copy of the hole if that may still come.
        """
        runs = sorted((run for run in log.in_flight() if run.stop > una), key=lambda run: run.offset)
        copies = sum(run.offset <= una for run in runs)
        if not copies:
            return [], None
        latest = max(runs[:copies], key=lambda run: run.sent_at)
        if latest.sent_at > sent_before:
            return [], latest
        lost = runs[:copies]
        for run in runs[copies : copies + self._burst - 1]:
            if run.sent_at > sent_before:
                break
            lost.append(run)
        self._repaired_to = lost[-1].stop
        self.doublings = min(self.doublings + 1, 6)
        return lost, None
