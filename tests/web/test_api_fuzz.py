"""No request, however odd, makes the service fail; every refusal is a problem that the description names."""

from __future__ import annotations

import uuid
from contextlib import ExitStack

import pytest

from app.settings import Settings
from tests.peers import PEERS
from tests.web.migrated import migrate

EXAMPLES = 3
"""Requests for each operation; `python -m benchmarks.api_fuzz` sends many more."""


@pytest.fixture
def each_settings(settings: Settings, request: pytest.FixtureRequest) -> list[Settings]:
    """Settings on a migrated database of each kind that is there."""
    found = [settings]
    if PEERS["postgresql"].present:
        server = request.getfixturevalue("postgres_server")
        data_dir = settings.data_dir.with_name("other")
        url = f"{server}/t{uuid.uuid4().hex}"
        found.append(settings.model_copy(update={"data_dir": data_dir, "database_url": url}))
    for one in found:
        migrate(one)
    return found


@pytest.mark.timeout(600)
def test_nothing_makes_the_service_fail(each_settings: list[Settings]) -> None:
    # Its library takes seconds to load, which every worker would spend for this one test.
    from tests.web.api_fuzz import faults, service

    with ExitStack() as stack:
        opened = [stack.enter_context(service(one)) for one in each_settings]
        found = faults(opened, EXAMPLES)
    assert not found, "\n".join(f"{fault.operation}: {fault.what}" for fault in found)
