"""封存, removal before its time and holds: who may do what to a recording, and what is left of it afterwards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import AuditEvent
from app.answers.models import AnswerItem
from app.checks.models import Attempt, CallFacts, Recording, StoredVerdict
from app.cli import main
from app.database import Base
from app.errors import BadInputError, ConflictError, ForbiddenError, NotFoundError
from app.evidence import forgetting, removals, samples, wordless
from app.evidence.models import RecordingHold
from app.samples.models import AnnouncementSample
from app.settings import Settings, get_settings
from app.transcripts.models import CallReading, Transcription, TranscriptPiece
from recordings import RecordingError
from tests.web.dial import Desk
from tests.web.fake import FakePhone
from tests.web.keeping import (
    HALF_YEAR,
    YEAR,
    archive_of,
    erased,
    hold,
    purge,
    recorded,
    row,
    sound_of,
    standing,
    trail,
    withdraw,
)
from tests.web.reviewing import LI, WANG, Office, as_person, running
from tests.web.test_evidence_retention import Trouble, office_check

Command = Callable[..., tuple[int, str, str]]
SECRET = "绝密暗语"


@pytest.fixture
async def office(settings: Settings) -> AsyncIterator[Office]:
    async with running(settings, units=2) as opened:
        yield opened


@pytest.fixture
async def either_office(either_settings: Settings) -> AsyncIterator[Office]:
    async with running(either_settings, units=2) as opened:
        yield opened


async def test_what_is_withdrawn_is_gone_at_once_and_its_hash_stays(either_office: Office) -> None:
    office = either_office
    key, other = await recorded(office, rings=(6_000.0, 7_000.0))
    before = await row(office, key)
    placed = await hold(office, key)
    found = await office.post(f"/recordings/{key}/withdraw", LI, reason="误拨私人电话")
    assert [ground["id"] for ground in found["despite"]] == [placed]
    assert found["deleted"]
    gone = await row(office, key)
    assert (gone.gone_why, gone.gone_by, gone.gone_reason) == ("withdrawn", LI, "误拨私人电话")
    assert (gone.sha256, gone.gone_at is not None) == (before.sha256, True)
    assert await sound_of(office, key) == (False, False)
    assert await sound_of(office, other) == (True, True)
    said = [(entry["sha256"], entry["why"], entry["who"]) for entry in erased(office)]
    assert said == [(before.sha256, "withdrawn", LI)]
    assert await trail(office, key) == [("hold", LI), ("withdraw", LI), ("erase", LI)]
    # Whoever plays it gets no further range.
    assert (await office.client.get(f"/recordings/{key}")).status_code in (404, 410)
    await office.post(f"/recordings/{key}/withdraw", LI, expect=409, reason="again")
    await office.post(f"/recordings/{key}/holds", LI, expect=409, reason="too late")
    await office.post("/recordings/999/withdraw", LI, expect=404, reason="nothing")
    await office.post(f"/recordings/{other}/withdraw", "local", expect=403, reason="nobody")
    await office.post(f"/recordings/{other}/withdraw", LI, expect=422, reason=" ")
    assert await sound_of(office, other) == (True, True)


async def test_of_two_that_withdraw_at_once_one_does(either_office: Office) -> None:
    office = either_office
    (key,) = await recorded(office)

    async def attempt() -> bool:
        try:
            return (await withdraw(office, key)).deleted
        except ConflictError:
            return False

    assert sum(await asyncio.gather(*(attempt() for _ in range(5)))) == 1
    assert len(erased(office)) == 1


async def test_the_very_same_sound_goes_wherever_it_stands(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def letting_go(session: AsyncSession, _: int) -> None:
        # A room that forgets by a statement of its own may expire what the session holds.
        session.expire_all()

    monkeypatch.setattr(forgetting, "FORGETTERS", [letting_go])
    first, second = await recorded(office, alike=True, rings=(None, None))
    await hold(office, second)
    found = await withdraw(office, first)
    assert found.recording_ids == (first, second)
    assert [ground.kind for ground in found.despite] == ["hold"]
    assert [(await row(office, key)).gone_why for key in (first, second)] == ["withdrawn"] * 2
    assert not (await sound_of(office, first))[0]


async def test_a_store_that_fails_keeps_nobody_from_withdrawing(office: Office) -> None:
    (key,) = await recorded(office)
    trouble = Trouble(archive_of(office), RecordingError("x", "no answer"))
    assert not (await withdraw(office, key, trouble)).deleted
    gone = await row(office, key)
    assert (gone.gone_why, gone.gone_at) == ("withdrawn", None)
    assert list(await standing(office)) == ["retention_failed"]
    assert (await purge(office)).deleted == 1
    assert await sound_of(office, key) == (False, False)
    assert await standing(office) == {}


async def test_a_withdrawal_is_whole_or_not_at_all(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing(*_: object) -> None:
        raise RuntimeError("the index does not answer")

    monkeypatch.setattr(forgetting, "FORGETTERS", [failing])
    (key,) = await recorded(office)
    with pytest.raises(RuntimeError):
        await withdraw(office, key)
    assert (await row(office, key)).gone_why is None
    assert await sound_of(office, key) == (True, True)
    assert await trail(office, key) == []


@pytest.mark.parametrize("room", ["app.transcripts", "app.answers"])
async def test_no_word_is_left_in_any_table(office: Office, room: str) -> None:
    assert any(forget.__module__.startswith(room) for forget in forgetting.FORGETTERS)
    (key,) = await recorded(office)
    async with office.database.unit_of_work() as session:
        said = Transcription(
            recording_id=key, state="done", requested_at=office.at, content={"them": {"text": SECRET}}, tries=1
        )  # fmt: skip
        session.add_all((said, Transcription(recording_id=key, state="running", requested_at=office.at)))
        await session.flush()
        words: Any = {"start_ms": 1.0, "end_ms": 2.0}
        if room == "app.transcripts":
            piece: Any = {"channel": "them", "text": SECRET, "sought": SECRET, "recording_id": key}
            # Copies for the search, where the table has them.
            copies: Any = {"called_at": office.at, "unit_id": office.units[0]}
            piece |= {name: value for name, value in copies.items() if hasattr(TranscriptPiece, name)}
            session.add(TranscriptPiece(transcription_id=said.id, **piece, **words))
            facts = await session.get(CallFacts, 1)
            assert facts is not None
            content = facts.content | {"transcript": {"utterances": [{"text": SECRET}]}}
            session.add(
                CallReading(attempt_id=1, transcription_id=said.id, content=content, made_at=office.at)
            )
        else:
            session.add(
                AnswerItem(attempt_id=1, transcription_id=said.id, kind="name", heard=SECRET, **words)
            )
    assert await tables_with(office, SECRET)
    await withdraw(office, key)
    assert await tables_with(office, SECRET) == []
    async with office.database.reading() as session:
        assert set(await session.scalars(select(Transcription.state))) == {"withdrawn"}


def test_no_finding_that_is_shown_quotes_what_was_withdrawn() -> None:
    detail = f"播出“关机”，按识别文字：words: “{SECRET}” (off)"
    findings = [
        {"code": "a", "detail": detail, "clauses": [{"words": "“须”"}]},
        {"code": "b", "detail": None},
    ]
    attempt = Attempt(
        verdicts=[StoredVerdict(content={"code": "a", "findings": findings})],
        recording=Recording(gone_why=None),
    )
    assert wordless.shown_verdict(attempt) == attempt.verdicts[0].content
    assert attempt.recording is not None
    attempt.recording.gone_why = "withdrawn"
    shown = wordless.shown_verdict(attempt)
    assert shown is not None
    assert SECRET not in str(shown)
    assert shown["findings"][0]["detail"] == "播出“（已封存）”，按识别文字：words: “（已封存）” (off)"
    assert (shown["findings"][0]["clauses"], shown["findings"][1]) == ([{"words": "“须”"}], findings[1])
    assert SECRET in str(attempt.verdicts[0].content)
    assert wordless.shown_verdict(Attempt(verdicts=[])) is None


async def tables_with(office: Office, words: str) -> list[str]:
    """Every table in any column of which these words stand."""
    found = []
    async with office.database.reading() as session:
        for table in Base.metadata.sorted_tables:
            rows = (await session.execute(select(table))).all()
            if any(
                words in json.dumps(list(one), ensure_ascii=False, default=str) or words in str(list(one))
                for one in rows
            ):
                found.append(table.name)
    return found


async def test_a_sample_that_was_cut_from_it_is_emptied(office: Office) -> None:
    (key,) = await recorded(office)
    attempt = (await row(office, key)).attempt_id
    async with office.database.unit_of_work() as session:
        session.add_all(
            AnnouncementSample(
                meaning="other",
                label=SECRET,
                version=1,
                prints=b"prints",
                length_ms=1.0,
                source=source,
                marked_by=LI,
                marked_at=office.at,
            )
            for source in (
                f"attempt {attempt}: objects/x.flac 0.00-1.00 s",
                f"attempt {attempt}1: x 0-1 s",
                "some.wav",
            )
        )
    await withdraw(office, key)
    async with office.database.reading() as session:
        cut, *others = (
            await session.scalars(select(AnnouncementSample).order_by(AnnouncementSample.id))
        ).all()
    assert (cut.prints, cut.label, cut.active, cut.removed_by) == (b"", samples.LABEL, False, LI)
    assert [(each.prints, each.label, each.active) for each in others] == [(b"prints", SECRET, True)] * 2


async def test_its_facts_are_shown_without_words_and_stored_as_they_were(office: Office) -> None:
    key, _ = await recorded(office, rings=(6_000.0, 6_000.0))
    check_id = (await office_check(office, key)).id
    spoken = {
        "transcript": {"utterances": [{"text": SECRET}]},
        "announcements": [
            {"road": "words", "meaning": "other", "detail": SECRET, "start_ms": 1, "end_ms": 2, "confidence": 1.0},
            {"road": "sample", "meaning": "busy", "detail": "样本", "start_ms": 1, "end_ms": 2, "confidence": 1.0},
        ],
        "answerer": [{"who": "human", "grade": "strong", "t_ms": 1.0, "detail": f"says {SECRET}"}],
    }  # fmt: skip
    async with office.database.unit_of_work() as session:
        for facts in await session.scalars(select(CallFacts)):
            forwarded = facts.content["forwarding"] | {
                "evidence": [{"kind": "announcement", "grade": "strong", "t_ms": 1.0,
                              "detail": f"transfer announced by words: {SECRET}"}]
            }  # fmt: skip
            facts.content = facts.content | spoken | {"forwarding": forwarded}
    await withdraw(office, key)
    first, second = [one["facts"] for one in (await office.get(f"/checks/{check_id}"))["attempts"]]
    assert SECRET not in json.dumps(first, ensure_ascii=False)
    assert (first["transcript"], first["announcements"][1]["detail"]) == (None, "样本")
    assert first["outcome"] == "answered"
    assert json.dumps(second, ensure_ascii=False).count(SECRET) == 4
    async with office.database.reading() as session:
        stored = (await session.scalars(select(CallFacts).order_by(CallFacts.attempt_id))).first()
    assert stored is not None
    assert SECRET in json.dumps(stored.content, ensure_ascii=False)
    assert wordless.without_words({}) == {}


async def test_the_page_says_what_became_of_the_recording(office: Office) -> None:
    desk = Desk(office.database, office.settings, FakePhone(office.settings.recordings_dir))
    with desk.open():
        _, line = await desk.unit("7001")
        check_id = await desk.order(line)
        await desk.call()
    async with office.database.reading() as session:
        (made,) = (await session.scalars(select(Recording))).all()
    assert "<audio" in (await office.client.get(f"/checks/{check_id}")).text
    await withdraw(office, made.id)
    page = (await office.client.get(f"/checks/{check_id}")).text
    assert "录音已封存" in page
    assert made.sha256 in page
    assert "<audio" not in page


async def test_a_removal_takes_two_people_an_age_and_nothing_that_holds(either_office: Office) -> None:
    office = either_office
    (key,) = await recorded(office)
    ask, decide = f"/recordings/{key}/removals", "/recordings/{}/removals/{}/decide"
    young = await office.post(ask, WANG, expect=409, reason="本人要求")
    assert "未满 180 天" in young["detail"]
    office.at += HALF_YEAR
    placed = await hold(office, key)
    assert f"人工保留 {placed}" in (await office.post(ask, WANG, expect=409, reason="本人要求"))["detail"]
    await office.post(f"/recordings/{key}/holds/{placed}/lift", LI, reason="办结")
    await office.post(f"/recordings/{key}/holds/{placed}/lift", LI, expect=409, reason="办结")
    await office.post(f"/recordings/{key}/holds/999/lift", LI, expect=404, reason="办结")
    asked = await office.post(ask, WANG, expect=201, reason="本人要求")
    await office.post(ask, LI, expect=409, reason="又一次")
    listed = (await office.get("/recording-removals", params={"state": "requested"}))["items"]
    assert [one["id"] for one in listed] == [asked["id"]]
    path = decide.format(key, asked["id"])
    await office.post(path, f" {WANG} ", expect=403, approve=True, reason="同意")
    second = await hold(office, key)
    await office.post(path, LI, expect=409, approve=True, reason="同意")
    await office.post(f"/recordings/{key}/holds/{second}/lift", LI, reason="办结")
    shown = await office.post(path, LI, approve=True, reason="同意")
    assert (shown["standing"], shown["gone"]["why"], shown["removals"][0]["state"]) == (
        "gone",
        "removed",
        "approved",
    )
    assert await sound_of(office, key) == (False, False)
    await office.post(path, LI, expect=409, approve=False, reason="后悔")
    await office.post(decide.format(key, 99), LI, expect=404, approve=True, reason="没有")
    actions = [action for action, _ in await trail(office, key)]
    assert [a for a in actions if "hold" not in a] == ["request_removal", "approve_removal", "erase"]


async def test_of_two_that_decide_at_once_one_does(either_office: Office) -> None:
    office = either_office
    (key,) = await recorded(office)
    office.at += HALF_YEAR
    async with office.database.unit_of_work() as session:
        asked = await removals.request(session, key, "本人要求", WANG)

    async def decide(who: str, approve: bool) -> bool:
        try:
            async with office.database.unit_of_work() as session:
                await removals.decide(session, key, asked.id, approve, "决定", who)
        except ConflictError:
            return False
        return True

    done = await asyncio.gather(*(decide(f"督查{n}", n % 2 == 0) for n in range(4)))
    assert sum(done) == 1
    gone = (await row(office, key)).gone_why
    assert gone == ("removed" if done.index(True) % 2 == 0 else None)


async def test_verbs_ask_for_a_person_a_reason_and_a_recording(office: Office) -> None:
    (key,) = await recorded(office)
    async with office.database.unit_of_work() as session:
        for who, reason, recording, error in (
            ("system", "为什么", key, ForbiddenError),
            (LI, "  ", key, BadInputError),
            (LI, "长" * 4_001, key, BadInputError),
            (LI, "为什么", 99, NotFoundError),
        ):
            with pytest.raises(error):
                await removals.request(session, recording, reason, who)
    async with office.database.reading() as session:
        assert (await session.scalars(select(RecordingHold))).all() == []
        assert (await session.scalars(select(AuditEvent).where(AuditEvent.action == "hold"))).all() == []


async def test_the_list_goes_page_by_page_and_narrows(either_office: Office) -> None:
    office = either_office
    town = (await office.add_units(1, parent=office.units[0]))[0]
    keys = []
    for position in (0, 1, 2, 0, 2):
        keys += await recorded(office, position)
        office.at += HALF_YEAR / 181
    await hold(office, keys[1])
    await withdraw(office, keys[3])
    newest = keys[::-1]
    assert await walk(office) == newest
    day = (await row(office, keys[1])).created_at.isoformat()
    for params, wanted in (
        ({"unit": office.units[0]}, [keys[4], keys[3], keys[2], keys[0]]),
        ({"unit": town}, [keys[4], keys[2]]),
        ({"unit": 999}, []),
        ({"held": True}, [keys[1]]),
        ({"held": False}, [key for key in newest if key != keys[1]]),
        ({"gone": True}, [keys[3]]),
        ({"gone": False, "unit": office.units[0]}, [keys[4], keys[2], keys[0]]),
        ({"why": "withdrawn"}, [keys[3]]),
        ({"why": "expired"}, []),
        ({"from": day}, newest[:-1]),
        ({"to": day}, [keys[0]]),
        ({"due": True}, []),
    ):
        assert await walk(office, **params) == wanted, params
    await purge(office)
    office.at += YEAR
    assert await walk(office, due=True) == [key for key in newest if key != keys[3]]
    shown = await office.get(f"/recordings/{keys[1]}")
    assert (shown["kept_by"], shown["retention_days"], shown["standing"]) == ("within", 365, "kept")
    assert [one["reason"] for one in shown["holds"]] == ["信访在办"]
    assert (await office.client.get("/api/v1/recordings/999")).status_code == 404
    assert (await office.client.get("/api/v1/recordings?after=x")).status_code == 422


async def walk(office: Office, **params: Any) -> list[int]:
    """Go through every page, two rows at a time."""
    keys: list[int] = []
    after: dict[str, str] = {}
    while True:
        answer = await office.get("/recordings", params={"limit": 2, **params, **after})
        keys += [item["id"] for item in answer["items"]]
        if answer["next"] is None:
            return keys
        after = {"after": answer["next"]}


async def test_a_finding_may_rest_on_something_else_once_its_recording_is_withdrawn(office: Office) -> None:
    case_id = await office.case(rings=(None,))
    key = (await office.get(f"/cases/{case_id}"))["recordings"][0]
    await office.post(f"/cases/{case_id}/propose", WANG, expect=409, code="no_answer")
    await withdraw(office, key)
    await office.post(f"/cases/{case_id}/propose", WANG, expect=422, code="no_answer")
    moved = await office.post(
        f"/cases/{case_id}/propose", WANG, code="no_answer", without_recording="通话记录与信令"
    )
    assert moved["state"] == "proposed"
    assert as_person(WANG)


@pytest.fixture
def command(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run `dutyring evidence` in this process; return status, standard output and standard error."""
    monkeypatch.setenv("DUTYRING_DATA_DIR", str(settings.data_dir))
    get_settings.cache_clear()

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["evidence", *arguments])
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return run


async def test_the_command_line_does_the_same(settings: Settings, command: Command) -> None:
    async with running(settings) as office:
        first, second = await recorded(office, rings=(6_000.0, 7_000.0))
        office.at -= YEAR
        await recorded(office)
        await purge(office)

    def run(*arguments: str) -> tuple[int, str, str]:
        return command(*arguments)

    try:
        await asyncio.to_thread(check_commands, run, first, second)
    finally:
        get_settings.cache_clear()


def check_commands(run: Command, first: int, second: int) -> None:
    who = ("--reason", "信访在办", "--by", LI)
    assert run("hold", str(first), *who) == (0, f"hold 1 keeps recording {first}\n", "")
    status, told, _ = run("withdraw", str(first), *who, "--json")
    assert (status, json.loads(told)["despite"]) == (0, [{"kind": "hold", "id": 1}])
    status, _, wrong = run("withdraw", str(first), *who)
    assert (status, "封存" in wrong) == (1, True)
    status, _, wrong = run("request-removal", str(second), *who)
    assert (status, "180" in wrong) == (1, True)
    assert run("lift", str(first), "1", *who)[0] == 0
    assert run("lift", str(first), "1", *who)[0] == 1
    for wrong_ones in (
        ("hold", "0", *who),
        ("hold", "99", *who),
        ("hold", str(second)),
        ("hold", "x", *who),
        ("hold", str(second), "--reason", "x", "--by", ""),
        ("decide-removal", str(second), "1", *who),
        ("decide-removal", str(second), "1", "--approve", *who),
    ):
        status, out, wrong = run(*wrong_ones)
        assert (status, out, wrong.count("\n")) == (2, "", 1), wrong_ones
    status, told, _ = run("due", "--json")
    assert (status, [one["standing"] for one in json.loads(told)["recordings"]]) == (0, ["kept"])
    assert "it goes within the hour" in " ".join(run("due")[1].split())
