"""Which failure gives which exit status, and that every status is explained where it can happen."""

from __future__ import annotations

import re

import pytest

from surewire import errors
from surewire.apps import exit_codes
from surewire.apps.file_receiving import RefusedHere
from surewire.apps.file_sending import RefusedByReceiver
from surewire.transfer.messages import Refusal


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ConfigError(), exit_codes.USAGE),
        (errors.SourceChanged(), exit_codes.FILE),
        (errors.DestinationError(), exit_codes.FILE),
        (RefusedHere("room", "full"), exit_codes.FILE),
        (exit_codes.AddressError(), exit_codes.ADDRESS),
        (errors.HandshakeTimeout(), exit_codes.NO_ANSWER),
        (errors.Refused(), exit_codes.NO_ANSWER),
        (RefusedByReceiver(Refusal("room", "full")), exit_codes.LOST),
        (errors.Reset(), exit_codes.LOST),
        (errors.IdleTimeout(), exit_codes.LOST),
        (errors.Unconfirmed(), exit_codes.LOST),
        (errors.RemoteProtocolError(), exit_codes.LOST),
        (errors.DigestMismatch(), exit_codes.DIGEST),
        (errors.HandshakeFailed(), exit_codes.UNTRUSTED),
        (errors.UntrustedServer(), exit_codes.UNTRUSTED),
        (errors.Aborted(), exit_codes.INTERRUPTED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_status_of_an_error(error: errors.SurewireError, status: int) -> None:
    assert exit_codes.exit_code(error) == status


@pytest.mark.parametrize(
    ("epilog", "missing"),
    [
        (exit_codes.EPILOG, {exit_codes.UNTRUSTED}),  # RDP has no keys
        (exit_codes.SEND_EPILOG, set()),
        (exit_codes.RECV_EPILOG, {exit_codes.NO_ANSWER, exit_codes.UNTRUSTED}),  # strangers are not told of
    ],
)
def test_every_status_is_explained(epilog: str, missing: set[int]) -> None:
    statuses = {value for name, value in vars(exit_codes).items() if name.isupper() and isinstance(value, int)}
    explained = {int(number) for number in re.findall(r"^  (\d+) ", epilog, re.M)}
    assert explained == statuses - missing - {exit_codes.NO_READER}
    assert all(len(line) <= 82 for line in epilog.splitlines())
