"""Recordings as they are heard: ranges, copies, peaks, clips, and what was withdrawn."""

from __future__ import annotations

import asyncio
import io
from urllib.parse import unquote

import httpx
import pytest
import soundfile
from sqlalchemy import select, update

from app import clock
from app.accounts.models import AuditEvent
from app.archive import open_archive
from app.checks.models import Recording
from app.database import Database
from app.settings import Settings
from tests.web.bundles import recorded, serving, sweep

KEY = "11" * 32


async def audit_lines(database: Database, recording: Recording) -> list[tuple[str, str, str]]:
    query = (
        select(AuditEvent).where(AuditEvent.subject == f"recording:{recording.id}").order_by(AuditEvent.id)
    )
    async with database.reading() as session:
        return [(row.who, row.action, row.detail) for row in (await session.scalars(query)).all()]


async def withdraw(database: Database, recording: Recording) -> None:
    async with database.unit_of_work() as session:
        gone = {"gone_at": clock.now(), "gone_why": "withdrawn", "gone_by": "李", "gone_reason": "r"}
        await session.execute(update(Recording).where(Recording.id == recording.id).values(**gone))


def file_name(answer: httpx.Response) -> str:
    return unquote(answer.headers["content-disposition"].partition("filename*=UTF-8''")[2])


@pytest.fixture(params=["plain", "encrypted"])
def kept(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """Settings of an archive that is encrypted, or not."""
    return Settings(
        data_dir=settings.data_dir, phone_process=False, allowed_hosts=("testserver",),
        recordings_key=KEY if request.param == "encrypted" else None,
    )  # fmt: skip


async def test_ranges_of_what_is_in_the_archive(kept: Settings, database: Database) -> None:
    recording = await recorded(database, kept, 30.0)
    sound = open_archive(kept).read(recording.path, recording.sha256)
    size = len(sound)
    assert size > 131_080
    async with serving(kept) as client:
        address = f"http://testserver/recordings/{recording.id}"
        whole = await client.get(address)
        assert (whole.status_code, whole.content) == (200, sound)
        assert whole.headers["content-length"] == str(size)
        for asked, first, last in (
            ("0-0", 0, 0),
            ("65530-131080", 65_530, 131_080),
            ("-9", size - 9, size - 1),
        ):
            part = await client.get(
                address, headers={"Range": f"bytes={asked}", "If-Range": f'"{recording.sha256}"'}
            )
            assert part.status_code == 206
            assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
            assert part.content == sound[first : last + 1]
        several = await client.get(address, headers={"Range": "bytes=0-1,5-6"})
        assert (several.status_code, len(several.content)) == (200, size)
        weak = await client.get(
            address, headers={"Range": "bytes=0-1", "If-Range": f'W/"{recording.sha256}"'}
        )
        assert weak.status_code == 200
        head = await client.head(address, headers={"Range": "bytes=0-1"})
        assert (head.status_code, head.headers["content-length"], head.content) == (200, str(size), b"")
    assert [action for _, action, _ in await audit_lines(database, recording)] == ["play"] * 6


async def test_a_range_reads_only_what_it_needs(settings: Settings, database: Database) -> None:
    encrypted = settings.model_copy(update={"recordings_key": Settings(recordings_key=KEY).recordings_key})
    recording = await recorded(database, encrypted, 30.0)
    path = encrypted.recordings_dir / recording.path
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    async with serving(encrypted) as client:
        address = f"http://testserver/recordings/{recording.id}"
        assert (await client.get(address, headers={"Range": "bytes=0-99"})).status_code == 206
        broken = await client.get(address, headers={"Range": "bytes=-9"})
        assert broken.status_code == 503
        assert "与入库时不符" in broken.text
    assert len(await audit_lines(database, recording)) == 1


async def test_nothing_is_made_of_a_recording_that_was_changed(
    settings: Settings, database: Database
) -> None:
    recording = await recorded(database, settings)
    path = settings.recordings_dir / recording.path
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    async with serving(settings) as client:
        address = f"/recordings/{recording.id}"
        for part in (
            f"{address}/peaks",
            f"{address}/clip?from_ms=0&to_ms=100",
            f"http://testserver{address}?format=opus",
        ):
            refused = await client.get(part)
            assert (refused.status_code, "与入库时不符" in refused.text) == (503, True), part
    assert await audit_lines(database, recording) == []
    assert list(open_archive(settings).vault.keys("derived")) == []


async def test_what_is_withdrawn_is_gone_between_two_ranges(
    either_settings: Settings, either: Database
) -> None:
    recording = await recorded(either, either_settings)
    async with serving(either_settings) as client:
        address = f"http://testserver/recordings/{recording.id}"
        assert (await client.get(address, headers={"Range": "bytes=0-99"})).status_code == 206
        await withdraw(either, recording)
        page = await client.get(address, headers={"Range": "bytes=100-199"})
        assert page.status_code == 410
        assert "已封存" in page.text
        assert recording.sha256 in page.text
        assert (await client.head(address)).status_code == 410
        for path in ("peaks", "clip?from_ms=0&to_ms=100"):
            problem = await client.get(f"/recordings/{recording.id}/{path}")
            assert (problem.status_code, problem.headers["content-type"]) == (410, "application/problem+json")
            assert "已封存" in problem.json()["detail"]
        assert (await client.get("/recordings/99/peaks")).status_code == 404
    assert len(await audit_lines(either, recording)) == 1


async def test_a_copy_is_made_once_and_kept(kept: Settings, database: Database) -> None:
    recording = await recorded(database, kept)
    async with serving(kept) as client:
        address = f"http://testserver/recordings/{recording.id}"
        head = await client.head(address, params={"format": "opus"})
        assert head.headers["content-type"] == "audio/ogg; codecs=opus"
        assert open_archive(kept).derived(recording.sha256, "copy.ogg") is None
        answers = await asyncio.gather(*(client.get(address, params={"format": "opus"}) for _ in range(10)))
        assert len({answer.content for answer in answers}) == 1
        copy = answers[0].content
        assert copy[:4] == b"OggS"
        assert open_archive(kept).derived(recording.sha256, "copy.ogg") == copy
        part = await client.get(address, params={"format": "opus"}, headers={"Range": "bytes=4-9"})
        assert (part.status_code, part.content) == (206, copy[4:10])
        assert part.headers["etag"] != f'"{recording.sha256}"'
        mp3 = await client.get(address, params={"format": "mp3", "download": "1"})
        assert mp3.headers["content-type"] == "audio/mpeg"
        assert file_name(mp3) == "抽查录音-000001.mp3"
        assert (await client.get(address, params={"format": "aac"})).status_code == 422
    lines = await audit_lines(database, recording)
    assert lines[-2:] == [
        ("李值班", "play", "format=opus bytes=4-9"),
        ("李值班", "download", "format=mp3"),
    ]
    files = [path for path in (kept.recordings_dir).rglob("*") if path.is_file()]
    if kept.recordings_key is not None:
        assert not any(b"OggS" in path.read_bytes() or b"fLaC" in path.read_bytes() for path in files)


async def test_a_failing_converter_takes_only_its_copy(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await recorded(database, settings)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/bin/false")
    async with serving(settings) as client:
        address = f"http://testserver/recordings/{recording.id}"
        failed = await client.get(address, params={"format": "mp3"})
        assert failed.status_code == 503
        assert "请收听 FLAC 原件" in failed.text
        assert await audit_lines(database, recording) == []
        assert (await client.get(address)).status_code == 200


@pytest.mark.parametrize(("where", "status"), [("database", 410), ("archive", 404)])
async def test_a_copy_of_what_goes_meanwhile_is_not_kept(
    settings: Settings, database: Database, where: str, status: int
) -> None:
    recording = await recorded(database, settings)
    archive = open_archive(settings)
    async with serving(settings) as client:
        address = f"http://testserver/recordings/{recording.id}"
        making = asyncio.ensure_future(client.get(address, params={"format": "mp3"}))
        while not client.app.state.copies._jobs:  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        if where == "database":
            await withdraw(database, recording)
        else:
            archive.erase(recording.path, recording.sha256, "withdrawn", "r", "李")
        assert (await making).status_code == status
    assert archive.derived(recording.sha256, "copy.mp3") is None
    assert await audit_lines(database, recording) == []


async def test_peaks(settings: Settings, database: Database) -> None:
    recording = await recorded(database, settings)
    async with serving(settings) as client:
        address = f"/recordings/{recording.id}/peaks"
        answer = await client.get(address)
        told = answer.json()
        assert (told["duration_ms"], told["per_second"]) == (12_000.0, 50)
        assert len(told["channels"]["us"]) == len(told["channels"]["them"]) == 12 * 50 * 2
        sound = sweep(12.0)[160 * 7 : 160 * 8, 1] / 256
        assert told["channels"]["them"][14:16] == [round(sound.min()), round(sound.max())]
        same = await client.get(address, headers={"If-None-Match": answer.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        assert len((await client.get(address, params={"per_second": 1})).json()["channels"]["us"]) == 24
        wrong = await client.get(address, params={"per_second": 3})
        assert wrong.json()["errors"][0]["where"] == "query.per_second"
    assert open_archive(settings).derived(recording.sha256, "peaks") is not None
    assert await audit_lines(database, recording) == []


async def test_clips(settings: Settings, database: Database) -> None:
    recording = await recorded(database, settings)
    async with serving(settings) as client:
        address = f"/recordings/{recording.id}/clip"
        answer = await client.get(address, params={"from_ms": 5_000, "to_ms": 6_000.125, "format": "wav"})
        samples, _ = soundfile.read(io.BytesIO(answer.content), dtype="int16", always_2d=True)
        assert (samples == sweep(12.0)[24_000:48_001]).all()
        assert file_name(answer) == "抽查录音-000001-00m03.000s-00m06.000s.wav"
        one = await client.get(
            address, params={"from_ms": 500, "to_ms": 99_000, "channel": "them", "format": "mp3"}
        )
        assert file_name(one) == "抽查录音-000001-00m00.000s-00m12.000s-对方.mp3"
        assert soundfile.info(io.BytesIO(one.content)).channels == 1
        for wrong, where in (
            ({"from_ms": 5, "to_ms": 5}, "query.to_ms"),
            ({"from_ms": 12_000, "to_ms": 13_000}, "query.from_ms"),
            ({"from_ms": "nan", "to_ms": 5}, "query.from_ms"),
            ({"from_ms": -1, "to_ms": 5}, "query.from_ms"),
            ({"from_ms": 1, "to_ms": 5, "channel": "middle"}, "query.channel"),
        ):
            refused = await client.get(address, params=wrong)
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["where"] == where
    assert await audit_lines(database, recording) == [
        ("李值班", "play", "clip 3000.000-6000.125 ms format=wav channel=both"),
        ("李值班", "play", "clip 0.000-12000.000 ms format=mp3 channel=them"),
    ]
