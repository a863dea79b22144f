"""One phone and its lines for all attacks: what one leaves behind, the next finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.certificates import Authority
from tests.peers import PEERS

from .attacked import Attacked, simulated_lines
from .far_ends import FarEnd, polite


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all attacks in one worker: the phone costs seconds, and two of them would count each other's load."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("attacks"))


@pytest.fixture(scope="package")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """A phone with calls both ways."""
    settings = {}
    if PEERS["openssl"].present:
        identity = Authority(tmp_path_factory.mktemp("authority")).identity("attacked")
        settings = {"certificate": str(identity.certificate), "key": str(identity.key)}
    with simulated_lines() as lines, FarEnd(polite) as registrar:
        folder = tmp_path_factory.mktemp("attacked")
        phone = Attacked(folder, lines, registrar, **settings)
        try:
            yield phone
        finally:
            phone.close()
