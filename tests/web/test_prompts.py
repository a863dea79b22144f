"""Prompts: what may be uploaded, who may approve, what is shipped."""

from __future__ import annotations

import contextlib
from pathlib import Path

import httpx
import pytest
import soundfile
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.database import Database
from app.errors import BadInputError
from app.planning import prompts, repository
from app.settings import Settings
from tests.web.planning_office import BOSS, WHO, api, enter_prompts, tone

WORDS = {"kind": "opening", "name": "开场", "words": "您好，这里是总值班室，抽查，录音。"}


async def upload(client: httpx.AsyncClient, content: bytes, **changed: str) -> httpx.Response:
    return await client.post("/api/v1/prompts", params=WORDS | changed, content=content)


async def test_an_upload_becomes_telephone_sound(either: Database, settings: Settings) -> None:
    async with api(settings, either) as client:
        told = (await upload(client, tone(3.0, 44_100, "FLAC"))).json()
        assert told["duration_ms"] == pytest.approx(3000, abs=1)
        assert (told["created_by"], told["approved_at"]) == ("clerk", None)
        sound = await client.get(f"/api/v1/prompts/{told['id']}/sound")
        assert sound.headers["content-type"] == "audio/flac"
        kept = settings.data_dir / "prompts" / f"{told['sha256']}.flac"
        assert kept.read_bytes() == sound.content
        assert kept.stat().st_mode & 0o077 == 0
        samples, rate = soundfile.read(kept)
        assert (samples.ndim, rate, len(samples)) == (1, 8000, 24_000)
        (listed,) = (await client.get("/api/v1/prompts?kind=opening")).json()["items"]
        assert listed == told
        assert (await client.get("/api/v1/prompts?usable=true")).json()["items"] == []


async def test_only_another_person_approves(either: Database, settings: Settings) -> None:
    async with api(settings, either) as client:
        key = (await upload(client, tone())).json()["id"]
        own = await client.post(f"/api/v1/prompts/{key}/approve", headers=WHO)
        assert (own.status_code, own.headers["content-type"]) == (403, "application/problem+json")
        approved = (await client.post(f"/api/v1/prompts/{key}/approve", headers=BOSS)).json()
        assert approved["approved_by"] == "boss"
        assert [row["id"] for row in (await client.get("/api/v1/prompts?usable=true")).json()["items"]] == [
            key
        ]
        assert (await client.post(f"/api/v1/prompts/{key}/retire", headers=WHO)).json()["retired_at"]
        assert (await client.get("/api/v1/prompts?usable=true")).json()["items"] == []
        other = (await upload(client, tone())).json()["id"]
        await client.post(f"/api/v1/prompts/{other}/retire")
        late = await client.post(f"/api/v1/prompts/{other}/approve", headers=BOSS)
        assert late.status_code == 409
        assert (await client.post("/api/v1/prompts/999/approve", headers=BOSS)).status_code == 404


REFUSED = [
    (b"", "no WAV or FLAC"),
    (b"RIFF\x00\x00\x00\x00WAVEfmt ", "no WAV or FLAC"),
    (tone(form="OGG"), "WAV or FLAC"),
    (tone(20.5), "at most 20 s"),
    (tone(2.0, silent_s=9.0), "silent"),
    (tone(2.0, silent_s=1.0), "begins only after 1.0 s"),
    (bytes(prompts.MOST_BYTES + 1), "more than 8 MiB"),
]


async def test_what_cannot_be_played_is_refused_with_the_reason(
    database: Database, settings: Settings
) -> None:
    async with api(settings, database) as client:
        for content, reason in REFUSED:
            answer = await upload(client, content)
            assert answer.status_code == 422, reason
            assert reason in answer.json()["detail"]
            assert answer.json()["errors"][0]["where"] == "body"
        assert not (settings.data_dir / "prompts").exists()
        # A closing may begin late.
        assert (await upload(client, tone(silent_s=1.0), kind="closing")).status_code == 201


@hypothesis_settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 255))
def test_no_bytes_are_more_than_refused(noise: bytes, place: int, value: int) -> None:
    """Whatever is sent is a sound of at most 20 s or a `BadInputError`."""
    spoiled = bytearray(tone(0.5))
    spoiled[place] = value
    for content in (noise, bytes(spoiled), bytes(spoiled)[: 40 + place]):
        with contextlib.suppress(BadInputError):
            assert 0 < prompts.read_sound(content, "closing").duration_ms <= 20_000


async def test_the_shipped_prompts_are_entered_once_and_unapproved(
    either: Database, settings: Settings
) -> None:
    async with api(settings, either) as client:
        added = (await client.post("/api/v1/prompts/shipped")).json()
        assert [row["kind"] for row in added] == ["opening", "closing"]
        assert all(row["approved_at"] is None for row in added)
        assert (await client.post("/api/v1/prompts/shipped")).json() == []
        opening, closing = added
        assert opening["duration_ms"] <= 9_000
        for said in ("总值班室", "抽查", "录音", "挂机", "公布", "核实"):
            assert said in opening["words"]
        assert closing["duration_ms"] <= 4_000


async def test_the_newest_approved_prompt_is_the_one_in_use(either: Database, settings: Settings) -> None:
    opening, _ = await enter_prompts(either, settings)
    async with either.unit_of_work() as session:
        later = await prompts.add(session, settings.data_dir, "opening", "新", "新词", tone(), "clerk")
        found = await repository.newest_prompt(session, "opening")
        assert found is not None
        assert found.id == opening
        assert prompts.fault_of(later, "opening") == f"prompt {later.id} is not approved yet"
        await prompts.approve(session, later.id, "boss")
        found = await repository.newest_prompt(session, "opening")
        assert found is not None
        assert found.id == later.id
        assert "no closing" in (prompts.fault_of(later, "closing") or "")
        await prompts.retire(session, later.id, "boss")
        assert "retired" in (prompts.fault_of(later, "opening") or "")
    assert Path(settings.data_dir / later.path).is_file()
