"""Twenty thousand spoilt packets of signalling, and as many of sound, against a phone with calls in progress.

A failure names its seed: `python -m tests.fuzz.under_fire --fire sip --seed N` repeats it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.fuzz.comparing import differences
from tests.fuzz.under_fire import LINES, Result, run

pytestmark = [pytest.mark.timeout(280), pytest.mark.xdist_group("under_fire")]
SEED = 8
PACKETS = 20_000


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The same calls in peace."""
    return asyncio.run(run("none", 0, 0, tmp_path_factory.mktemp("peace")))


def test_the_calls_in_peace_are_what_they_should_be(control: Result) -> None:
    assert {record.outcome for record in control.records.values()} == {"answered"}
    assert [control.records[name].ended_by for name in LINES] == ["them", "them", "us", "us", "us", "us"]
    assert min(control.whole.values()) > 0.99
    assert differences(control, control, "none") == []


async def test_spoilt_signalling_changes_no_call(control: Result, tmp_path: Path) -> None:
    result = await run("sip", PACKETS, SEED, tmp_path)
    assert differences(control, result, "sip") == []
    assert min(result.fired[way] for way in ("from the lines", "from others", "by TCP")) > PACKETS / 100
    assert result.fired.total() - result.fired["left out"] > 0.98 * PACKETS


async def test_spoilt_sound_changes_no_call(control: Result, tmp_path: Path) -> None:
    result = await run("media", PACKETS, SEED, tmp_path)
    assert differences(control, result, "media") == []
    # On a slow machine the lines hang up before half of the packets are sent; what is left comes from others.
    assert min(result.fired[way] for way in ("from the lines", "from others")) > PACKETS / 20
