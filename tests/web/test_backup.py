"""Backups are made while calls go on, hold all of it, and come back whole where nothing is; nothing is overwritten."""

from __future__ import annotations

import asyncio
import io
import json
import shutil
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.accounts.models import AuditEvent, Session
from app.accounts.permissions import Role
from app.archive import open_archive
from app.archive_upkeep import known_recordings, mend
from app.checks import conclusions
from app.checks.models import Attempt, Recording
from app.checks.service import recording_name
from app.cli import main
from app.database import Database
from app.operations.backup_format import BackupError, Kept, checked_path
from app.operations.backup_places import reader_of, sets_of
from app.sealing import sealer
from app.settings import Settings, get_settings
from recordings.verification import verify_all
from tests.web.fake import write_tone
from tests.web.keeping import archived
from tests.web.migrated import tell_server
from tests.web.people import signed_in
from tests.web.reviewing import Office, running


@pytest.fixture(autouse=True)
def _fresh_settings() -> Iterator[None]:
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The command as it is typed, for these settings."""
    get_settings.cache_clear()
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


def contents(target: Path) -> list[Kept]:
    with closing(reader_of(target)) as reader:
        return reader.contents().files


def emptied(settings: Settings) -> None:
    """Nothing is left of the installation, nor of its database."""
    shutil.rmtree(settings.data_dir)
    if settings.database_url is not None:
        server, _, name = settings.database_url.rpartition("/")
        tell_server(server, f"DROP DATABASE {name} WITH (FORCE)", f"CREATE DATABASE {name}")


@asynccontextmanager
async def office_of(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings) as office:
        await office.add_units(3)
        for position in range(3):
            await archived(office, await office.order(position, rings=(6_000.0,)))
        (settings.data_dir / "attachments" / "ab").mkdir(parents=True)
        (settings.data_dir / "attachments" / "ab" / "file").write_bytes(b"a reply")
        (settings.recordings_dir / "check-9-attempt-9.part.lost").write_bytes(b"half a call")
        (settings.recordings_dir / "check-1-attempt-1.sip.txt").write_text("INVITE")
        (settings.data_dir / "models").mkdir()
        (settings.data_dir / "models" / "large").write_bytes(b"can be fetched")
        sealer(settings)
        yield office


async def problems(settings: Settings) -> list[str]:
    """What `dutyring recordings verify` finds."""
    async with Database(settings.url) as database:
        await mend(database, open_archive(settings), every_capture=True)
        async with database.reading() as session:
            rows = await known_recordings(session)
    return [str(problem) for problem in verify_all(open_archive(settings), rows)]


async def counted(settings: Settings) -> tuple[int, int, list[str]]:
    """Attempts, recordings, and what the audit trail says of backups."""
    async with Database(settings.url) as database, database.reading() as session:
        attempts = await session.scalar(select(func.count()).select_from(Attempt)) or 0
        recordings = await session.scalar(select(func.count()).select_from(Recording)) or 0
        actions = ("backup", "restore")
        told = await session.scalars(
            select(AuditEvent.action).where(AuditEvent.action.in_(actions)).order_by(AuditEvent.id)
        )
        return attempts, recordings, list(told)


async def test_what_is_backed_up_while_calls_go_on_comes_back_whole(
    either_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    settings = either_settings
    keys = settings.database_url is None
    if settings.database_url is not None and shutil.which("pg_dump") is None:
        pytest.skip("pg_dump is missing")
    target = tmp_path / "backup.tar"
    async with office_of(settings) as office:
        who = await signed_in(office.database, settings, Role.SUPERVISOR)
        going = asyncio.create_task(_go_on(office))
        options = ["--with-keys"] if keys else []
        assert (
            await asyncio.to_thread(run, settings, monkeypatch, "backup", str(target), "--json", *options)
            == 0
        )
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
    made = json.loads(capsys.readouterr().out)
    assert (made["keys"], made["recordings"], made["missing"]) == (keys, "inside", [])
    assert target.stat().st_mode & 0o077 == 0
    kept_keys = {name: (settings.data_dir / name).read_bytes() for name in ("seal.key", "manifest.key")}
    names = {one.path for one in contents(target)}
    assert {name for name in names if name.startswith("keys/")} == (
        {"keys/seal.key", "keys/manifest.key"} if keys else set()
    )
    assert "data/attachments/ab/file" in names
    assert "data/recordings/check-9-attempt-9.part.lost" in names
    assert not any("models" in name or name.endswith(("lock", "-wal", "sqlite3-shm")) for name in names)

    emptied(settings)
    assert await asyncio.to_thread(run, settings, monkeypatch, "restore", str(target), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["keys_missing"] == ([] if keys else ["seal.key", "manifest.key"])
    if not keys:
        for name, content in kept_keys.items():
            (settings.data_dir / name).write_bytes(content)
    for name, content in kept_keys.items():
        assert (settings.data_dir / name).read_bytes() == content
    assert await problems(settings) == []
    attempts, recordings, actions = await counted(settings)
    assert attempts >= recordings >= 3
    assert actions == ["backup", "restore"]
    assert (settings.data_dir / "attachments" / "ab" / "file").read_bytes() == b"a reply"
    async with Database(settings.url) as database, database.reading() as session:
        row = (await session.scalars(select(Session).where(Session.account_id == who.account_id))).one()
        assert row.end_reason == "restored from a backup", "a cookie of then opens nothing now"


async def _go_on(office: Office) -> None:
    """Calls, one after the other, recorded as the product does it."""
    archive = open_archive(office.settings)
    elsewhere = office.settings.data_dir.parent
    while True:
        check_id = await office.order(0, sound=False)
        async with office.database.unit_of_work() as session:
            attempt = (await session.scalars(select(Attempt).where(Attempt.check_id == check_id))).one()
            write_tone(elsewhere, f"call-{check_id}", 300.0 + check_id)
            sound = elsewhere / f"call-{check_id}.flac"
            info = await asyncio.to_thread(archive.add, sound, recording_name(attempt), "check")
            conclusions.attach(session, attempt, info)


async def test_a_folder_keeps_each_sound_once(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "backups"
    moments = [datetime(2026, 11, 26, 20, minute, tzinfo=UTC) for minute in range(2)]
    async with office_of(settings) as office:
        for minute, moment in enumerate(moments):
            monkeypatch.setattr("app.commands.backup.clock.now", lambda at=moment: at)
            assert await asyncio.to_thread(run, settings, monkeypatch, "backup", str(folder), "--json") == 0
            told = json.loads(capsys.readouterr().out)
            sounds = [one for one in contents(folder) if one.path.endswith(".flac")]
            assert len(sounds) == 3 + minute
            if minute == 1:
                assert told["copied"] < told["files"] - 2, "what the first set brought is not copied again"
            await archived(office, await office.order(1, rings=(6_000.0,)))
    assert sets_of(folder) == ["20261126T200000Z", "20261126T200100Z"]
    assert len(list((folder / "recordings" / "objects").rglob("*.flac"))) == 4
    for name, sounds_then in ((None, 4), ("20261126T200000Z", 3)):
        emptied(settings)
        more = [] if name is None else ["--set", name]
        assert await asyncio.to_thread(run, settings, monkeypatch, "restore", str(folder), *more) == 0
        assert (await counted(settings))[1] == sounds_then
    assert await asyncio.to_thread(run, settings, monkeypatch, "restore", str(folder), "--set", "x") == 1
    assert "20261126T200100Z" in capsys.readouterr().err


@pytest.fixture
def backed_up(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backup of an installation that is gone."""
    target = tmp_path / "backup.tar"

    async def work() -> None:
        async with office_of(settings):
            assert (
                await asyncio.to_thread(run, settings, monkeypatch, "backup", str(target), "--with-keys") == 0
            )

    asyncio.run(work())
    emptied(settings)
    return target


def rewritten(target: Path, change: Any) -> None:
    """Write the archive anew; `change(name, data)` gives what stands in it."""
    with tarfile.open(target) as old:
        members = [(m, old.extractfile(m).read()) for m in old.getmembers()]  # type: ignore[union-attr]
    with tarfile.open(target, "w") as new:
        for member, data in members:
            data = change(member.name, data)
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))


def untouched(settings: Settings) -> bool:
    return not settings.data_dir.exists() or not any(settings.data_dir.iterdir())


def test_what_was_changed_since_is_refused_before_anything_is_written(
    settings: Settings, backed_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = backed_up.read_bytes()

    def refuses(change: Any, words: str) -> None:
        backed_up.write_bytes(whole)
        rewritten(backed_up, change)
        assert run(settings, monkeypatch, "restore", str(backed_up)) == 1
        assert words in capsys.readouterr().err
        assert untouched(settings)

    def listed(old: bytes, new: bytes) -> Any:
        return lambda name, data: data.replace(old, new) if name == "backup.json" else data

    refuses(lambda n, data: data[:-1] + b"x" if n.endswith(".flac") else data, "its SHA-256 is another")
    refuses(
        lambda n, data: data + b"x" if n == "keys/seal.key" else data,
        "keys/seal.key is not what was backed up",
    )
    refuses(listed(b"keys/seal.key", b"keys/../../seal.key"), "cannot be read")
    refuses(listed(b"data/attachments/ab/file", b"/etc/cron.d/ab/file"), "cannot be read")
    refuses(
        listed(b"data/attachments/ab/file", b"data/attachments/ab/none"), "lacks data/attachments/ab/none"
    )
    refuses(listed(b'"revision": "', b'"revision": "9'), "of a newer version")
    refuses(listed(b'"sqlite"', b'"postgresql"'), "DUTYRING_DATABASE_URL names sqlite")
    backed_up.write_bytes(whole[: len(whole) // 2])
    assert run(settings, monkeypatch, "restore", str(backed_up)) == 1
    assert untouched(settings)


def test_nothing_is_ever_overwritten(
    settings: Settings, backed_up: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "something").write_text("mine")
    assert run(settings, monkeypatch, "restore", str(backed_up)) == 1
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in settings.data_dir.iterdir()] == ["something"]
    (settings.data_dir / "something").unlink()
    assert run(settings, monkeypatch, "restore", str(backed_up), "--without-recordings") == 0
    assert "recordings are NOT restored" in capsys.readouterr().out
    before = backed_up.read_bytes()
    assert run(settings, monkeypatch, "backup", str(backed_up)) == 1
    assert "is there already" in capsys.readouterr().err
    assert backed_up.read_bytes() == before
    assert run(settings, monkeypatch, "backup", str(settings.data_dir / "b.tar")) == 1
    assert "lies in the data folder" in capsys.readouterr().err
    assert run(settings, monkeypatch, "restore", str(settings.data_dir / "none.tar")) == 2


async def test_a_backup_without_recordings_says_so_and_one_that_lacks_some_is_no_success(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with office_of(settings):
        assert await asyncio.to_thread(
            run, settings, monkeypatch, "backup", str(tmp_path / "a.tar"), "--without-recordings"
        ) == 0  # fmt: skip
        told = capsys.readouterr().out
        assert "recordings are NOT inside" in told
        assert "keys are NOT inside" in told
        names = [one.path for one in contents(tmp_path / "a.tar")]
        assert not any(name.endswith(".flac") for name in names)
        next((settings.recordings_dir / "objects").rglob("*.flac")).unlink()
        assert await asyncio.to_thread(run, settings, monkeypatch, "backup", str(tmp_path / "b.tar")) == 1
        assert "could not be read: recordings/objects/" in capsys.readouterr().out


async def test_a_full_disk_leaves_nothing_behind(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with office_of(settings):

        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("app.operations.backup_places.TarWriter.finish", full)
        assert (
            await asyncio.to_thread(run, settings, monkeypatch, "backup", str(tmp_path / "to" / "a.tar")) == 1
        )
    assert "No space left on device" in capsys.readouterr().err
    assert list((tmp_path / "to").iterdir()) == []


@given(st.text(max_size=40))
def test_no_path_of_a_list_leads_out_of_a_backup(text: str) -> None:
    for path in (text, f"data/{text}", f"keys/{text}", f"recordings/{text}"):
        try:
            checked_path(path)
        except ValueError:
            continue
        whole = (Path("/root/of") / path).resolve()
        assert whole.is_relative_to("/root/of")


def test_postgres_without_its_programs_is_refused_clearly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.operations import backup_database

    monkeypatch.setattr(backup_database.shutil, "which", lambda _: None)
    given = Settings(data_dir=tmp_path, database_url="postgresql+psycopg://u:secret@127.0.0.1:1/x")
    with pytest.raises(BackupError, match="pg_dump is not installed") as told:
        backup_database._run("pg_dump", given)
    assert "secret" not in str(told.value)
