"""Who is let in: versions, suites, limits, cookies; and what it costs to be asked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest

from surewire.core.trains import Address
from surewire.core.units import NS_PER_S
from surewire.errors import ConfigError
from surewire.native.admission import Admission, AdmissionConfig, Admitted, Guest, host_of
from surewire.native.cookies import LIFETIME_S, ROTATION_S, Cookies
from surewire.wire.native_datagram import VERSION, Hello, RefusalCode, Refused, Retry, Versions

S = NS_PER_S
HERE: Address = ("192.0.2.1", 5000)


def hello(*, cookie: bytes = b"", attempt: int = 1, version: int = VERSION, suite: int = 0) -> Hello:
    return Hello(attempt.to_bytes(8, "big"), version, b"clientid", suite, cookie, b"message")


def door(config: AdmissionConfig | None = None, suites: Sequence[int] = (0,), now: int = 0) -> Admission:
    return Admission(suites, config or AdmissionConfig(), rng=random.Random(1), now=now)


def host(number: int) -> Address:
    return (f"198.51.{number // 256}.{number % 256}", 5000)


def let_in(admission: Admission, source: Address, *, now: int = 0) -> Guest:
    """Enter, without a cookie if that is enough, else with one."""
    verdict = admission.judge(hello(), source, now=now)
    if isinstance(verdict, Retry):
        verdict = admission.judge(hello(cookie=verdict.cookie), source, now=now)
    assert isinstance(verdict, Admitted), verdict
    return admission.enter(source, verdict)


# Version and suite.


def test_an_unknown_version_is_told_the_known_ones() -> None:
    assert door(suites=(1, 3)).judge(hello(version=9), HERE, now=0) == Versions(
        b"clientid", hello().dcid, (VERSION,), (1, 3)
    )


def test_an_unknown_suite_is_told_the_known_ones() -> None:
    assert door(suites=(1, 3)).judge(hello(suite=0), HERE, now=0) == Versions(
        b"clientid", hello().dcid, (VERSION,), (1, 3)
    )


def test_a_known_suite_is_let_in_unproven() -> None:
    assert door(suites=(1, 3)).judge(hello(suite=3), HERE, now=0) == Admitted(is_proven=False)


# Cookies.


@pytest.fixture
def always() -> Admission:
    return door(AdmissionConfig(always_validate=True))


def cookie_of(admission: Admission, source: Address = HERE, *, now: int = 0, attempt: int = 1) -> bytes:
    verdict = admission.judge(hello(attempt=attempt), source, now=now)
    assert isinstance(verdict, Retry)
    assert verdict.dcid == b"clientid" and verdict.scid == attempt.to_bytes(8, "big")
    return verdict.cookie


def test_a_cookie_proves_the_address(always: Admission) -> None:
    cookie = cookie_of(always)
    assert len(cookie) <= 64
    assert always.judge(hello(cookie=cookie), HERE, now=0) == Admitted(is_proven=True)
    assert always.wrong_cookies == 0


@pytest.mark.parametrize(
    ("changed", "source"),
    [
        (hello(attempt=2), HERE),
        (hello()._replace(scid=b"otherid!"), HERE),
        (hello(suite=1), HERE),
        (hello(), ("192.0.2.1", 5001)),
        (hello(), ("192.0.2.2", 5000)),
    ],
    ids=["attempt", "client id", "suite", "port", "host"],
)
def test_a_cookie_is_good_for_one_hello_and_one_address(changed: Hello, source: Address) -> None:
    admission = door(AdmissionConfig(always_validate=True), suites=(0, 1))
    cookie = cookie_of(admission)
    assert isinstance(admission.judge(changed._replace(cookie=cookie), source, now=0), Retry)
    assert admission.wrong_cookies == 1
    assert admission.judge(hello(cookie=cookie), HERE, now=0) == Admitted(is_proven=True)


def test_each_bit_of_a_cookie_counts(always: Admission) -> None:
    cookie = cookie_of(always)
    for bit in range(8 * len(cookie)):
        forged = (int.from_bytes(cookie, "big") ^ 1 << bit).to_bytes(len(cookie), "big")
        assert isinstance(always.judge(hello(cookie=forged), HERE, now=0), Retry)
    for wrong in (cookie[:-1], cookie + b"\0", b"x", bytes(64)):
        assert isinstance(always.judge(hello(cookie=wrong), HERE, now=0), Retry)


def test_a_cookie_lives_ten_seconds(always: Admission) -> None:
    cookie = cookie_of(always, now=5 * S)
    assert isinstance(always.judge(hello(cookie=cookie), HERE, now=(5 + LIFETIME_S) * S), Admitted)
    assert isinstance(always.judge(hello(cookie=cookie), HERE, now=(6 + LIFETIME_S) * S), Retry)


def test_a_cookie_of_the_future_is_none(always: Admission) -> None:
    cookie = cookie_of(always, now=50 * S)
    assert isinstance(always.judge(hello(cookie=cookie), HERE, now=48 * S), Retry)


def test_the_secret_changes_and_cookies_outlive_the_change(always: Admission) -> None:
    before = cookie_of(always, now=(ROTATION_S - 1) * S)
    after = cookie_of(always, now=ROTATION_S * S)
    assert before[4:] != after[4:]
    for cookie in (before, after):
        assert isinstance(always.judge(hello(cookie=cookie), HERE, now=(ROTATION_S + 5) * S), Admitted)


def test_a_secret_is_drawn_for_each_minute_with_cookies_and_two_are_kept() -> None:
    class Counting(random.Random):
        drawn = 0

        def randbytes(self, n: int) -> bytes:
            self.drawn += 1
            return super().randbytes(n)

    rng = Counting(1)
    cookies = Cookies(rng, now=0)
    made = {cookies.make(hello(), HERE, now=second * S)[4:] for second in range(0, 5 * ROTATION_S, 10)}
    assert rng.drawn == 5
    assert cookies.kept_secrets == 2
    assert len(made) == 30  # stamp and secret both enter


def test_another_server_does_not_know_the_cookie(always: Admission) -> None:
    other = Admission((0,), AdmissionConfig(always_validate=True), rng=random.Random(2), now=0)
    cookie_of(other)
    assert isinstance(other.judge(hello(cookie=cookie_of(always)), HERE, now=0), Retry)


def test_a_wrong_cookie_does_no_harm_when_none_is_needed() -> None:
    assert door().judge(hello(cookie=b"from before the restart"), HERE, now=0) == Admitted(is_proven=False)


# When a cookie is needed.


def test_many_unproven_guests_make_cookies_necessary() -> None:
    admission = door(AdmissionConfig(max_unproven=5))
    guests = [let_in(admission, host(number)) for number in range(5)]
    assert admission.unproven == 5 and not any(guest.is_proven for guest in guests)
    assert isinstance(admission.judge(hello(), host(6), now=0), Retry)
    assert let_in(admission, host(6)).is_proven
    admission.leave(guests[0])
    assert admission.judge(hello(), host(7), now=0) == Admitted(is_proven=False)


def test_an_established_guest_is_proven() -> None:
    admission = door(AdmissionConfig(max_unproven=1))
    guest = let_in(admission, HERE)
    assert isinstance(admission.judge(hello(), host(1), now=0), Retry)
    admission.on_established(guest)
    assert guest.is_proven and not guest.is_half_open
    assert admission.judge(hello(), host(1), now=0) == Admitted(is_proven=False)


def test_many_in_a_second_make_cookies_necessary() -> None:
    admission = door(AdmissionConfig(max_unproven_per_s=3))
    for number in range(3):
        assert isinstance(admission.judge(hello(), host(number), now=S), Admitted)
    assert isinstance(admission.judge(hello(), host(4), now=2 * S - 1), Retry)
    assert isinstance(admission.judge(hello(), host(4), now=2 * S), Admitted)


def test_forged_hellos_of_one_address_make_a_cookie_necessary_there_only() -> None:
    admission = door(AdmissionConfig(max_unproven_per_address=2))
    for port in (1, 2):
        let_in(admission, ("192.0.2.1", port))
    assert isinstance(admission.judge(hello(), HERE, now=0), Retry)
    assert let_in(admission, HERE).is_proven
    assert admission.judge(hello(), host(1), now=0) == Admitted(is_proven=False)


# Limits.


def refusal(admission: Admission, source: Address) -> RefusalCode | str | None:
    """How somebody is refused, who brings a cookie if asked."""
    verdict = admission.judge(hello(), source, now=0)
    if isinstance(verdict, Retry):
        verdict = admission.judge(hello(cookie=verdict.cookie), source, now=0)
    if isinstance(verdict, Admitted):
        return None
    if verdict is None:
        return "later"
    assert isinstance(verdict, Refused)
    assert (verdict.dcid, verdict.scid) == (b"clientid", hello().dcid) and verdict.text
    return RefusalCode(verdict.code)


def test_no_more_than_so_many_connections() -> None:
    admission = door(AdmissionConfig(max_connections=3))
    guests = [let_in(admission, host(number)) for number in range(3)]
    assert refusal(admission, HERE) is RefusalCode.FULL
    admission.leave(guests[1])
    assert refusal(admission, HERE) is None


def test_no_more_than_so_many_of_one_address() -> None:
    admission = door(AdmissionConfig(max_per_address=2))
    for port in (1, 2):
        admission.on_established(let_in(admission, ("192.0.2.1", port)))
    assert refusal(admission, HERE) is RefusalCode.ADDRESS_LIMIT
    assert refusal(admission, host(1)) is None


def test_forged_hellos_do_not_fill_the_limit_of_an_address() -> None:
    admission = door(AdmissionConfig(max_per_address=2, max_half_open_per_address=2, max_unproven_per_address=8))
    for port in range(8):
        let_in(admission, ("192.0.2.1", port))
    assert refusal(admission, HERE) is None


def test_no_more_than_so_many_half_open_ones() -> None:
    admission = door(AdmissionConfig(max_half_open=4, max_unproven=2))
    guests = [let_in(admission, host(number)) for number in range(4)]
    assert [guest.is_proven for guest in guests] == [False, False, True, True]
    assert refusal(admission, HERE) == "later"
    admission.on_established(guests[0])
    assert refusal(admission, HERE) is None


def test_unproven_guests_leave_half_open_places_to_others() -> None:
    admission = door(AdmissionConfig(max_half_open=4, max_unproven=3))
    for number in range(3):
        let_in(admission, host(number))
    assert let_in(admission, HERE).is_proven
    with pytest.raises(ConfigError, match="max_unproven must be below"):
        AdmissionConfig(max_half_open=4, max_unproven=4)


def test_half_open_places_taken_by_proven_guests_are_not_for_unproven_ones() -> None:
    admission = door(AdmissionConfig(max_half_open=3, max_unproven=2, max_unproven_per_s=1))
    admission.leave(let_in(admission, host(0)))
    guests = [let_in(admission, host(number)) for number in range(3)]
    assert all(guest.is_proven for guest in guests)
    assert isinstance(admission.judge(hello(), HERE, now=S), Retry)
    admission.leave(guests[0])
    assert admission.judge(hello(), HERE, now=S) == Admitted(is_proven=False)


def test_no_more_than_so_many_half_open_ones_of_one_address() -> None:
    admission = door(AdmissionConfig(max_half_open_per_address=2, always_validate=True))
    first = let_in(admission, ("192.0.2.1", 1))
    let_in(admission, ("192.0.2.1", 2))
    assert refusal(admission, HERE) == "later"
    assert refusal(admission, host(1)) is None
    admission.on_established(first)
    assert refusal(admission, HERE) is None


def test_an_application_that_takes_nobody_is_full() -> None:
    admission = door(AdmissionConfig(max_waiting=2))
    guests = [let_in(admission, host(number)) for number in range(2)]
    for guest in guests:
        admission.on_established(guest)
    assert refusal(admission, HERE) is RefusalCode.FULL
    admission.leave(guests[0])  # what it brought can still be read, so it still waits
    assert refusal(admission, HERE) is RefusalCode.FULL
    admission.on_taken(guests[0])
    admission.on_taken(guests[0])
    assert admission.waiting == 1
    assert refusal(admission, HERE) is None


def test_nobody_is_let_in_after_closing() -> None:
    admission = door()
    admission.is_open = False
    assert refusal(admission, HERE) is RefusalCode.CLOSING


@pytest.mark.parametrize("name", ["max_connections", "max_waiting", "handshake_timeout", "max_per_address"])
def test_a_limit_of_zero_is_refused(name: str) -> None:
    limits: dict[str, Any] = {name: 0}
    with pytest.raises(ConfigError, match=f"{name} must be at least 1"):
        AdmissionConfig(**limits)


# What is kept.


def test_nothing_is_kept_of_addresses_without_a_guest() -> None:
    admission = door(AdmissionConfig(max_unproven=5))
    guests = [let_in(admission, host(number)) for number in range(5)]
    for number in range(2_000):
        assert isinstance(admission.judge(hello(attempt=number), host(number), now=0), Retry)
    assert admission.hosts == 5
    for guest in guests:
        admission.leave(guest)
    assert (admission.hosts, admission.guests, admission.half_open) == (0, 0, 0)


def test_counts_are_those_of_the_guests_whatever_they_do() -> None:
    rng = random.Random(5)
    admission = door(AdmissionConfig(max_unproven=20, max_unproven_per_address=3, max_unproven_per_s=10**6))
    guests: list[Guest] = []
    for step in range(4_000):
        choice = rng.random()
        if choice < 0.4 and len(guests) < 100:
            guests.append(let_in(admission, host(rng.randrange(30)), now=step))
        elif guests and choice < 0.7:
            guest = rng.choice(guests)
            if guest.is_half_open:
                admission.on_established(guest)
            else:
                admission.on_taken(guest)
        elif guests:
            gone = guests.pop(rng.randrange(len(guests)))
            admission.leave(gone)
            admission.on_taken(gone)
        assert admission.guests == len(guests)
        assert admission.half_open == sum(guest.is_half_open for guest in guests)
        assert admission.unproven == sum(not guest.is_proven for guest in guests)
        assert admission.waiting == sum(guest.is_waiting for guest in guests)
        assert admission.hosts == len({guest.host for guest in guests})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (("192.0.2.1", 5), "192.0.2.1"),
        (("::ffff:192.0.2.1", 5), "192.0.2.1"),
        (("2001:db8:1:2:3::4", 5), bytes.fromhex("20010db800010002")),
        (("2001:db8:1:2::9", 7), bytes.fromhex("20010db800010002")),
        (("fe80::1%eth0", 5), bytes.fromhex("fe80000000000000")),
        (("not:an:address", 5), "not:an:address"),
        ("socket path", "socket path"),
        ((), ()),
        ((7, 8), 7),
    ],
)
def test_hosts(source: Address, expected: Address) -> None:
    assert host_of(source) == expected
