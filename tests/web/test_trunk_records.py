"""Trunks as records: entering them, what the phone says of them, merging with the settings, the policy's numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from app.accounts import service as audit
from app.accounts.models import AuditEvent
from app.database import Database, downgrade
from app.directory import service as directory
from app.policy import AnswerKeysError, Stored, answer_keys, dial_policy
from app.settings import Settings, TrunkSettings, problem
from app.trunk_settings import TrunkConfig, TrunkMemberError
from app.trunks import repository, service
from app.trunks.merge import merged, usable
from app.trunks.records import RecordsError, directory_numbers, read, read_if_there
from app.trunks.service import PresentError, Said, Standing, UnknownError
from app.trunks.view import views
from sip.guard import AnswerKeyError, DeniedNumberError, NeverDialledError, NotAllowedError
from sip.trunks import NumberRules, Trunk
from tests.web.migrated import migrate

T0 = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


async def add(database: Database, name: str, **members: object) -> None:
    config = TrunkConfig.model_validate({"host": f"{name}.example"} | members)
    async with database.unit_of_work() as session:
        await service.add(session, name, config, enabled=config.enabled)


async def say(database: Database, state: str, after_s: float = 0.0, *alarms: str, **more: object) -> None:
    at = T0 + timedelta(seconds=after_s)
    standing = tuple(Standing(kind, at, f"about {kind}") for kind in alarms)
    async with database.unit_of_work() as session:
        await service.observe(session, Said("main", state, at, alarms=standing, **more))  # type: ignore[arg-type]


async def kept(database: Database) -> Stored:
    async with database.reading() as session:
        return await read(session)


async def events(database: Database) -> list[tuple[str, str | None]]:
    async with database.reading() as session:
        return [(e.kind, e.alarm) for e in reversed(await repository.events(session, "main"))]


async def test_a_record_keeps_its_members_and_no_secret(either: Database) -> None:
    await add(either, "carrier", transport="tls", user="duty", password_file="/run/secret", priority=3)
    (row,) = (await kept(either)).trunks
    assert (row.name, row.enabled, row.position) == ("carrier", True, 3)
    assert service.config_of(row).transport == "tls"
    assert service.config_of(row).priority == 3
    assert str(service.config_of(row).password_file) == "/run/secret"
    assert "priority" not in row.config
    async with either.reading() as session:
        (line,) = await audit.of_subject(session, "trunk:carrier")
    assert line.action == "add"


@pytest.mark.parametrize("name", ["", " main", "a\nb", "x" * 65])
async def test_a_trunk_has_a_readable_name(database: Database, name: str) -> None:
    with pytest.raises(ValueError, match="it takes a name"):
        await add(database, name)


async def test_a_record_that_cannot_be_used_is_not_kept(database: Database) -> None:
    with pytest.raises(TrunkMemberError, match=r"bad\.ptime_ms"):
        await add(database, "bad", ptime_ms=33)
    assert (await kept(database)).trunks == ()


async def test_names_are_taken_once(either: Database) -> None:
    await add(either, "main")
    with pytest.raises(PresentError):
        await add(either, "main")
    with pytest.raises(IntegrityError):
        async with either.unit_of_work() as session:
            await session.execute(
                text(
                    "INSERT INTO trunks (name, enabled, position, config, created_at, changed_at) "
                    "SELECT name, enabled, position, config, created_at, changed_at FROM trunks"
                )
            )


async def test_enable_disable_and_remove(either: Database) -> None:
    await add(either, "main")
    for enabled in (False, True):
        async with either.unit_of_work() as session:
            await service.enable(session, "main", enabled)
        assert [row.enabled for row in (await kept(either)).trunks] == [enabled]
    async with either.unit_of_work() as session:
        await service.remove(session, "main")
    assert (await kept(either)).trunks == ()
    for change in (service.remove, lambda session, name: service.enable(session, name, True)):
        with pytest.raises(UnknownError):
            async with either.unit_of_work() as session:
                await change(session, "main")


async def test_what_changes_becomes_an_event_and_what_stays_none(either: Database) -> None:
    until = T0 + timedelta(minutes=10)
    await say(either, "starting")
    await say(either, "up", 1, registered_until=until)
    await say(either, "up", 2, registered_until=until + timedelta(minutes=10), calls=1)
    await say(either, "down", 3, "no_answer")
    await say(either, "down", 4, "no_answer", "bad_credentials")
    await say(either, "up", 5, "bad_credentials", registered_until=until)
    await say(either, "stopped", 6)
    assert await events(either) == [
        ("up", None),
        ("registered", None),
        ("down", None),
        ("unregistered", None),
        ("alarm_raised", "no_answer"),
        ("alarm_raised", "bad_credentials"),
        ("up", None),
        ("registered", None),
        ("alarm_cleared", "no_answer"),
        ("stopped", None),
    ]
    (state,) = (await kept(either)).states
    assert (state.state, state.since, state.alarms) == ("stopped", T0 + timedelta(seconds=6), [])


async def test_since_when_a_trunk_is_as_it_is(either: Database) -> None:
    await say(either, "up", 1)
    await say(either, "up", 60)
    (state,) = (await kept(either)).states
    assert (state.since, state.told_at) == (T0 + timedelta(seconds=1), T0 + timedelta(seconds=60))


async def test_a_phone_that_starts_forgets_trunks_that_are_gone(either: Database) -> None:
    await say(either, "up")
    async with either.unit_of_work() as session:
        await service.begin(session, ["other"])
    assert [(s.name, s.state) for s in (await kept(either)).states] == [("other", "starting")]
    assert ("up", None) in await events(either)
    async with either.unit_of_work() as session:
        await service.end(session, ["other"])
    assert [s.state for s in (await kept(either)).states] == ["stopped"]


async def test_nobody_knows_of_a_trunk_whose_phone_is_silent(either: Database) -> None:
    await say(either, "up")
    settings = Settings(trunks={"main": TrunkSettings(host="pbx")})
    stored = await kept(either)
    for after_s, state in ((1, "up"), (59, "up"), (61, "unknown"), (3600, "unknown")):
        (view,) = views(settings, stored, T0 + timedelta(seconds=after_s))
        assert (view.state, view.well) == (state, state == "up")
    async with either.unit_of_work() as session:
        await service.alive(session, ["main"])
    (view,) = views(settings, await kept(either), datetime.now(UTC))
    assert view.state == "up"


async def test_settings_win_by_name_and_the_order_is_by_priority(either: Database) -> None:
    for name, priority in (("carrier", 5), ("main", 0), ("backup", 1)):
        await add(either, name, priority=priority)
    await add(either, "off", enabled=False)
    settings = Settings(
        trunks={"main": TrunkSettings(host="pbx", priority=2), "gateway": TrunkSettings(host="gw")}
    )
    ours = merged(settings, (await kept(either)).trunks)
    assert [(t.name, t.source, t.in_use) for t in ours] == [
        ("gateway", "settings", True),
        ("main", "record", False),
        ("off", "record", False),
        ("backup", "record", True),
        ("main", "settings", True),
        ("carrier", "record", True),
    ]
    made, wrong = usable(settings, ours)
    assert [trunk.name for trunk in made] == ["gateway", "backup", "main", "carrier"]
    assert wrong == []
    first = settings.model_copy(update={"default_trunk": "carrier"})
    assert merged(first, (await kept(either)).trunks)[0].name == "carrier"
    notes = {v.name: v.notes for v in views(settings, await kept(either), T0) if v.state == "shadowed"}
    assert notes == {"main": ("not used: the settings have a trunk of this name",)}


async def test_a_demonstration_has_its_own_trunk_alone(database: Database) -> None:
    await add(database, "carrier")
    demo = Settings(
        trunks={"demo": TrunkSettings(host="127.0.0.1"), "main": TrunkSettings(host="pbx")},
        default_trunk="demo",
    )
    assert [t.name for t in merged(demo, (await kept(database)).trunks)] == ["demo"]


async def test_a_trunk_without_its_secret_is_named_and_the_others_are_made(database: Database) -> None:
    await add(database, "good")
    await add(database, "poor", user="u", password_env="SURELY_NOT_SET")
    stored = await kept(database)
    made, wrong = usable(Settings(), merged(Settings(), stored.trunks))
    assert [trunk.name for trunk in made] == ["good"]
    assert [(error.trunk, error.member) for error in wrong] == [("poor", "password_env")]
    assert [v.state for v in views(Settings(), stored, T0)] == ["unknown", "unusable"]


async def test_a_record_that_this_version_cannot_read_keeps_no_other_from_its_calls(
    either: Database,
) -> None:
    await add(either, "good")
    await add(either, "newer")
    async with either.unit_of_work() as session:
        row = await repository.record(session, "newer")
        assert row is not None
        row.config = {"host": "pbx", "member_of_a_newer_version": 1}
    stored = await kept(either)
    made, wrong = usable(Settings(), merged(Settings(), stored.trunks))
    assert [trunk.name for trunk in made] == ["good"]
    assert [(error.trunk, error.member) for error in wrong] == [("newer", "member_of_a_newer_version")]
    assert {v.name: v.state for v in views(Settings(), stored, T0)} == {
        "good": "unknown",
        "newer": "unusable",
    }


@pytest.mark.parametrize(
    ("members", "server"),
    [
        ({"host": "::1", "port": 5060}, "[::1]:5060"),
        ({"host": "::1"}, "::1"),
        ({"host": "pbx.example", "port": 5070}, "pbx.example:5070"),
    ],
)
def test_where_a_trunk_leads(members: dict[str, object], server: str) -> None:
    settings = Settings(trunks={"main": TrunkSettings.model_validate(members)})
    (view,) = views(settings, Stored(), T0)
    assert view.server == server


async def number(database: Database, kind: str, plain: str, label: str = "") -> None:
    async with database.unit_of_work() as session:
        await service.add_number(session, kind, plain, label)


async def test_numbers_of_the_policy_have_one_writing_each(either: Database) -> None:
    await number(either, "answer_key", "0917-3262001", "省值班室")
    await number(either, "allow", "(0917) 3262002")
    await number(either, "deny", "４００ *")
    stored = await kept(either)
    assert stored.answer_keys == {"+869173262001"}
    assert stored.allow == {"+869173262002"}
    assert stored.deny == {"400*"}
    with pytest.raises(PresentError):
        await number(either, "answer_key", "+86 917 3262001")
    for kind, wrong in (("allow", "nobody"), ("deny", "*9"), ("answer_key", "1" * 65)):
        with pytest.raises(ValueError, match="it takes") as caught:
            await number(either, kind, wrong)
        assert wrong not in str(caught.value)
    async with either.unit_of_work() as session:
        await service.remove_number(session, "answer_key", "09173262001")
    with pytest.raises(UnknownError):
        async with either.unit_of_work() as session:
            await service.remove_number(session, "answer_key", "09173262001")
    assert (await kept(either)).answer_keys == frozenset()


async def test_a_label_fits_its_column_and_its_line(either: Database) -> None:
    await number(either, "deny", "168*", "标" * 120)
    for label in ("标" * 121, "a\nb", "\x1b[31m"):
        with pytest.raises(service.LabelError, match="it takes at most 120"):
            await number(either, "deny", "160*", label)


async def test_the_audit_trail_shows_no_answer_key(database: Database) -> None:
    await number(database, "answer_key", "0917-3262001", "省值班室")
    async with database.reading() as session:
        lines = (await session.scalars(select(AuditEvent))).all()
    assert [(line.action, line.subject, line.detail) for line in lines] == [
        ("add answer_key", "number:1", "")
    ]


async def test_the_directory_is_the_allow_list(either: Database, either_settings: Settings) -> None:
    async with either.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        await directory.add_line(session, unit, "0917-3262000转6001")
        gone = await directory.add_line(session, unit, "0917-3262009")
        gone.active = False
    async with either.reading() as session:
        assert await directory_numbers(session) == {"0917-3262000"}
    await number(either, "deny", "0917326*")
    await number(either, "answer_key", "029-87654321")
    settings = either_settings.model_copy(update={"allow_numbers": ("0917-5550001", "0917-3262000")})
    policy = dial_policy(settings, await kept(either), [Trunk(numbers=NumberRules(area_code="917"))])
    policy.check("5550001")
    with pytest.raises(DeniedNumberError):
        policy.check("0917-3262000")
    with pytest.raises(NotAllowedError):
        policy.check("0917-4440001")
    with pytest.raises(AnswerKeyError):
        policy.check("02987654321")
    with pytest.raises(NeverDialledError):
        policy.check("110")


async def test_nothing_may_be_dialled_by_a_trunk_where_nothing_is_on_a_list() -> None:
    with pytest.raises(NotAllowedError):
        dial_policy(Settings(), Stored()).check("0917-3262000")


def test_answer_keys_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("\ufeff# superior offices\n029-87654321 # province\n\n0917-3262001转2\n", "utf-8")
    assert answer_keys(path) == {"029-87654321", "0917-3262001转2"}
    settings = Settings(answer_keys_file=path, allow_numbers=("029-87654321", "0917-3262001"))
    policy = dial_policy(settings, Stored())
    for key in ("02987654321", "0917-3262001"):
        with pytest.raises(AnswerKeyError):
            policy.check(key)


def test_a_file_of_answer_keys_that_cannot_be_read_forbids_everything(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    cases = [
        (b"029-87654321\nsecretary 3\n", "line 2"),
        (b"\xff\xfe\x00", "no UTF-8"),
        (None, "No such file"),
    ]
    for content, named in cases:
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(AnswerKeysError, match=named) as caught:
            dial_policy(Settings(answer_keys_file=path), Stored())
        told = problem(caught.value)
        assert told is not None
        assert told.startswith("DUTYRING_ANSWER_KEYS_FILE: ")
        assert "secretary" not in told


async def test_records_are_read_only_where_there_are_any(settings: Settings) -> None:
    assert await read_if_there(settings) == Stored()
    assert not settings.data_dir.exists()
    migrate(settings)
    async with Database(settings.url) as database, database.unit_of_work() as session:
        unit = await directory.add_unit(session, "001", "云溪县应急管理局")
        await directory.add_line(session, unit, "0917-3262000")
    # Databases of earlier versions have a directory; the first one has nothing else of this.
    for revision in ("0003", "0002", "0001"):
        downgrade(settings, revision)
        assert await read_if_there(settings) == Stored(directory=frozenset({"0917-3262000"}))


async def test_records_that_cannot_be_read_are_no_absent_records(settings: Settings) -> None:
    settings.data_dir.mkdir()
    (settings.data_dir / "dutyring.sqlite3").write_bytes(b"this is no database, not by far, " * 40)
    with pytest.raises(RecordsError, match="DUTYRING_DATA_DIR cannot be read"):
        await read_if_there(settings)
