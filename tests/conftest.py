"""What every test has: the `peer` marker, and hypothesis without deadlines."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.peers import PEERS, skip_for

# No test is timed: machines are noisy, and the first example pays for what is loaded late.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


COSTLY = (
    "test_media_changes",
    "test_media_digits",
    "test_media_engine",
    "test_media_gate",
    "test_media_packet_log",
    "test_media_rtcp",
    "test_media_srtp",
    "test_media_time",
    "test_phone_samples",
    "test_progress_samples",
)
"""Modules whose fixture costs seconds: their tests share a worker, so that it is made once and not six times."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a costly module together."""
    for item in items:
        module = item.path.stem
        if module in COSTLY:
            item.add_marker(pytest.mark.xdist_group(module))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run apart what belongs together: without its group a module of costly fixtures makes them six times."""
    if getattr(session.config.option, "loadgroup", False):
        apart = [
            item.nodeid
            for item in session.items
            if item.get_closest_marker("xdist_group") and "@" not in item.nodeid
        ]
        if apart:
            raise pytest.UsageError(f"pytest-xdist keeps no groups together with this pytest: {apart[0]}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose foreign program is missing; on the build machine that is a failure."""
    for marker in item.iter_markers("peer"):
        for name in marker.args:
            if PEERS[name].present:
                continue
            skip_for(f"{name} is missing (`make peers` installs it)")
