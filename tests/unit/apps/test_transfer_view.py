"""How far a transfer is, in numbers and words, and what is made of it at the end."""

from __future__ import annotations

from typing import Any

import pytest

from surewire.apps import send_report
from surewire.apps.bottleneck import Bottleneck, Verdict
from surewire.apps.send_report import SentFile
from surewire.apps.transfer_view import RateMeter, View, details, duration, milliseconds, printable
from surewire.drivers.udp_options import UdpStats
from surewire.native.statistics import ConnectionStats

S = 1_000_000_000
MS = 1_000_000

QUIET = ConnectionStats(*[0] * len(ConnectionStats._fields))._replace(max_rate=None)  # type: ignore[arg-type]
LIMITED = [QUIET._replace(max_rate=1_000, acknowledged=100 * number) for number in range(20)]
STATS = QUIET._replace(
    congestion="cubic",
    rtt_ns=42 * MS,
    min_rtt_ns=40 * MS,
    path_mtu=1_450,
    datagram_size=1_450,
    acknowledged=1_000_200,
    retransmitted_bytes=120_000,
    lost_bytes=112_200,
    spurious=2,
    spurious_bytes=2_400,  # sent before the path was known to carry more
    sent_bytes=1_200_000,
    datagrams_sent=830,
)


def view(**changes: Any) -> View:
    return View(0, "a", 250, 1_000, 100.0, 0, -1.0)._replace(**changes)


def test_the_rate_is_that_of_the_last_two_seconds() -> None:
    meter = RateMeter(0)
    assert meter.rate(0, now=0) == 0
    for tenth in range(1, 31):
        rate = meter.rate(tenth * 100, now=tenth * S // 10)
        assert rate == pytest.approx(1_000)
    for tenth in range(31, 52):
        rate = meter.rate(3_000, now=tenth * S // 10)
    assert rate == 0


def test_a_meter_that_is_asked_often_keeps_little() -> None:
    meter = RateMeter(0)
    rates = {round(meter.rate(now, now=now * 1_000)) for now in range(1, 5_000_000, 1_000)}
    assert rates == {1_000_000}


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (view(), "250 B of 1.0 kB  100 B/s  8 s left"),
        (view(rate=0.0), "250 B of 1.0 kB  0 B/s"),
        (view(rtt_ns=12_340_000, loss=0.123), "250 B of 1.0 kB  100 B/s  RTT 12.3 ms  loss 12.3%  8 s left"),
        (view(size=0, done=0, loss=0.0), "0 B of 0 B  100 B/s  loss 0.0%  0 s left"),
    ],
)
def test_the_words_of_progress(shown: View, text: str) -> None:
    assert details(shown) == text


def test_an_empty_file_is_done() -> None:
    assert (view(size=0, done=0).share, view().share) == (1.0, 0.25)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (100, "1:40 min"), (3_599, "59:59 min"), (3_600, "1:00 h"), (360_000, "4 days")],
)
def test_times_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_round_trips_for_people() -> None:
    assert [milliseconds(ns) for ns in (5_000, 1_234_567, 99 * MS, 123_456_789, 2 * S)] == [
        "0.005 ms",
        "1.23 ms",
        "99 ms",
        "123 ms",
        "2000 ms",
    ]


def test_a_name_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\n") == "a?[2Jb?"


def sent(stats: ConnectionStats, *, size: int = 1_000_000) -> SentFile:
    verdict = Verdict("path", "the path")
    return SentFile("a\n", size, bytes(32), 2.0, "host:1", "sw1:x", True, stats, UdpStats(), verdict)


def test_the_loss_leaves_out_what_was_wrongly_taken_for_lost() -> None:
    assert send_report.total_bytes(STATS) == 1_120_200
    assert send_report.loss(STATS) == pytest.approx((112_200 - 2_400) / 1_120_200)
    assert send_report.loss(QUIET) == 0.0
    assert send_report.loss(STATS._replace(spurious_bytes=10_000_000)) == 0.0


def test_the_object_for_programs() -> None:
    record = send_report.record(sent(STATS))
    assert {"bytes", "seconds", "rate", "rtt", "loss", "sent_bytes"} <= record.keys()
    assert (record["bytes"], record["seconds"], record["rate"]) == (1_000_000, 2.0, 500_000.0)
    assert (record["rtt"], record["sent_bytes"], record["limited_by"]) == (0.042, 1_200_000, "path")
    assert (record["congestion"], record["max_rate"]) == ("cubic", None)
    assert send_report.record(sent(STATS._replace(max_rate=7_000)))["max_rate"] == 7_000


def test_the_summary_compares_with_what_nobody_can_do_without() -> None:
    lines = send_report.summary(sent(STATS)).splitlines()
    assert lines[0] == "sent a?: 1.0 MB in 2.000 s, 500.0 kB/s; the receiver has stored it"
    assert lines[2].startswith(
        "loss 9.80%, total/unique bytes 1.1200, 1/(1-p) 1.1087; round trip 42 ms, datagrams of 1450"
    )
    assert lines[3] == "limited by: the path"
    assert len(send_report.summary(sent(QUIET, size=0)).splitlines()) == 4


@pytest.mark.parametrize(
    ("samples", "busy", "reading", "loss", "code"),
    [
        ([QUIET] * 4, 1.0, 1.0, 0.5, "start"),
        ([QUIET._replace(is_app_limited=True)] * 50, 1.0, 1.0, 0.5, "start"),
        ([QUIET] * 10, 0.9, 0.5, 0.0, "source"),
        ([QUIET._replace(is_window_limited=True)] * 6 + [QUIET] * 4, 0.9, 0.1, 0.0, "window"),
        ([QUIET._replace(is_window_limited=True)] * 4 + [QUIET] * 6, 0.9, 0.1, 0.0, "processor"),
        ([QUIET] * 10, 0.8, 0.1, 0.0, "path"),
        ([QUIET] * 10, 0.8, 0.1, 0.2, "path"),
        (LIMITED, 0.9, 0.5, 0.2, "limit"),
        (LIMITED[:4], 0.9, 0.5, 0.2, "start"),
        ([stats._replace(acknowledged=stats.acknowledged * 7 // 10) for stats in LIMITED], 0.1, 0.1, 0.0, "path"),
        ([*LIMITED, *[LIMITED[-1]._replace(max_rate=None)] * 20], 0.1, 0.1, 0.0, "path"),
        ([*[QUIET] * 8, *LIMITED], 0.1, 0.1, 0.0, "limit"),
    ],
)
def test_what_held_it_back(samples: list[ConnectionStats], busy: float, reading: float, loss: float, code: str) -> None:
    bottleneck = Bottleneck()
    for number, stats in enumerate(samples):
        bottleneck.sample(stats, now=number * S // 10)
    verdict = bottleneck.verdict(busy=busy, reading=reading, loss=loss)
    assert verdict.code == code
    assert ("lost 20.0%" in verdict.text) == (loss > 0.1 and code == "path")
