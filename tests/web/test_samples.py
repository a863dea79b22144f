"""Samples as records: marking, refusing, switching off, sharing between offices, and reading a check's recording."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from app.accounts import service as audit
from app.checks.models import Recording
from app.cli import main
from app.commands.numbers import in_records
from app.database import Database, downgrade
from app.demo.announcements import ANNOUNCEMENTS, mark_announcements
from app.samples import repository, service
from app.samples.library import LibraryKeeper, library_if_there
from app.samples.models import AnnouncementSample
from app.samples.schemas import SampleFileError, read_file, write_file
from app.samples.service import Description, PresentSampleError, SampleValueError, UnknownSampleError
from app.settings import Settings, get_settings
from app.trunks.records import RecordsError
from sip.progress.fingerprint import VERSION
from sip.progress.marking import mark_file
from sip.progress.stretches import PhasePrint, phases_to_bytes
from sip.simulator.clips import SOUNDS_FOLDER
from tests.web.migrated import migrate
from tests.web.seed import fill

OFF = SOUNDS_FOLDER / "powered_off.flac"
BUSY = SOUNDS_FOLDER / "in_call.flac"


async def add(database: Database, path: Path = OFF, meaning: str = "powered_off", **more: object) -> int:
    about = Description(meaning, str(more.pop("label", "移动关机")), **more)  # type: ignore[arg-type]
    async with database.unit_of_work() as session:
        return (await service.add(session, mark_file(path), about)).id


async def test_a_sample_is_kept_with_who_marked_it_and_on_record(either: Database) -> None:
    number = await add(either, mobile=True, by="王敏", source="call.wav 1-4 s")
    async with either.reading() as session:
        row = await service.get(session, number)
        (line,) = await audit.of_subject(session, f"sample:{number}")
        library = await service.library(session)
    assert (row.meaning, row.label, row.mobile, row.marked_by) == ("powered_off", "移动关机", True, "王敏")
    assert row.marked_at.tzinfo is not None
    assert (line.action, line.who, line.detail) == ("add", "王敏", "powered_off call.wav 1-4 s")
    assert library.same_as(mark_file(OFF).phases) == library.samples[0]


async def test_the_same_recording_is_no_second_sample(either: Database) -> None:
    number = await add(either)
    with pytest.raises(PresentSampleError, match=f"is sample {number} already"):
        await add(either, label="again")
    async with either.unit_of_work() as session:
        await service.remove(session, number, "王敏")
    assert await add(either, label="again") != number


async def test_a_removed_sample_stays_as_history(either: Database) -> None:
    number = await add(either)
    async with either.unit_of_work() as session:
        await service.remove(session, number, "王敏")
    async with either.reading() as session:
        row = await service.get(session, number)
        lines = await audit.of_subject(session, f"sample:{number}")
        assert len(await service.library(session)) == 0
    assert (row.active, row.removed_by) == (False, "王敏")
    assert [line.action for line in lines] == ["add", "remove"]
    for unknown in (number, 999):
        with pytest.raises(UnknownSampleError, match=str(unknown)):
            async with either.unit_of_work() as session:
                await service.remove(session, unknown)


@pytest.mark.parametrize(
    ("member", "more"),
    [
        ("meaning", {"meaning": "off"}),
        ("label", {"label": " "}),
        ("label", {"label": "x" * 121}),
        ("by", {"by": "a\nb"}),
        ("trunk", {"trunk": "x" * 65}),
    ],
)
async def test_what_cannot_be_kept_is_named(database: Database, member: str, more: dict[str, str]) -> None:
    with pytest.raises(SampleValueError, match="it takes") as caught:
        await add(database, **more)  # type: ignore[arg-type]
    assert caught.value.member == member


async def test_offices_share_their_samples(either: Database) -> None:
    await add(either, source="call.wav 1-4 s")
    await add(either, BUSY, "in_call", label="正在通话")
    async with either.unit_of_work() as session:
        text = write_file(list(await repository.samples(session)))
        await service.remove(session, 1)
    async with either.unit_of_work() as session:
        added = await service.add_entries(session, read_file(text.encode()), "王敏", "import x.json")
        assert [(row.meaning, row.source) for row in added] == [("powered_off", "import x.json")]
        library = await service.library(session)
    assert library.same_as(mark_file(OFF).phases) is not None
    assert set(json.loads(text)["samples"][0]) == {
        *("meaning", "label", "mobile", "version", "length_ms", "prints"),
    }


async def test_what_came_between_comparing_and_taking_in_is_known_too(database: Database) -> None:
    await add(database)
    await add(database, BUSY, "in_call", label="正在通话")
    async with database.unit_of_work() as session:
        entries = read_file(write_file(list(await repository.samples(session))).encode())
        await service.remove(session, 1)
        await service.remove(session, 2)
        before = await service.library(session)
    news = service.unknown([*entries, *entries], before)
    assert len(news) == 2
    await add(database, BUSY, "in_call", label="正在通话")
    async with database.unit_of_work() as session:
        added = await service.add_entries(session, news, "王敏", "x", before)
        assert [row.meaning for row in added] == ["powered_off"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"meaning": "off"}, r"samples\[1\]\.meaning: 'off' is none; it takes one of powered_off"),
        ({"prints": "###"}, r"samples\[1\]\.prints: the prints are no base 64"),
        ({"prints": "AQAB"}, r"samples\[1\]\.prints: prints are 16-bit words"),
        ({"version": 9}, r"samples\[1\]\.version: prints of version 9"),
        ({"length_ms": -1}, r"samples\[1\]\.length_ms: .*greater than 0"),
        ({"label": "a\nb"}, r"samples\[1\]\.label: it takes printable"),
        ({"label": "  "}, r"samples\[1\]\.label: it takes printable characters, and not blanks alone"),
        ({"length_ms": 20}, r"samples\[1\]: a stretch lasts 1\.5 to 60 s, not 0\.02 s"),
        ({"length_ms": 59_000}, r"samples\[1\]: the prints are not as long as the stretch, 59\.00 s"),
        ({"sound": "x"}, r"samples\[1\]\.sound: Extra inputs"),
    ],
)
def test_a_file_that_is_damaged_is_named_exactly(change: dict[str, object], words: str) -> None:
    marked = mark_file(OFF)
    row = AnnouncementSample(
        meaning="powered_off",
        label="x",
        mobile=False,
        version=VERSION,
        prints=phases_to_bytes(marked.phases),
        length_ms=marked.length_ms,
        source="",
    )
    document = json.loads(write_file([row]))
    document["samples"].append(document["samples"][0] | change)
    with pytest.raises(SampleFileError, match=words):
        read_file(json.dumps(document).encode())


ANY = np.arange(200, dtype=np.uint16)


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        ((PhasePrint(ANY, ANY * 0),) * 2, "too little of it"),
        ((PhasePrint(ANY, ANY),), "the prints hold 1 cuts of the stretch; it takes 2"),
        ((PhasePrint(ANY[:4], ANY[:4]),) * 2, "not as long as the stretch, 4.00 s"),
        ((PhasePrint(ANY, ANY),) * 9, "the prints hold 9 cuts"),
    ],
)
def test_prints_that_no_mark_gives_are_not_listened_for(phases: tuple[PhasePrint, ...], words: str) -> None:
    prints = base64.b64encode(phases_to_bytes(phases)).decode()
    entry = {"meaning": "powered_off", "label": "x", "version": VERSION, "length_ms": 4_000, "prints": prints}
    with pytest.raises(SampleFileError, match=words):
        read_file(json.dumps({"schema": "dutyring.samples/1", "samples": [entry]}).encode())


@pytest.mark.parametrize(
    "text", ["", "[]", '{"schema": "dutyring.call/1", "samples": []}', '{"samples": []}']
)
def test_what_is_no_file_of_samples_is_refused(text: str) -> None:
    with pytest.raises(SampleFileError, match=r"the file|schema"):
        read_file(text.encode())


async def test_the_keeper_reads_again_what_changed(database: Database) -> None:
    keeper = LibraryKeeper()
    number = await add(database)
    async with database.unit_of_work() as session:
        await keeper.refresh(session)
        first = keeper.library()
        await keeper.refresh(session)
        assert keeper.library() is first
        await service.remove(session, number)
        await keeper.refresh(session)
    assert (len(first), len(keeper.library())) == (1, 0)


async def test_a_database_without_samples_gives_none(settings: Settings) -> None:
    assert len(await library_if_there(settings)) == 0
    migrate(settings)
    assert len(await library_if_there(settings)) == 0
    downgrade(settings, "0002")
    assert len(await library_if_there(settings)) == 0
    (settings.data_dir / "dutyring.sqlite3").write_bytes(b"no database at all")
    with pytest.raises(RecordsError, match="cannot be read"):
        await library_if_there(settings)


async def test_the_demo_marks_its_carriers_announcements_once(database: Database) -> None:
    async with database.unit_of_work() as session:
        assert await mark_announcements(session) == len(ANNOUNCEMENTS)
        assert await mark_announcements(session) == 0
        marked = await repository.samples(session)
    assert len(marked) == len(ANNOUNCEMENTS)
    # A dead line says 暂时无法接通 just as a mobile out of reach does: that must not weigh as a mobile's own words.
    assert {row.meaning for row in marked if row.mobile} == {"powered_off"}


# -- the command line ------------------------------------------------------------------------------------------


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run `dutyring samples`; returns its exit status and all that it said."""
    with pytest.raises(SystemExit) as ended:
        main(["samples", *arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out + err


@pytest.fixture
def here(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    yield settings
    get_settings.cache_clear()


def test_marking_listing_hearing_and_removing_by_command(
    here: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*arguments: str) -> str:
        status, text = command(capsys, *arguments)
        assert status == 0, text
        return text

    described = ("--meaning", "powered_off", "--label", "移动关机", "--mobile", "--by", "王敏")
    assert "note" not in (added := said("add", str(OFF), *described))
    assert "sample 1: powered_off" in added
    assert "移动关机" in said("list")
    (told,) = json.loads(said("list", "--json"))["samples"]
    assert (told["id"], told["mobile"], told["marked_by"]) == (1, True, "王敏")
    heard = json.loads(said("test", str(OFF), "--json"))["heard"]
    assert [(item["id"], item["meaning"]) for item in heard] == [(1, "powered_off")]
    assert "sample 1: powered_off" in said("test", str(OFF))
    assert command(capsys, "test", str(BUSY))[0] == 1
    shared = tmp_path / "shared.json"
    said("export", str(shared))
    assert "listened for no more" in said("remove", "1", "--by", "王敏")
    shown = json.loads(said("show", "1", "--json"))
    assert [line["action"] for line in shown["history"]] == ["add", "remove"]
    assert "marked_by" in said("show", "1")
    assert "1 samples taken in, 0 were known" in said("import", str(shared))
    assert "removed" in said("list", "--removed")


def test_a_sample_of_one_trunk_names_it_and_says_where_there_is_none(
    here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    described = ("--meaning", "powered_off", "--label", "x", "--trunk", "carier")
    status, text = command(capsys, "add", str(OFF), *described)
    assert status == 0
    assert "note: there is no trunk 'carier' yet" in text
    assert "carier" in command(capsys, "list")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["add", str(OFF), "--meaning", "off", "--label", "x"], "'off' is none; it takes one of"),
        (["add", str(OFF), "--meaning", "in_call", "--label", ""], "--label"),
        (["add", "--meaning", "in_call", "--label", "x"], "it takes a FILE, or the --attempt"),
        (["add", "/none.wav", "--meaning", "in_call", "--label", "x"], "no such file"),
        (["add", str(OFF), "--meaning", "in_call", "--label", "x", "--from", "99"], "outside of it"),
        (["add", str(OFF), "--meaning", "in_call", "--label", "x", "--channel", "up"], "--channel"),
        (["add", str(OFF), "--meaning", "in_call", "--label", "x", "--from", "nan"], "a start from 0 on"),
        (["add", str(OFF), "--meaning", "in_call", "--label", "x", "--from", "-1"], "-1 to the end is none"),
        (
            ["add", "--attempt", "9" * 20, "--meaning", "in_call", "--label", "x"],
            "no recording of an attempt",
        ),
        (["add", "--attempt", "7", "--meaning", "in_call", "--label", "x"], "no recording of an attempt 7"),
        (["show", "7"], "there is no sample 7"),
        (["show", "9" * 20], "there is no sample 99999999999999999999"),
        (["remove", "7"], "there is no sample 7"),
        (["remove", "7", "--by", "x" * 81], "'--by': it takes 1 to 80 printable characters"),
        (["import", "/none.json"], "cannot be read"),
        (["import", str(OFF)], "no UTF-8"),
        (["import", "/dev/zero"], "it takes at most 64 MB"),
        (["export", "/none/x.json"], "cannot be written"),
        (["test", "/none.wav"], "no such file"),
    ],
)
def test_wrong_arguments_are_named(
    here: Settings, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = command(capsys, *arguments)
    assert status == 2
    assert words in text


def test_a_checks_recording_is_marked_and_the_reading_is_on_record(
    here: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async def called() -> Recording:
        async with Database(here.url) as database:
            await fill(database, here)
            async with database.reading() as session:
                found = await session.scalar(select(Recording).order_by(Recording.id))
        assert found is not None
        return found

    migrate(here)
    recording = asyncio.run(called())
    (here.recordings_dir / recording.path).write_bytes(OFF.read_bytes())
    status, text = command(
        *(capsys, "add", "--attempt", str(recording.attempt_id), "--from", "0", "--to", "3.6"),
        *("--meaning", "powered_off", "--label", "x", "--by", "王敏"),
    )
    assert status == 0, text

    async def read(session) -> tuple[AnnouncementSample, list[tuple[str, str]]]:  # type: ignore[no-untyped-def]
        lines = await audit.of_subject(session, f"recording:{recording.id}")
        return await service.get(session, 1), [(line.action, line.who) for line in lines]

    row, lines = in_records(read)
    assert row.source.startswith(f"attempt {recording.attempt_id}: {recording.path}")
    assert lines == [("play", "王敏")]
