"""What every test has: the `peer` marker, and hypothesis without deadlines."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.peers import PEERS

# No test is timed: machines are noisy, and the first example pays for what is loaded late.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose foreign program is missing; on the build machine that is a failure."""
    for marker in item.iter_markers("peer"):
        for name in marker.args:
            if PEERS[name].present:
                continue
            reason = f"{name} is missing (`make peers` installs it)"
            if os.environ.get("CI") == "true":
                pytest.fail(reason, pytrace=False)
            pytest.skip(reason)
