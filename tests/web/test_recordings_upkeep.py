"""Archive and database brought together, by the phone process and by `dutyring recordings`."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from app import clock
from app.archive import open_archive
from app.archive_upkeep import Upkeep, adopt, known_recordings, mend
from app.checks import alarms, service
from app.checks.dispatcher import Dispatcher
from app.checks.models import Attempt, Recording
from app.cli import main
from app.database import Database, make_private_folder
from app.phone_process import only_one
from app.settings import SettingError, Settings, get_settings
from app.transcripts.models import Transcription
from recordings import Archive
from recordings.verification import verify_all
from tests.unit.test_recordings_archive import capture
from tests.web.fake import FakePhone
from tests.web.test_ledger import add_lines, attempts, order


async def called(database: Database, settings: Settings, count: int = 2) -> list[Attempt]:
    """Calls of an earlier version: their sound lies beside where the captures were."""
    phone = FakePhone(settings.recordings_dir)
    await order(database, *await add_lines(database, count))
    dispatcher = Dispatcher(database, phone, settings)
    await dispatcher.place_due()
    await dispatcher.idle()
    return await attempts(database)


async def recordings(database: Database) -> list[Recording]:
    async with database.reading() as session:
        return list((await session.scalars(select(Recording).order_by(Recording.id))).all())


async def forget(database: Database, attempt: Attempt) -> str:
    """Take the recording of a call away, as if it had never been stored; return its name."""
    async with database.unit_of_work() as session:
        row = await session.scalar(select(Recording).where(Recording.attempt_id == attempt.id))
        assert row is not None
        await session.execute(delete(Transcription).where(Transcription.recording_id == row.id))
        await session.delete(row)
    return service.recording_name(attempt)


async def standing(database: Database) -> list[str]:
    async with database.reading() as session:
        return [alarm.detail for alarm in await alarms.standing(session, "recordings_unstored")]


async def faults(database: Database, archive: Archive) -> list[str]:
    async with database.reading() as session:
        rows = await known_recordings(session)
    return [str(problem) for problem in verify_all(archive, rows)]


async def test_recordings_of_an_earlier_version_are_adopted_when_they_are_what_the_database_says(
    either: Database, either_settings: Settings
) -> None:
    one, other = await called(either, either_settings)
    archive = open_archive(either_settings)
    changed = either_settings.recordings_dir / f"{service.recording_name(other)}.flac"
    changed.write_bytes(changed.read_bytes()[:-1])
    async with either.reading() as session:
        rows = await known_recordings(session)
    assert {row.name for row in rows} == {service.recording_name(one), service.recording_name(other)}
    told = adopt(archive, rows)
    assert (len(told.done), len(told.failed)) == (1, 1)
    assert "was changed before it was in the manifest" in told.failed[0]
    assert adopt(archive, rows).done == []
    assert [entry.kind for entry in archive.manifest.entries()] == ["opened", "adopted"]
    (fault,) = await faults(either, archive)
    assert f"{service.recording_name(other)}.flac is not in the manifest" in fault


async def test_what_could_not_be_stored_is_stored_once_the_store_is_there_again(
    either: Database, either_settings: Settings, tmp_path: Path
) -> None:
    (attempt,) = await called(either, either_settings, 1)
    name = await forget(either, attempt)
    (either_settings.recordings_dir / f"{name}.flac").unlink()
    store = tmp_path / "store"
    store.touch()
    settings = either_settings.model_copy(update={"recordings_url": str(store)})
    source = capture(open_archive(settings).capture_path(name))
    upkeep = Upkeep(either, settings)
    assert not await upkeep.once(clock.now())
    (detail,) = await standing(either)
    assert detail.startswith(f"1: {name}: ")
    assert source.exists()
    store.unlink()
    assert await upkeep.once(clock.now())
    assert await standing(either) == []
    (row,) = await recordings(either)
    assert (row.attempt_id, row.repaired, row.path.startswith("objects/")) == (attempt.id, True, True)
    assert (store / row.path).is_file()
    assert not source.exists()
    assert await faults(either, open_archive(settings)) == []


async def test_two_calls_with_the_very_same_sound_have_a_recording_each(
    database: Database, settings: Settings
) -> None:
    archive = open_archive(settings)
    for attempt in await called(database, settings):
        name = await forget(database, attempt)
        (settings.recordings_dir / f"{name}.flac").unlink()
        capture(archive.capture_path(name))
    assert len((await mend(database, archive, every_capture=False)).done) == 4
    one, other = await recordings(database)
    assert one.path == other.path
    assert one.attempt_id != other.attempt_id
    assert (await mend(database, archive, every_capture=False)).done == []
    assert await faults(database, archive) == []


async def test_captures_of_calls_under_way_are_left_alone(database: Database, settings: Settings) -> None:
    (line,) = await add_lines(database, 1)
    await order(database, line)
    async with database.unit_of_work() as session:
        attempt = await service.claim(session, 1, "us")
    assert attempt is not None
    archive = open_archive(settings)
    source = capture(archive.capture_path(service.recording_name(attempt)), None)
    stranger = capture(archive.capture_path("stranger"))
    assert (await mend(database, archive, every_capture=False)).done == []
    assert source.exists()
    assert stranger.exists()
    await mend(database, archive, every_capture=True)
    assert not source.exists()
    assert await recordings(database) == []  # the attempt is not over: the start of the phone attaches it


async def test_a_capture_that_cannot_be_read_stands_in_nobodys_way(
    database: Database, settings: Settings
) -> None:
    (attempt,) = await called(database, settings, 1)
    name = await forget(database, attempt)
    (settings.recordings_dir / f"{name}.flac").unlink()
    open_archive(settings).capture_path(name).write_bytes(b"no capture at all")
    assert await Upkeep(database, settings).once(clock.now())
    assert await standing(database) == []


async def test_a_brought_sound_whose_row_was_lost_gets_one(
    either: Database, either_settings: Settings
) -> None:
    await called(either, either_settings, 1)
    (first,) = await recordings(either)
    archive = open_archive(either_settings)
    info = archive.add(archive.path(first.path), "reports/1", "report")
    assert (await mend(either, archive, every_capture=False)).done == []
    later = clock.now() + timedelta(minutes=11)
    with clock.running(lambda: later):
        assert (await mend(either, archive, every_capture=False)).done == [
            "reports/1: entered in the database"
        ]
        assert (await mend(either, archive, every_capture=False)).done == []
    _, row = await recordings(either)
    assert (row.kind, row.attempt_id, row.path) == ("report", None, info.path)


async def test_a_sound_that_was_brought_again_after_an_interruption_is_kept_once(
    database: Database, settings: Settings
) -> None:
    await called(database, settings, 1)
    (first,) = await recordings(database)
    archive = open_archive(settings)
    for _ in range(3):
        info = archive.add(archive.path(first.path), "report/1", "report")
    later = clock.now() + timedelta(minutes=11)
    with clock.running(lambda: later):
        told = [line for _ in range(3) for line in (await mend(database, archive, every_capture=False)).done]
        assert told[-2:] == ["report/1: was brought more than once, is kept once"] * 2
        assert [row.kind for row in await recordings(database)] == ["check", "report"]
        assert not [line for line in await faults(database, archive) if info.path in line]
    assert archive.read(info.path, info.sha256)


async def test_each_day_has_its_head(database: Database, settings: Settings) -> None:
    await called(database, settings, 1)
    upkeep = Upkeep(database, settings)
    now = clock.now()
    for _ in range(2):
        assert await upkeep.once(now)
    assert await upkeep.once(now + timedelta(days=1))
    heads = sorted((settings.data_dir / "heads").iterdir())
    assert [path.stem for path in heads] == [
        str((now + timedelta(days=days)).astimezone(settings.zone).date()) for days in (0, 1)
    ]
    assert json.loads(heads[0].read_text())["n"] == 2


async def test_a_folder_for_heads_that_is_not_there_is_an_alarm(
    database: Database, settings: Settings
) -> None:
    await called(database, settings, 1)
    (settings.data_dir / "file").touch()
    elsewhere = settings.model_copy(update={"heads_dir": settings.data_dir / "file" / "heads"})
    assert not await Upkeep(database, elsewhere).once(clock.now())
    assert len(await standing(database)) == 1


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"recordings_key": "abc"}, "DUTYRING_RECORDINGS_KEY: it takes 32 bytes in hex"),
        ({"recordings_key": "00"}, "DUTYRING_RECORDINGS_KEY: it takes"),
        (
            {"recordings_key_file": "/nowhere/key"},
            "DUTYRING_RECORDINGS_KEY_FILE: /nowhere/key cannot be used",
        ),
        ({"recordings_url": "ftp://x"}, "DUTYRING_RECORDINGS_URL: ftp://x"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_never_told(
    tmp_path: Path, given: dict[str, str], named: str
) -> None:
    with pytest.raises(SettingError, match=named) as caught:
        open_archive(Settings(data_dir=tmp_path, **given))  # type: ignore[arg-type]
    assert "abc" not in str(caught.value)


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["recordings", *arguments])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.fixture
def office(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield settings
    get_settings.cache_clear()


async def test_the_commands(
    database: Database, office: Settings, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def run(*arguments: str) -> tuple[int, str, str]:
        return await asyncio.to_thread(command, capsys, *arguments)

    attempt, _ = await called(database, office)
    assert (await run("head"))[::2] == (1, f"dutyring: {office.recordings_dir}/manifest.jsonl: cannot be read: "
                                        "No such file or directory\n")  # fmt: skip
    status, out, _ = await run("verify")
    assert status == 1
    assert out.count("is not in the manifest; `dutyring recordings repair` adopts it\n") == 2
    name = await forget(database, attempt)
    (office.recordings_dir / f"{name}.flac").unlink()
    capture(open_archive(office).capture_path(name))
    status, out, _ = await run("repair")
    assert (status, out.splitlines()[0]) == (0, f"{name}: made of its capture")
    assert out.count("adopted") == 1
    assert (await run("repair"))[:2] == (0, "there was nothing to repair\n")
    assert (await run("verify"))[:2] == (0, "everything holds: 3 entries, 2 recordings, 0 heads\n")
    head = tmp_path / "head.json"
    assert (await run("head", "--out", str(head)))[0] == 0
    assert (await run("verify", "--head", str(head)))[0] == 0
    status, out, _ = await run("list", "--json")
    told = json.loads(out)["recordings"]
    assert [row["kind"] for row in told] == ["check", "check"]
    damaged = office.recordings_dir / next(row["path"] for row in told if row["path"].startswith("objects"))
    damaged.write_bytes(damaged.read_bytes()[:-9])
    status, out, _ = await run("verify", "--json")
    content = json.loads(out)
    assert (status, content["holds"], [problem["what"] for problem in content["problems"]]) == (
        1,
        False,
        ["changed"],
    )
    lines = (office.recordings_dir / "manifest.jsonl").read_bytes().splitlines(keepends=True)
    (office.recordings_dir / "manifest.jsonl").write_bytes(b"".join(lines[:2]))
    status, out, _ = await run("verify", "--head", str(head))
    assert status == 1
    assert "entries were cut off" in out
    status, _, err = await run("verify", "--head", str(tmp_path / "gone"))
    assert (status, err.count("\n")) == (2, 1)
    assert "gone" in err


async def test_repair_leaves_captures_to_a_phone_that_runs(
    database: Database, office: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    make_private_folder(office.data_dir)
    source = capture(open_archive(office).capture_path("call"))
    with only_one(office):
        status, out, _ = await asyncio.to_thread(command, capsys, "repair")
    assert (status, source.exists()) == (0, True)
    assert "the phone process is running" in out


async def test_a_read_only_archive_is_verified(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    """A copy that an auditor has, without the private key."""
    await called(database, settings)
    archive = open_archive(settings)
    async with database.reading() as session:
        rows = await known_recordings(session)
    adopt(archive, rows)
    copy = settings.model_copy(update={"data_dir": tmp_path / "copy"})
    shutil.copytree(settings.recordings_dir, copy.recordings_dir)
    shutil.copy(settings.data_dir / "manifest.pub", copy.data_dir)
    assert [str(problem) for problem in verify_all(open_archive(copy), rows)] == []
    assert not (copy.data_dir / "manifest.key").exists()
