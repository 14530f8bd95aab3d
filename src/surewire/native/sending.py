"""What leaves one connection, and in which order.

The core's `Outbound` says which bytes of the stream may go out; this adds what the format needs beside them:
acknowledgments, which ride on a datagram that has room for them, pings, probes of longer datagrams, and the
words of the end. Every datagram has a packet number of its own, whatever is in it.
"""

from __future__ import annotations

from collections import deque

from surewire.core.congestion import CongestionController
from surewire.core.outbound import Outbound
from surewire.core.path_mtu import PathMtu
from surewire.core.repair_block import RepairRun
from surewire.core.rtt import RttEstimator
from surewire.core.sent_log import SentRun
from surewire.core.timers import Timer, TimerTable
from surewire.core.trains import Address, Train
from surewire.core.units import NS_PER_MS
from surewire.errors import RemoteProtocolError
from surewire.native.config import LEAST_DATAGRAM, NativeConfig
from surewire.native.datagram_size import datagram_size
from surewire.native.incoming import Incoming
from surewire.native.keys import SendingKeys
from surewire.native.outgoing import Outgoing
from surewire.native.packing import MAX_TRAIN_BYTES, Packer, Part, Scratch, parts_of
from surewire.native.receiving import Receiving
from surewire.native.statistics import ConnectionStats, Counters
from surewire.native.summing import repair_frame
from surewire.native.words import Words
from surewire.wire import native_frames as frames

_TRAINS_AT_ONCE = 4  # where the rate allows it: what it takes to decide what is sent is then done once for them
_MAX_DATAGRAMS = 64  # in a train: UDP_MAX_SEGMENTS of kernels before 6.9
_NUMBERS_TO_ASK_AGAIN = 1_024  # datagrams between two pings for a change of keys: one may be lost
_RIDE_BELOW = LEAST_DATAGRAM // 2  # bytes of the stream in a datagram that still has room for an acknowledgment
_SHORT_ROUND_TRIP = 2 * NS_PER_MS
_SILENCE_INTERVAL = 100 * NS_PER_MS  # between pings into an outage: 600 bytes a second
_RIDING_ACK = 128  # bytes of an acknowledgment that rides, at most


class Sending:
    """Makes the datagrams of one connection, once its keys are there."""

    def __init__(
        self, config: NativeConfig, timers: TimerTable, counters: Counters, scratch: Scratch, *, now: int
    ) -> None:
        transport = config.transport
        self._config = config
        self._timers = timers
        self._counters = counters
        self._scratch = scratch
        self.stream = Outgoing(config.send_buffer)
        self.outbound = Outbound(
            size=None,
            segment=LEAST_DATAGRAM,
            config=transport,
            controller=self._controller(LEAST_DATAGRAM, transport.initial_rtt),
            rtt=RttEstimator(transport.initial_rtt),
            timers=timers,
            now=now,
        )
        rules = self.outbound.rules
        rules.has_byte_acks = False
        rules.may_finish_early = True
        rules.is_end_prompt = True
        rules.repair_window = 0
        rules.silence_interval = _SILENCE_INTERVAL
        rules.max_rate = config.max_rate
        self.outbound.scoreboard.end_rides = True
        self._most = MAX_TRAIN_BYTES  # bytes of a datagram that the peer takes
        self.path_mtu = self._search(self._most, now)
        self._full_size = self.path_mtu.size  # bytes of a full datagram: no more than the path and its rate allow
        self._packer: Packer | None = None
        self._keys: SendingKeys | None = None
        self._per_train = 1  # datagrams
        self._parts: deque[Part] = deque()  # logged as sent, and not made into datagrams yet
        self._largest_acked = -1  # packet number, of those without bytes of the stream, too
        self._words = Words()

    def _controller(self, segment: int, initial_rtt: int) -> CongestionController:
        return self._config.congestion.make(segment=segment, initial_rtt=initial_rtt)

    def guess_round_trip(self, least: int, most: int) -> None:
        """Nothing was sent yet: begin with these bounds (ns, > 0) of the round trip.

        Timers go by the shorter guess: what is done too early costs a probe. The pace goes by the longer one: what is
        sent too fast fills a queue.
        """
        self.outbound.rtt.reset(least)
        self.outbound.controller = self._controller(self.outbound.rules.segment, most)

    def _search(self, most: int, now: int) -> PathMtu:
        config = self._config
        ceiling = min(most, config.max_datagram)
        fixed = None if config.fixed_datagram is None else min(config.fixed_datagram, ceiling)
        return PathMtu(base=LEAST_DATAGRAM, ceiling=ceiling, fixed=fixed, now=now)

    def start(self, keys: SendingKeys, connection_id: bytes, *, most: int, window: int, now: int) -> None:
        """The handshake is over: seal with these keys.

        The peer has this connection id, takes datagrams of `most` bytes, and at first `window` bytes of the stream.
        """
        self._keys = keys
        self._packer = Packer(connection_id, keys, self._scratch)
        self._most = min(most, MAX_TRAIN_BYTES)
        self.path_mtu = self._search(self._most, now)
        self.outbound.rules.max_offset = window
        self._begin_path()

    def change_path(self, *, now: int) -> None:
        """The peer has moved to another host: what was known of the path is void (RFC 9000 §9.4)."""
        self.outbound.change_path(self._controller(self.outbound.rules.segment, self._config.transport.initial_rtt))
        self.path_mtu = self._search(self._most, now)
        self._begin_path()

    def _begin_path(self) -> None:
        self._full_size = self.path_mtu.size
        self._set_segment()

    def _set_segment(self) -> None:
        if self._packer is None:
            return
        size = self._full_size
        self.outbound.set_segment(size - self._packer.overhead())
        self._per_train = min(MAX_TRAIN_BYTES // size, _MAX_DATAGRAMS, self._config.transport.max_train)
        self.outbound.rules.max_train = _TRAINS_AT_ONCE * self._per_train
        self.outbound.rules.max_runs = self._per_train

    # What the connection wants said.

    def say(self, frame: bytes) -> None:
        """Let a frame go out at once, in a datagram of its own."""
        self._words.say(frame)

    def on_written(self) -> None:
        """The application gave bytes to the stream."""
        self.outbound.scoreboard.extend(self.stream.written)

    def limit_rate(self, rate: int | None) -> None:
        """Let at most so many bytes of the stream (> 0) leave a second, in datagrams that are right for that."""
        self.outbound.rules.max_rate = rate
        self._follow_path_mtu()

    # What the path says.

    def on_ack(self, ack: frames.Ack, *, now: int) -> None:
        """Take an acknowledgment; one of what was never sent is counted and means nothing."""
        outbound, board = self.outbound, self.outbound.scoreboard
        before, in_flight = (board.una, outbound.log.largest_acked), outbound.log.bytes_in_flight
        try:
            outbound.on_ack_numbers(
                list(ack.ranges), position=ack.position, echo=ack.latest, ack_delay=ack.delay_ns, now=now
            )
        except RemoteProtocolError:
            self._counters.malformed += 1
            return
        rtt = self._words.on_acked(ack.latest, now=now)
        if rtt is not None and ack.delay_ns <= outbound.rules.max_ack_delay:
            outbound.rtt.on_sample(rtt, ack_delay=ack.delay_ns)
        outbound.rules.max_offset = max(outbound.rules.max_offset, ack.position + ack.window)
        self._largest_acked = max(self._largest_acked, ack.ranges[0][1] - 1)
        waiting = min((part.offset for part in self._parts), default=board.size) if self._parts else board.size
        self.stream.discard_acked(min(board.una, waiting))
        board.kept_from = self.stream.kept_from
        if before != (board.una, outbound.log.largest_acked):
            is_long = outbound.log.bytes_in_flight != in_flight
            self.path_mtu.on_progress(now=now, size=self._full_size if is_long else 0)
        if self.path_mtu.probe_number is not None:
            for start, stop in ack.ranges:
                self.path_mtu.on_acked(start, stop, now=now)
        self._follow_path_mtu()

    def on_pto(self, *, now: int) -> None:
        """A probe timeout has passed: full datagrams may be too long for the path as it is now."""
        if not self.outbound.is_window_closed:  # else nothing is demanded but a word on the window
            self.path_mtu.on_pto(self.outbound.unanswered_probes, now=now)
        self._follow_path_mtu()

    def on_too_long(self, size: int, *, now: int) -> None:
        """The local interface refused a datagram of `size` bytes."""
        self.path_mtu.on_too_long(size, now=now)
        self._follow_path_mtu()

    def _follow_path_mtu(self) -> None:
        self._timers.set(Timer.PATH_MTU, self.path_mtu.next_deadline())
        if self._packer is None:
            return
        longest = self.path_mtu.size
        is_fixed = self._config.fixed_datagram is not None
        size = longest if is_fixed else datagram_size(longest, self._rate, present=self._full_size)
        if size != self._full_size:
            self._full_size = size
            self._set_segment()

    @property
    def _rate(self) -> int:
        """Of the path as far as it is known and may be used, bytes a second."""
        controller, limit = self.outbound.controller, self.outbound.rules.max_rate
        rate = controller.bandwidth or controller.pacing_rate
        return rate if limit is None else min(rate, limit)

    def stats(self, incoming: Incoming) -> ConnectionStats:
        """How the connection stands; `incoming` is the other direction."""
        outbound, counters = self.outbound, self._counters
        board, rtt, rules, controller = outbound.scoreboard, outbound.rtt, outbound.rules, outbound.controller
        return ConnectionStats(
            rtt_ns=rtt.smoothed_rtt if rtt.samples else 0,
            min_rtt_ns=rtt.min_rtt,
            rttvar_ns=rtt.rttvar if rtt.samples else 0,
            congestion=self._config.congestion.name,
            delivery_rate=controller.bandwidth,
            max_rate=rules.max_rate,
            cwnd=controller.cwnd,
            bytes_in_flight=outbound.log.bytes_in_flight,
            path_mtu=self.path_mtu.size,
            datagram_size=self._full_size,
            written=self.stream.written,
            acknowledged=min(board.una, board.size),
            received=incoming.books.contiguous,
            peer_window=max(rules.max_offset - board.una, 0),
            sent_bytes=counters.sent_bytes,
            retransmitted_bytes=counters.retransmitted_bytes,
            lost_bytes=outbound.stats.lost_bytes,
            spurious=outbound.stats.spurious_segments,
            spurious_bytes=outbound.stats.spurious_bytes,
            probes=outbound.stats.probes,
            sums=outbound.stats.sums,
            recovered_bytes=counters.recovered_bytes,
            datagrams_sent=counters.datagrams_sent,
            datagrams_received=counters.datagrams_received,
            received_bytes=counters.received_bytes,
            damaged=counters.damaged,
            malformed=counters.malformed,
            duplicates=counters.duplicates,
            refused=counters.refused,
            key_updates=self._keys.updates if self._keys is not None else 0,
            is_app_limited=not board.has_unsent and not board.has_lost,
            is_window_limited=rules.max_offset <= board.next_offset < board.size,
        )

    # Datagrams.

    def poll(self, receiving: Receiving, destination: Address, *, now: int) -> Train | None:
        """The next train, or None when nothing may go out now. Acknowledgments are of what `receiving` has.

        Raises:
            SourceChanged: bytes to send are no longer there.
        """
        packer, keys = self._packer, self._keys
        if packer is None or keys is None:
            return None
        is_again = False  # for want of an answer, so what was said with it may be lost, too
        if not self._parts:
            self._update_keys(keys)
            train = self._poll_words(packer, receiving, destination, now)
            if train is None and receiving.tracker.is_due and not self._has_little:
                train = self._acknowledge(b"", packer, receiving, destination, now)
            if train is not None:
                return train
            for run in self._poll_runs(receiving, now):
                if isinstance(run, RepairRun):
                    frame = repair_frame(run, self.outbound.scoreboard.size, self.stream.read_into)
                    return self._counted(packer.datagram(run.first, frame, destination))
                if run.retransmission:
                    self._counters.retransmitted_bytes += run.nbytes
                    is_again = True
                self._parts.extend(parts_of(run, self._room(packer, run.segment)))
            if not self._parts:
                return self._acknowledge(b"", packer, receiving, destination, now) if receiving.tracker.is_due else None
        parts = self._take_parts(packer)
        size = self.outbound.scoreboard.size
        first = parts[0]
        if first.datagrams == 1 and len(parts) == 1:
            is_short, is_end = first.stop - first.offset < _RIDE_BELOW, first.stop > size
            rides = is_short and (is_again or is_end or self._is_ack_worth_it(receiving))
            ack = receiving.acknowledgment(limit=_RIDING_ACK, now=now) if rides else b""
            if first.stop == first.offset:
                return self._counted(packer.datagram(first.first, ack + frames.emit_ping(), destination))
            train = packer.datagram(
                first.first, ack, destination, run=first, size=size, read_into=self.stream.read_into
            )
        else:
            train = packer.train(parts, size, self.stream.read_into, destination)
        return self._counted(train)

    def _poll_runs(self, receiving: Receiving, now: int) -> list[SentRun]:
        """What of the stream goes out now; towards its end it matters whether the path loses, seen from either side."""
        outbound, board = self.outbound, self.outbound.scoreboard
        if (board.is_finished and not board.has_unsent) or board.is_at_end:
            outbound.rules.peer_loss = receiving.tracker.missing_share
        return outbound.poll_runs(now=now)

    def _is_ack_worth_it(self, receiving: Receiving) -> bool:
        """True when an acknowledgment should ride on a datagram that leaves anyway.

        In a dialogue over a few hundred microseconds, making and reading one for each message is most of the work, and
        the next message is never far. The peer's patience reckons with `max_ack_delay` in any case.
        """
        tracker = receiving.tracker
        return tracker.is_pending and (tracker.is_due or self.outbound.rtt.smoothed_rtt >= _SHORT_ROUND_TRIP)

    def _update_keys(self, keys: SendingKeys) -> None:
        """Change the key if it is time; where nothing was acknowledged yet that this one sealed, ask for it."""
        number = self.outbound.log.next_number
        if keys.update_if_due(number, largest_acked=self._largest_acked) and number >= keys.ask_again_at:
            keys.ask_again_at = number + _NUMBERS_TO_ASK_AGAIN
            self.say(frames.emit_ping())

    def _take_parts(self, packer: Packer) -> list[Part]:
        """As many of the parts that wait as fit one train; they may have been cut when datagrams were longer."""
        parts: list[Part] = []
        queue, segment = self._parts, self._parts[0].segment
        room = self._room(packer, segment)
        while queue and (not parts or (queue[0].datagrams <= room and queue[0].segment <= segment)):
            room -= queue[0].datagrams
            parts.append(queue.popleft())
        return parts

    def _room(self, packer: Packer, segment: int) -> int:
        """Datagrams of so many bytes of the stream that one train carries."""
        return min(self._per_train, MAX_TRAIN_BYTES // (segment + packer.overhead()))

    def _poll_words(self, packer: Packer, receiving: Receiving, destination: Address, now: int) -> Train | None:
        """What is neither the stream's nor an acknowledgment: words, or a probe of a longer datagram."""
        if word := self._words.poll():
            return self._acknowledge(word, packer, receiving, destination, now)
        length = self.path_mtu.poll_probe(now=now)
        self._timers.set(Timer.PATH_MTU, self.path_mtu.next_deadline())
        if length is None or datagram_size(length, self._rate, present=0) < length:
            return None  # one that the rate does not bear is of no use, and would be in the way
        number = self.outbound.skip_number()
        pto = self.outbound.rtt.pto(self.outbound.rules.max_ack_delay)
        self.path_mtu.on_probe_sent(number, length, pto=pto, now=now)
        self._timers.set(Timer.PATH_MTU, self.path_mtu.next_deadline())
        return self._counted(packer.datagram(number, frames.emit_ping(), destination, length=length))

    def _acknowledge(
        self, word: bytes, packer: Packer, receiving: Receiving, destination: Address, now: int
    ) -> Train | None:
        """A datagram without bytes of the stream: an acknowledgment if there is something to tell, and a word."""
        # Whatever is longer may be lost on the way: the path's MTU is not always what it was.
        limit = LEAST_DATAGRAM - packer.overhead() - len(word)
        ack = receiving.acknowledgment(limit=limit, now=now) if receiving.tracker.is_pending else b""
        if not ack and not word:
            return None
        run = None if word else self.outbound.repeat_end(now=now)
        if run is not None:
            self._counters.retransmitted_bytes += run.nbytes
            (part,) = parts_of(run, 1)
            size, read_into = self.outbound.scoreboard.size, self.stream.read_into
            return self._counted(packer.datagram(run.first, ack, destination, run=part, size=size, read_into=read_into))
        number = self.outbound.skip_number()
        self._words.on_sent(word, number, now=now)
        return self._counted(packer.datagram(number, ack + word, destination))

    @property
    def _has_little(self) -> bool:
        """True when what waits to be sent is a small message, on which an acknowledgment can ride."""
        board = self.outbound.scoreboard
        return 0 < board.size - board.next_offset < _RIDE_BELOW and not board.has_lost

    def aside(self, frame: bytes, destination: Address, *, length: int) -> Train | None:
        """A datagram with one frame to an address that is not (yet) the peer's, padded to `length`."""
        if self._packer is None:
            return None
        number = self.outbound.skip_number()
        return self._counted(self._packer.datagram(number, frame, destination, length=length))

    def last_words(self, frame: bytes, destination: Address) -> Train | None:
        """The datagram that ends the connection; its bytes outlive it."""
        train = self.aside(frame, destination, length=0)
        if train is None:
            return None
        return train._replace(buffers=[b"".join(train.buffers)])

    def _counted(self, train: Train) -> Train:
        self._counters.datagrams_sent += train.datagram_count
        self._counters.sent_bytes += train.nbytes
        return train
