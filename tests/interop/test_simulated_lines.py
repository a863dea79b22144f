"""Every simulated line, called for real over loopback: what the phone says must be what the line does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import soundfile

from sip.record import CallRecord
from sip.simulator import BEHAVIOURS, Behaviour, differences
from tests.interop.simulated_lines import call_all, simulator

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("simulated_lines")]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CallRecord]:
    """The records of one round of all lines at once."""
    with simulator() as where:
        return asyncio.run(call_all(where, tmp_path_factory.mktemp("captures")))


def all_lines() -> list[object]:
    return [pytest.param(behaviour, id=behaviour.name) for behaviour in BEHAVIOURS.values()]


@pytest.mark.parametrize("behaviour", all_lines())
def test_record_is_what_the_line_does(behaviour: Behaviour, records: dict[str, CallRecord]) -> None:
    record = records[behaviour.extension]
    assert differences(behaviour.expect, record) == ()
    assert not record.errors


@pytest.mark.parametrize("behaviour", all_lines())
def test_recording_is_the_whole_call_in_stereo(behaviour: Behaviour, records: dict[str, CallRecord]) -> None:
    record = records[behaviour.extension]
    assert record.recording is not None
    info = soundfile.info(record.recording.path)
    assert (info.channels, info.samplerate) == (2, 8000)
    assert info.frames / 8 == pytest.approx(record.ended_ms, abs=20)
    assert Path(record.recording.path).stat().st_size > 0


def test_nothing_was_lost_on_loopback(records: dict[str, CallRecord]) -> None:
    with_media = [r for r in records.values() if r.media.received]
    assert with_media
    assert sum(r.media.lost for r in with_media) == 0
    assert all(
        r.timeline[0].fields.get("method") == "INVITE" and r.timeline[0].t_ms == 0.0 for r in records.values()
    )
