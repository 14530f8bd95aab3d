"""Settings that all tests share: how Hypothesis picks its examples."""

from __future__ import annotations

from hypothesis import settings

# The same examples on every run and machine, and no verdict that depends on a machine's speed.
settings.register_profile("ci", derandomize=True, deadline=None)
# New examples on each run, to look for what the fixed ones miss: pytest --hypothesis-profile=explore
settings.register_profile("explore", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("ci")
