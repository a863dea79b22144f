"""What every test has: the `peer` marker."""

from __future__ import annotations

import os

import pytest

from tests.peers import PEERS


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
