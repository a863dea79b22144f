"""A pytest plugin that counts what the tests proved: `-p tests.interop.matrix_plugin --interop-results FILE`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PROPERTY = "interop"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--interop-results", type=Path, help="where the counts are written, as JSON")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Let the report of a test carry its markers, also from another process."""
    report: Any = yield
    for marker in item.iter_markers("interop"):
        peer, *features = marker.args
        report.user_properties += [(PROPERTY, [peer, feature]) for feature in features if call.when == "call"]
    return report


class Counted:
    """The outcomes of one run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.passed: Counter[tuple[str, str]] = Counter()
        self.failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)
        elif report.when == "call" and report.passed:
            cells = {tuple(value) for name, value in report.user_properties if name == PROPERTY}
            self.passed.update(cells)

    def pytest_sessionfinish(self) -> None:
        cells = [[peer, feature, count] for (peer, feature), count in sorted(self.passed.items())]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps({"passed": cells, "failed": self.failed}), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--interop-results")
    # The workers of a distributed run report to the one process that counts.
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Counted(path))
