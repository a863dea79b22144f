"""The audit trail holds: every committed line is sealed once, and what is changed afterwards is found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from app.accounts import audit_chain, audit_export, service
from app.accounts.audit_lines import FIRST, AuditFileError, Head, Line, broken, digest
from app.accounts.models import AuditEvent, AuditLink
from app.database import Database
from app.settings import Settings
from recordings.signing import load_or_make
from tests.web.test_search_command import commands

AT = datetime(2026, 11, 3, 4, 0, tzinfo=UTC)


async def write(database: Database, *subjects: str) -> None:
    for subject in subjects:
        async with database.unit_of_work() as session:
            await service.record(session, "play", subject, "第一段", "王督查")


async def links(database: Database) -> list[int]:
    async with database.reading() as session:
        return list(await session.scalars(select(AuditLink.event_id).order_by(AuditLink.number)))


async def reasons(database: Database, heads: Sequence[Head] = ()) -> list[str]:
    return [str(problem) for problem in (await audit_chain.verify(database, heads)).problems]


async def tamper(database: Database, table: str, *statements: str) -> None:
    """Do what a person with every right on the database could do."""
    async with database.unit_of_work() as session:
        if database.engine.dialect.name == "sqlite":
            for change in ("update", "delete"):
                await session.execute(text(f"DROP TRIGGER {table}_no_{change}"))
        else:
            await session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        for statement in statements:
            await session.execute(text(statement))


async def test_every_line_is_sealed_once_and_the_chain_holds(either: Database) -> None:
    await write(either, "recording:1", "recording:2", "recording:3")
    assert await audit_chain.seal(either) == 3
    assert await audit_chain.seal(either) == 0
    await write(either, "recording:4")
    checked = await audit_chain.verify(either, [])
    assert (checked.lines, checked.holds) == (4, True)
    assert len(await links(either)) == 4


async def test_a_line_that_was_committed_late_is_sealed_too(either: Database) -> None:
    """A transaction that began earlier may end later: its line has a lower key than lines that are sealed already."""
    at = {"at": AT, "who": "王督查", "action": "play", "subject": "recording:9", "detail": "", "address": ""}
    async with either.unit_of_work() as session:
        await session.execute(insert(AuditEvent), [{"id": 50, "done": True, **at}])
    await audit_chain.seal(either)
    async with either.unit_of_work() as session:
        await session.execute(insert(AuditEvent), [{"id": 49, "done": True, **at}])
    async with either.unit_of_work() as session:
        assert await audit_chain.seal_some(session) == 1
    assert await links(either) == [50, 49]
    assert await reasons(either) == []


async def test_two_that_seal_at_once_make_one_chain(
    either: Database, either_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_chain, "AT_ONCE", 50)
    async with either.unit_of_work() as session:
        for number in range(300):
            session.add(AuditEvent(at=AT, who="王", action="play", subject=f"recording:{number}"))
    async with Database(either_settings.url) as other:
        counts = await asyncio.gather(*(audit_chain.seal(one) for one in (either, other, either, other)))
    assert sum(counts) == 300
    checked = await audit_chain.verify(either, [])
    assert (checked.lines, checked.holds) == (300, True)


async def test_the_database_refuses_to_change_a_line(either: Database) -> None:
    await write(either, "recording:1")
    await audit_chain.seal(either)
    for statement in (
        "UPDATE audit_events SET who = 'x'",
        "UPDATE audit_links SET digest = 'x'",
        "DELETE FROM audit_events",
        "DELETE FROM audit_links",
    ):
        with pytest.raises(DBAPIError, match="neither changed nor deleted"):
            async with either.unit_of_work() as session:
                await session.execute(text(statement))
    assert await reasons(either) == []


async def test_a_changed_line_is_found(either: Database) -> None:
    changes = (
        "who = '别人'",
        "detail = ''",
        "action = 'x'",
        "subject = 'x:1'",
        "address = '::1'",
        "done = NOT done",
    )
    await write(either, *(f"recording:{number}" for number in range(2 * len(changes))))
    await audit_chain.seal(either)
    await tamper(
        either,
        "audit_events",
        *(f"UPDATE audit_events SET {change} WHERE id = {2 * n}" for n, change in enumerate(changes, 1)),
    )
    told = "was changed, or what stands before it: its digest is another"
    assert await reasons(either) == [f"line {2 * number}: {told}" for number in range(1, len(changes) + 1)]


async def test_a_line_that_was_taken_out_is_found(either: Database) -> None:
    await write(either, "recording:1", "recording:2", "recording:3")
    await audit_chain.seal(either)
    await tamper(either, "audit_links", "DELETE FROM audit_links WHERE number = 2")
    await tamper(either, "audit_events", "DELETE FROM audit_events WHERE subject = 'recording:2'")
    found = await reasons(either)
    assert found == ["line 3: stands after line 1: what was between is missing"]


async def test_a_chain_that_was_cut_off_is_found_by_a_signed_head(either: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", database_url=None)
    load_or_make(settings.data_dir / "manifest.key", may_make=True)
    await write(either, "recording:1", "recording:2", "recording:3")
    await audit_chain.seal(either)
    path = await audit_chain.write_head(either, settings, AT)
    assert path is not None
    assert await audit_chain.write_head(either, settings, AT) is None
    head = Head.load(path)
    assert head.holds()
    assert await reasons(either, [head]) == []
    await tamper(either, "audit_links", "DELETE FROM audit_links WHERE number = 3")
    await tamper(either, "audit_events", "DELETE FROM audit_events WHERE subject = 'recording:3'")
    assert len(await reasons(either, [head])) == 1
    await write(either, "recording:4")
    assert [one.partition(" ")[2] for one in await reasons(either, [head])] == [
        f"3: is not the one whose head was signed at {head.at}"
    ]


async def test_what_somebody_typed_never_keeps_a_line_from_being_written(either: Database) -> None:
    async with either.unit_of_work() as session:
        await service.record(session, "x" * 99, "login:a\0b" + "长" * 200, "\ud800" + "y" * 9_000, "名" * 200)
    async with either.reading() as session:
        row = (await session.scalars(select(AuditEvent))).one()
    assert (len(row.action), len(row.subject), len(row.who), len(row.detail)) == (40, 80, 80, 4_000)
    assert row.subject.startswith("login:a·b")


async def exported(database: Database, settings: Settings, path: Path) -> list[str]:
    wanted = await audit_export.begin(database, None, None, "赵审计")
    text = "".join([part async for part in audit_export.lines(database, settings, wanted)])
    path.write_text(text, "utf-8")
    return text.splitlines()


async def test_an_export_is_checked_without_the_database(either: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    await write(either, *(f"recording:{number}" for number in range(5)))
    path = tmp_path / "trail.jsonl"
    lines = await exported(either, settings, path)
    assert len(lines) == 7
    checked = audit_export.check_file(path, [])
    assert (checked.lines, checked.holds) == (5, True)
    async with either.reading() as session:
        last = (await session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc()).limit(1))).one()
    assert (last.who, last.action, last.subject, last.detail) == (
        "赵审计",
        "export",
        "audit",
        "lines 1 to 5",
    )
    for name, changed in {
        "cut off": lines[:-1],
        "changed": [line.replace("recording:2", "recording:7") for line in lines],
        "taken out": [*lines[:3], *lines[4:]],
        "cut and closed": [*lines[:4], lines[-1]],
    }.items():
        path.write_text("\n".join(changed) + "\n", "utf-8")
        assert not audit_export.check_file(path, []).holds, name
    for wrong in ("", "{}", "[]", "x", lines[1], '{"schema": "dutyring.audit/1", "first": 1, "last": 2}'):
        path.write_text(wrong, "utf-8")
        with pytest.raises(AuditFileError):
            audit_export.check_file(path, [])


async def test_an_export_of_a_time_begins_within_the_chain(either: Database, tmp_path: Path) -> None:
    async with either.unit_of_work() as session:
        for day in range(6):
            session.add(
                AuditEvent(at=AT + timedelta(days=day), who="王", action="play", subject="recording:1")
            )
            await session.flush()
    wanted = await audit_export.begin(either, AT + timedelta(days=2), AT + timedelta(days=4), "赵审计")
    assert (wanted.first, wanted.last) == (3, 4)
    path = tmp_path / "trail.jsonl"
    settings = Settings(data_dir=tmp_path / "data")
    path.write_text("".join([part async for part in audit_export.lines(either, settings, wanted)]), "utf-8")
    assert audit_export.check_file(path, []).holds
    assert [Line.read(line).number for line in path.read_text("utf-8").splitlines()[1:-1]] == [3, 4]


async def test_the_service_seals_and_signs_by_itself(database: Database, settings: Settings) -> None:
    load_or_make(settings.data_dir / "manifest.key", may_make=True)
    await write(database, "recording:1")
    keeper = audit_chain.ChainKeeper(database, settings, every_s=0.01)
    keeper.start()
    while not await links(database) or not list(audit_chain.heads_dir(settings).glob("*.json")):
        await asyncio.sleep(0.01)
    await keeper.stop()
    assert [one for one in audit_chain.kept_heads(settings) if not isinstance(one, Head)] == []


def test_commands_check_and_export_the_trail(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = commands("audit", settings, monkeypatch, capsys)
    assert command("verify") == (0, "everything holds: 0 lines, 0 heads\n", "")
    path = tmp_path / "trail.jsonl"
    assert command("export", str(path))[0] == 1
    assert command("head")[0] == 1

    async def enter() -> None:
        async with Database(settings.url) as database:
            await write(database, "recording:1", "recording:2")

    asyncio.run(enter())
    assert command("export", str(path), "--by", "赵审计")[:2] == (0, f"{path}: lines 1 to 2\n")
    assert command("export", str(path))[0] == 2
    assert command("export", str(tmp_path / "x"), "--from", "yesterday")[0] == 2
    assert command("verify", "--file", str(path)) == (0, "everything holds: 2 lines, 0 heads\n", "")
    load_or_make(settings.data_dir / "manifest.key", may_make=True)
    head = tmp_path / "head.json"
    assert command("head", "--out", str(head))[0] == 0
    status, out, _ = command("verify", "--head", str(head), "--json")
    told = json.loads(out)
    assert (status, told["holds"], told["lines"], told["heads"]) == (0, True, 3, 1)
    head.write_text(head.read_text("utf-8").replace('"number": 3', '"number": 2'), "utf-8")
    assert command("verify", "--head", str(head))[0] == 1
    head.write_text("{}", "utf-8")
    assert command("verify", "--head", str(head))[0] == 2
    path.write_text(path.read_text("utf-8").replace("recording:2", "recording:5"), "utf-8")
    assert command("verify", "--file", str(path))[:2] == (
        1,
        "line 2: was changed, or what stands before it: its digest is another\n",
    )


words = st.text(st.characters(codec="utf-8"), max_size=20)
events = st.fixed_dictionaries(
    {"who": words, "detail": words, "done": st.booleans(), "id": st.integers(1, 2**40)}
)


@given(st.lists(events, min_size=1, max_size=8), st.data())
def test_no_member_of_no_line_changes_unseen(found: list[dict[str, object]], data: st.DataObject) -> None:
    lines, previous = [], FIRST
    for number, event in enumerate(found, 1):
        previous = digest(previous, number, event)
        lines.append(Line(number, event, previous))
    assert list(broken(lines, FIRST, 0)) == []
    assert [Line.read(line.to_json()) for line in lines] == lines
    place = data.draw(st.integers(0, len(lines) - 1))
    other = data.draw(events.filter(lambda event: event != lines[place].event))
    lines[place] = Line(lines[place].number, other, lines[place].digest)
    assert [problem.number for problem in broken(lines, FIRST, 0)] == [place + 1]


def test_a_head_of_another_key_or_another_line_does_not_hold() -> None:
    head = Head.make(3, "a" * 64, AT, Ed25519PrivateKey.generate())
    assert head.holds()
    other = Head.make(3, "a" * 64, AT, Ed25519PrivateKey.generate())
    for change in (
        {"number": 4},
        {"digest": "b" * 64},
        {"public_key": other.public_key},
        {"signature": "zz"},
    ):
        assert not Head(**(vars_of(head) | change)).holds()


def vars_of(head: Head) -> dict[str, object]:
    return {name: getattr(head, name) for name in Head.__slots__}
