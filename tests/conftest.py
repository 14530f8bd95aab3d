"""Settings that all tests share: how Hypothesis picks its examples, and that interrupts are heard."""

from __future__ import annotations

import signal

from hypothesis import settings

# The same examples on every run and machine, and no verdict that depends on a machine's speed.
settings.register_profile("ci", derandomize=True, deadline=None)
# New examples on each run, to look for what the fixed ones miss: pytest --hypothesis-profile=explore
settings.register_profile("explore", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("ci")


def pytest_configure() -> None:
    """A job that a script starts in the background ignores interrupts, and so would each tool that starts here."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
