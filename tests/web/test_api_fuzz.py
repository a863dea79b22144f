"""No request, however odd, makes the service fail; every refusal is a problem that the description names."""

from __future__ import annotations

import pytest

from app.database import Database
from app.settings import Settings
from tests.web.api_fuzz import faults, service

EXAMPLES = {"sqlite": 4, "postgresql": 2}
"""Requests for each operation; `python -m benchmarks.api_fuzz` sends many more."""


@pytest.mark.timeout(600)
def test_nothing_makes_the_service_fail(either_settings: Settings, either: Database) -> None:
    asked = either_settings.model_copy(update={"phone_process": False, "allowed_hosts": ("testserver",)})
    with service(asked) as opened:
        found = faults(opened, EXAMPLES[either.engine.dialect.name])
    assert not found, "\n".join(f"{fault.operation}: {fault.what}" for fault in found)
