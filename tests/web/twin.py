"""Two counties with a row of nearly everything each: who is for the first sees nothing of the second."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.models import Account, AccountGrant, ApiToken
from app.answers.models import AnswerItem
from app.archive import open_archive
from app.checks import service as checks
from app.checks.facts import Facts
from app.checks.models import (
    Attempt,
    AttemptEvent,
    CallFacts,
    EmergencyStop,
    Mitigation,
    OfficeAlarm,
    Recording,
    SpotCheck,
    StoredProposal,
    StoredVerdict,
)
from app.checks.rules import Exemptions, rules_of
from app.checks.verdict import judge
from app.database import Database
from app.directory import service as directory
from app.directory.models import (
    Confirmation,
    DutyLine,
    LineExemption,
    NumberChange,
    Person,
    Unit,
    UnitExemption,
    UnitRegime,
)
from app.evidence.models import RecordingHold, RecordingRemoval
from app.notices.models import Delivery, Notice
from app.phone_records import form
from app.phone_records.models import PhoneRecord, PhoneRecordVersion
from app.planning.models import DrawEpoch, DrawSkip, ManualCheck, Plan, PlanRun
from app.planning.spec import PlanSpec
from app.reports.models import ExportJob, SavedFilter
from app.reviews.models import Attachment, Case, CaseEvent, Publication, PublicationEntry
from app.rosters.models import Roster, Shift, Whereabouts
from app.samples.models import AnnouncementSample
from app.sealing import sealer
from app.settings import Settings
from app.transcripts import search
from app.transcripts.models import Transcription
from recordings.files import write_whole
from tests.web.fake import answered, write_tone
from tests.web.migrated import migrate
from tests.web.reviewing import proposal
from tests.web.searching import transcript

_FOLDER = tempfile.TemporaryDirectory(prefix="dutyring-twin-")
AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
DAY = date(2026, 11, 24)
HERE, THERE = "甲州", "乙州"
"""The word in every text of each county."""


@dataclass
class Side:
    """One county: its word, and the keys of its rows by the name of a path's parameter."""

    word: str
    mark: str
    keys: dict[str, Any] = field(default_factory=dict)

    def says(self, what: str) -> str:
        """A text of this county."""
        return f"{self.word}{what}{self.mark}"

    def __getitem__(self, name: str) -> Any:
        return self.keys[name]


@dataclass
class Twin:
    """Both counties."""

    here: Side
    there: Side


@lru_cache(maxsize=2)
def _made(mark: str) -> tuple[Path, Twin]:
    """A data folder that is filled once for all tests."""
    settings = Settings(data_dir=Path(_FOLDER.name) / f"data{len(mark)}", phone_process=False)
    migrate(settings)

    async def run() -> Twin:
        async with Database(settings.url) as database:
            return await fill(database, settings, mark)

    # Whoever asks may have a loop of events running.
    with ThreadPoolExecutor(1) as pool:
        twin = pool.submit(lambda: asyncio.run(run())).result()
    return settings.data_dir, twin


def copied(settings: Settings, mark: str = "") -> Twin:
    """Give a data folder that is not there yet both counties, with SQLite; many times faster than `fill`."""
    folder, twin = _made(mark)
    shutil.copytree(folder, settings.data_dir)
    return twin


async def fill(database: Database, settings: Settings, mark: str = "") -> Twin:
    """Fill a migrated database; `mark` stands in every text."""
    twin = Twin(Side(HERE, mark), Side(THERE, mark))
    (settings.data_dir / "recordings").mkdir(parents=True, exist_ok=True)
    for number, side in enumerate((twin.here, twin.there), 1):
        async with database.unit_of_work() as session:
            await _directory(session, side, number)
            await _rosters(session, side, settings)
            await _called(session, side, settings, number)
            await _reviewed(session, side, settings)
            await _planned(session, side, settings)
            await _kept(session, side)
            await _received(session, side, number)
            await _laid_down(session, side, settings, number)
    return twin


async def _directory(session: AsyncSession, side: Side, number: int) -> None:
    head = await directory.add_unit(session, f"c{number}", side.says("县"))
    unit = await directory.add_unit(session, f"c{number}-1", side.says("水利局"), side.says("镇街"), head)
    line = await directory.add_line(
        session, unit, f"0954-20{number}0001", f"sip:{number}001@127.0.0.1:5062", verified=True
    )
    line.name = side.says("值班室")[:80]
    rows: dict[str, Any] = {
        "regime_id": UnitRegime(
            unit_id=unit.id, first_day=date(2026, 1, 1), duty="onsite", leader="onsite", note=side.says("制度")
        ),
        "person_id": Person(unit_id=unit.id, name=side.says("张三")[:80], title=side.says("科长")[:80],
            phone="13900000001",
        ),
        "change_id": NumberChange(
            unit_id=unit.id, number=f"0954-20{number}0009", received_at=AT, received_by=side.says("李")[:80],
            recorded_at=AT, note=side.says("变更"),
        ),
        "line_exemption": LineExemption(line_id=line.id, kind="crbt", first_day=DAY, reason=side.says("故障")),
        "unit_exemption": UnitExemption(
            unit_id=unit.id, kind="maintenance", first_at=AT - timedelta(days=30), last_at=AT - timedelta(days=29),
            reason=side.says("检修"), entered_by=side.says("李")[:80], entered_at=AT,
        ),
        "confirmation": Confirmation(
            unit_id=unit.id, quarter="2026Q3", confirmed_at=AT, confirmed_by=side.says("王")[:80],
            note=side.says("确认"),
        ),
    }  # fmt: skip
    session.add_all(rows.values())
    await session.flush()
    side.keys |= {name: row.id for name, row in rows.items()}
    side.keys |= {"head": head.id, "unit_id": unit.id, "line_id": line.id, "code": unit.code}


async def _rosters(session: AsyncSession, side: Side, settings: Settings) -> None:
    roster = Roster(
        unit_id=side["unit_id"], day=DAY, kind="duty", version=1, filed_at=AT, filed_by=side.says("值班")[:80],
        note=side.says("表"),
    )  # fmt: skip
    session.add(roster)
    await session.flush()
    session.add(
        Shift(
            roster_id=roster.id, name=side.says("李四")[:80], title=side.says("员")[:80], phone="13900000002",
            start_at=AT, end_at=AT + timedelta(hours=12),
        )
    )  # fmt: skip
    now = datetime.now(UTC)
    row = Whereabouts(
        unit_id=side["unit_id"], name=side.says("局长")[:80], first_at=now, last_at=now + timedelta(days=2),
        sealed_place="", entered_at=now, entered_by=side.says("李")[:80], expires_at=now + timedelta(days=3),
    )  # fmt: skip
    session.add(row)
    await session.flush()
    row.sealed_place = sealer(settings).seal(side.says("出差").encode(), f"whereabouts:{row.id}")
    side.keys |= {"roster_id": roster.id, "row_id": row.id}


async def _called(session: AsyncSession, side: Side, settings: Settings, number: int) -> None:
    line = await session.get(DutyLine, side["line_id"])
    assert line is not None
    check = SpotCheck(
        line_id=line.id, kind="random", due_at=AT, first_due_at=AT, closed_at=AT, state="done", created_at=AT,
        reason=side.says("抽查")[:200], ordered_by=side.says("李")[:80],
    )  # fmt: skip
    session.add(check)
    await session.flush()
    record = answered(line.target, 24_000.0)
    content = record.to_dict() | {"sip_reason": side.says("Ringing")}
    attempt = Attempt(
        check_id=check.id, line_id=line.id, unit_id=line.unit_id, target=line.target, state="finished", owner="test",
        claimed_at=AT, started_at=AT, ended_at=AT + timedelta(minutes=1), call_id=f"{number}-{side.says('call')}"[:255],
        outcome=record.outcome, answered_by=record.answered_by, ring_to_answer_ms=record.ring_to_answer_ms,
        ring_to_answer_min_ms=record.ring_to_answer_min_ms, rings=5, verdict_code="overtime", needs_review=True,
        proposal_code="late_answer",
    )  # fmt: skip
    session.add(attempt)
    await session.flush()
    verdict = judge(Facts.from_json(content), rules_of(settings), Exemptions()).to_dict()
    for found in verdict["findings"]:
        found["detail"] = side.says("过晚")
    session.add_all(
        [
            CallFacts(attempt_id=attempt.id, content=content),
            AttemptEvent(attempt_id=attempt.id, at=AT, state="finished", detail=side.says("事件")),
            StoredVerdict(
                attempt_id=attempt.id, rule_set="r", code="overtime", lawful=None, needs_review=True,
                content=verdict, judged_at=AT,
            ),
            StoredProposal(
                check_id=check.id, rule_set="some/1", in_force=True, code="late_answer",
                content=proposal("late_answer", reasons=[side.says("理由")]), judged_at=AT,
            ),
        ]
    )  # fmt: skip
    mitigation = Mitigation(
        check_id=check.id, kind="called_back", at=AT, number="0954-2032", note=side.says("回拨"), recorded_at=AT,
        recorded_by=side.says("李")[:80],
    )  # fmt: skip
    session.add(mitigation)
    recording = await _sound(session, side, settings, "check", attempt)
    trace = settings.recordings_dir / f"{checks.recording_name(attempt)}{checks.TRACE_SUFFIX}"
    trace.parent.mkdir(parents=True, exist_ok=True)
    trace.write_text(f"SIP/2.0 180 {side.says('Ringing')}\r\n", "utf-8", newline="")
    said = await _words(session, side, recording)
    item = AnswerItem(
        attempt_id=attempt.id, transcription_id=said.id, kind="unit", heard=side.says("水利局"), heard_pinyin="",
        start_ms=0.0, end_ms=100.0, expected=side.says("水利局"), distance=0.0, grade="strong", note=side.says("注"),
    )  # fmt: skip
    session.add(item)
    await session.flush()
    side.keys |= {"check_id": check.id, "order_id": check.id, "attempt_id": attempt.id, "item_id": item.id}
    side.keys |= {"recording_id": recording.id, "mitigation_id": mitigation.id}


async def _sound(
    session: AsyncSession, side: Side, settings: Settings, kind: str, attempt: Attempt | None
) -> Recording:
    # Each sound is another one: the archive keeps the same one once.
    length_ms = 200.0 + len(side.keys) * 10
    made = write_tone(settings.data_dir, f"{kind}-{side.word}", length_ms)
    file = settings.data_dir / made.path
    file.write_bytes(file.read_bytes() + side.word.encode())
    name = checks.recording_name(attempt) if attempt is not None else f"report/{side.word}"
    info = open_archive(settings).add(file, name, "check" if kind == "check" else "report")
    file.unlink()
    row = Recording(
        kind=kind, attempt_id=None if attempt is None else attempt.id, path=info.path, sha256=info.sha256,
        duration_ms=info.duration_ms, channels=2, sample_rate=8000, created_at=AT,
    )  # fmt: skip
    session.add(row)
    await session.flush()
    return row


async def _words(session: AsyncSession, side: Side, recording: Recording) -> Transcription:
    row = Transcription(
        recording_id=recording.id, state="done", requested_at=AT, done_at=AT, engine="test",
        content={"us": transcript(), "them": transcript(side.says("您好水利局"))},
    )  # fmt: skip
    session.add(row)
    await session.flush()
    await search.index(session, row, ())
    return row


async def _reviewed(session: AsyncSession, side: Side, settings: Settings) -> None:
    case = Case(
        check_id=side["check_id"], unit_id=side["unit_id"], code="late_answer", kind="random", happened_at=AT,
        proposal=proposal("late_answer", reasons=[side.says("理由")]), opened_at=AT, changed_at=AT, state="confirmed",
        confirmed_code="late_answer", confirmed_by=side.says("王")[:80],
    )  # fmt: skip
    session.add(case)
    await session.flush()
    path = f"attachments/00/{side['unit_id']}"
    write_whole(settings.data_dir / path, [side.says("附件").encode()])
    attachment = Attachment(
        case_id=case.id, name=side.says("附件.txt"), media_type="text/plain", size=6, sha256="0" * 64, path=path,
        added_at=AT, added_by=side.says("王")[:80],
    )  # fmt: skip
    publication = Publication(
        kind="bulletin",
        title=side.says("通报"),
        published_at=AT,
        published_by=side.says("王")[:80],
        note=side.says("注"),
    )
    manual = ManualCheck(
        unit_id=side["unit_id"], source="on_site", at=AT, made_by=side.says("王")[:80], found=side.says("在岗"),
        document=side.says("文"), entered_at=AT, entered_by=side.says("王")[:80],
    )  # fmt: skip
    session.add_all([attachment, publication, manual])
    await session.flush()
    session.add_all(
        [
            CaseEvent(
                case_id=case.id, at=AT, who=side.says("王")[:80], action="confirm", from_state="to_review",
                to_state="confirmed", content={"reason": side.says("依据")},
            ),
            PublicationEntry(publication_id=publication.id, case_id=case.id),
        ]
    )  # fmt: skip
    side.keys |= {"case_id": case.id, "attachment_id": attachment.id, "publication_id": publication.id}
    side.keys |= {"manual_id": manual.id}


def spec(*subtrees: int, note: str = "") -> dict[str, Any]:
    """What a plan for these subtrees says."""
    window = {"start": "09:00", "end": "17:00"}
    found = {
        "first_day": "2026-12-01",
        "last_day": "2026-12-31",
        "windows": {"workday": [window]},
        "note": note,
    }
    return PlanSpec.model_validate(found | {"units": {"subtrees": list(subtrees)}}).to_content()


async def _planned(session: AsyncSession, side: Side, settings: Settings) -> None:
    content = spec(side["head"], note=side.says("注")[:100])
    plan = Plan(
        name=side.says("计划")[:120], running=False, state="draft", content=content, created_at=AT,
        created_by=side.says("李")[:80],
    )  # fmt: skip
    session.add(plan)
    await session.flush()
    run = PlanRun(
        plan_id=plan.id, number=1, started_at=AT, started_by=side.says("李")[:80], sealed_seed="x", commitment="0" * 64,
        ended_at=AT, ended_why=side.says("取消"), seed="0" * 64, revealed_at=AT,
    )  # fmt: skip
    session.add(run)
    await session.flush()
    session.add_all(
        [
            DrawEpoch(
                run_id=run.id, number=0, drawn_at=AT, cause=side.says("start"), inputs={"note": side.says("输入")},
                inputs_sha256="0" * 64, chain="0" * 64,
            ),
            DrawSkip(run_id=run.id, epoch=0, slot=0, line_id=side["line_id"], at=AT, why="missed", noted_at=AT),
            OfficeAlarm(
                kind="coverage_short", subject=f"plan:{plan.id}", detail=side.says("不足"), raised_at=AT
            ),
        ]
    )  # fmt: skip
    stop = EmergencyStop(
        unit_id=side["unit_id"], reason=side.says("停拨"), placed_at=AT, placed_by=side.says("李")[:80]
    )
    session.add(stop)
    await session.flush()
    side.keys |= {"plan_id": plan.id, "number": 1, "epoch": 0, "stop_id": stop.id}


async def _kept(session: AsyncSession, side: Side) -> None:
    hold = RecordingHold(
        recording_id=side["recording_id"],
        reason=side.says("保全"),
        placed_at=AT,
        placed_by=side.says("王")[:80],
    )
    removal = RecordingRemoval(
        recording_id=side["recording_id"],
        reason=side.says("申请"),
        requested_at=AT,
        requested_by=side.says("王")[:80],
    )
    session.add_all([hold, removal])
    await session.flush()
    side.keys |= {"hold_id": hold.id, "removal_id": removal.id}


async def _received(session: AsyncSession, side: Side, number: int) -> None:
    fields = {
        "unit": side.says("水利局"),
        "content": side.says("汛情"),
        "day": DAY.isoformat(),
        "office": side.says("室"),
    }
    record = PhoneRecord(
        number=f"2026-{number:04}", source="incoming", unit_id=side["unit_id"], called_at=AT, state="draft",
        created_at=AT, created_by=side.says("李")[:80],
    )  # fmt: skip
    session.add(record)
    await session.flush()
    session.add(
        PhoneRecordVersion(
            record_id=record.id, version=1, content=form.new_content(fields, AT), written_at=AT,
            written_by=side.says("李")[:80],
        )
    )  # fmt: skip
    side.keys |= {"record_id": record.id}


OF_ACCOUNTS = {1: 90, 2: 89}
"""The account of each county, whose saved filter, export and token these are."""


async def _laid_down(session: AsyncSession, side: Side, settings: Settings, number: int) -> None:
    """What belongs to accounts: of the county, or nobody's in particular."""
    key = OF_ACCOUNTS[number]
    head = await session.get(Unit, side["head"])
    assert head is not None
    session.add(
        Account(
            id=key, login=f"county{number}", name=side.says("账号")[:80], state="active", created_at=AT,
            created_by="local",
        )
    )  # fmt: skip
    await session.flush()
    kept = SavedFilter(
        account_id=key, name=side.says("筛选")[:40], query=f"unit={side['unit_id']}", created_at=AT
    )
    file = f"{number}.csv"
    job = ExportJob(
        account_id=key, who=side.says("账号")[:80], state="done", table="sign", form="csv", asked={},
        told=side.says("条件"), rights={"paths": [head.path], "numbers": True}, done=1, total=1, file=file, size=1,
        sha256="0" * 64, created_at=AT, finished_at=datetime.now(UTC),
    )  # fmt: skip
    token = ApiToken(
        account_id=key, name=side.says("令牌")[:80], digest=f"{number:064}", permissions=["checks"], created_at=AT,
        expires_at=datetime(2100, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    notice = Notice(kind="test", count=1, raised_at=AT, told_at=AT, cleared_at=AT)
    sample = AnnouncementSample(
        meaning="powered_off",
        label=f"关机{number}",
        version=1,
        prints=b"",
        length_ms=1.0,
        marked_by="王",
        marked_at=AT,
    )
    session.add_all(
        [kept, job, token, notice, sample, AccountGrant(
            account_id=key, state="in_force", roles=["dispatcher"], unit_ids=[head.id], asked_at=AT, asked_by="王",
        )]
    )  # fmt: skip
    await session.flush()
    session.add(
        Delivery(
            notice_id=notice.id, channel="mail", event="raised", message_id=f"m{number}", count=1, at=AT,
            state="given_up", next_at=AT,
        )
    )  # fmt: skip
    write_whole(settings.data_dir / "exports" / file, [side.says("表").encode()])
    side.keys |= {"filter_id": kept.id, "job_id": job.id, "token_id": token.id, "account_id": key}
