"""What the pages of 系统 show, made of rows and settings."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from sqlalchemy import Select, and_, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from app.checks import alarms
from app.checks.disk import MB, recording_folders
from app.checks.models import Recording
from app.checks.proposal_codes import CODES as PROPOSALS
from app.checks.rules import CODES
from app.engines import models_folder
from app.evidence import holding
from app.evidence.models import RecordingRemoval
from app.notices import wording
from app.notices.models import Delivery
from app.operations.findings import STATE_ZH, Finding
from app.operations.readiness import archive_folder, head_revision, is_local
from app.operations.version import version
from app.phone_keeper import PhoneKeeper
from app.settings import Settings
from app.transcriber_keeper import TranscriberKeeper
from app.transcripts import repository as transcripts
from app.trunks.models import TrunkEvent
from app.trunks.wording import alarm_en, alarm_zh
from app.web.i18n import FIRST, language
from app.web.i18n import gettext as _
from app.web.system.settings_zh import SETTING_ZH
from app.web.views import clock_time
from recordings.manifest import MANIFEST
from recordings.transcription.installing import installed
from recordings.transcription.models import KNOWN
from sip.trunks import PHONE

__all__ = ["STATE_ZH"]
STORAGE_ALARMS = ("recordings_unstored", "disk_low", "disk_full", "retention_failed")
MOST_COUNTED = 100_000
"""Counting further would take longer than a page may."""
_CAPS_ZH = (
    (r"(\d+) at once", r"同时 \1 路"),
    (r"([\d.]+)/s\b", r"每秒 \1 次"),
    (r"(\d+)/number in (\S+) s", r"每个号码 \2 秒内 \1 次"),
    (r"(\d+)/identity in (\S+) s", r"每个主叫 \2 秒内 \1 次"),
    (r"^none$", "不限"),
    (", ", "，"),
)
MODEL_ZH = {
    "vosk-small-cn": "Vosk 普通话小模型，下载 42 MB",
    "whisper-base": "Whisper 基础模型（多语种），由两个数据包合成，145 MB",
}
CHANNEL_ZH = {"mail": "邮件", "webhook": "推送"}
EVENT_ZH = {"raised": "提醒", "over": "恢复"}
DELIVERY_ZH = {"waiting": "待发送", "sent": "已发送", "given_up": "已放弃", "withdrawn": "不再发送"}
TRUNK_EVENT_ZH = {
    "up": "恢复正常",
    "down": "不通",
    "registered": "注册成功",
    "unregistered": "注册失效",
    "alarm_raised": "告警",
    "alarm_cleared": "告警解除",
    "stopped": "停止",
}
TOLD_ZH = {
    "ok": "正常", "failed": "故障", "off": "未启用", "starting": "启动中", "old": "需要升级", "newer": "高于本程序",
    "ready": "正常", "failing": "无法启动", "no_engine": "没有识别模型",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FindingView:
    """One line of an examination."""

    state: str
    said: tuple[str, str]
    """In Chinese and in English."""
    do: tuple[str, str]


def finding(one: Finding) -> FindingView:
    """Make one line of an examination."""
    return FindingView(one.state, (one.zh, one.en), (one.do_zh, one.do_en))


@dataclass(frozen=True, slots=True)
class Line:
    """A word and what is said of it."""

    name: str
    value: str
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened to a trunk."""

    at: str
    trunk: str
    what: str
    detail: str


def trunk_event(row: TrunkEvent, zone: ZoneInfo, language: str) -> EventView:
    """Make one event of a trunk."""
    what = _(TRUNK_EVENT_ZH.get(row.kind, row.kind))
    if row.alarm:
        what += _("：") + (alarm_zh(row.alarm) if language == "zh-CN" else alarm_en(row.alarm))
    trunk = _("本机") if row.trunk == PHONE else row.trunk
    return EventView(clock_time(row.at, zone), trunk, what, row.detail)


def caps_zh(caps: str) -> str:
    """Say in Chinese what a trunk's caps are; the command line has them in English (`app.trunks.view.caps`)."""
    for pattern, words in _CAPS_ZH:
        caps = re.sub(pattern, words, caps)
    return caps


@dataclass(frozen=True, slots=True)
class AlarmView:
    """An alarm of the office that stands."""

    title: str
    meaning: str
    since: str
    detail: str


def _detail(text: str) -> str:
    """Say what an alarm is of; a detail of another form stays as it was written."""
    found = re.fullmatch(r"from (\S+) on days follow the weekend rule", text)
    return _("自 %(day)s 起按双休日规则推定") % {"day": found[1]} if found else text


async def office_alarms(
    session: AsyncSession, zone: ZoneInfo, kinds: Collection[str] | None = None
) -> Sequence[AlarmView]:
    """The alarms of the office that stand."""
    found = []
    for row in await alarms.standing(session):
        if kinds is None or row.kind in kinds:
            zh, meaning = alarms.KINDS.get(row.kind, (row.kind, ""))
            found.append(AlarmView(_(zh), meaning, clock_time(row.raised_at, zone), _detail(row.detail)))
    return found


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One message of the log."""

    id: int
    at: str
    title: str
    event: str
    channel: str
    state: str
    state_name: str
    tries: int
    when: str
    """When it was sent or is tried next."""
    error: str


def delivery(row: Delivery, zone: ZoneInfo, language: str) -> DeliveryView:
    """Make one line of the log."""
    title = wording.title_zh if language == "zh-CN" else wording.title_en
    return DeliveryView(
        row.id,
        clock_time(row.at, zone),
        title(row.notice.kind, row.count),
        EVENT_ZH[row.event],
        CHANNEL_ZH[row.channel],
        row.state,
        DELIVERY_ZH[row.state],
        row.tries,
        clock_time(row.done_at or row.next_at, zone),
        row.error,
    )


def settings_rows(settings: Settings) -> Sequence[tuple[str, str, bool, str]]:
    """Variable, value, whether it was set, what it means. Secrets are only said to be set."""
    return [
        (
            f"DUTYRING_{name.upper()}",
            _setting(settings, name),
            name in settings.model_fields_set,
            _about(name, field.description or ""),
        )
        for name, field in type(settings).model_fields.items()
    ]


def _about(name: str, english: str) -> str:
    return english if language() != FIRST else SETTING_ZH.get(name, "")


def _setting(settings: Settings, name: str) -> str:
    value: Any = getattr(settings, name)
    if value is None or value == () or value == {}:
        return ""
    if isinstance(value, SecretStr):
        return "••••••"
    if name == "database_url":
        return make_url(value).render_as_string(hide_password=True)
    if name == "notice_webhook_url":
        return _without_key(str(value))
    if name == "trunks":
        return "、".join(value)
    if name == "allow_numbers":
        return _("%s 个号码") % len(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "、".join(map(str, value))
    if isinstance(value, dict):
        return "、".join(f"{key}：{item}" for key, item in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _without_key(address: str) -> str:
    """An address whose path or query may hold the key by which its owner knows us, as gateways of chat groups do."""
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    bare = f"{parts.scheme}://{host}"
    return bare if bare == address.rstrip("/") else f"{bare}/…"


async def state_rows(
    session: AsyncSession,
    settings: Settings,
    phone: PhoneKeeper | None,
    transcriber: TranscriberKeeper | None,
) -> Sequence[Line]:
    """Version, processes, database, and the queue of speech."""
    figures = await transcripts.figures(session)
    kind = make_url(settings.url).get_backend_name()
    rows = [
        Line("版本", version()),
        Line(
            "运行环境", f"Python {platform.python_version()}{_('，')}{platform.system()} {platform.machine()}"
        ),
        Line(
            "数据库",
            f"{'PostgreSQL' if kind == 'postgresql' else 'SQLite'}{_('，')}{_('结构版本')} {head_revision()}",
        ),
        Line("时区", settings.timezone),
    ]
    if phone is None:
        rows.append(Line("拨测程序", _("未启用")))
    else:
        told = f"{_(TOLD_ZH[phone.state])}{_('，')}{_('启动 %s 次') % phone.starts}"
        rows.append(Line("拨测程序", told, phone.failing))
    if transcriber is None:
        rows.append(Line("转写程序", _("未启用")))
    else:
        engine = transcriber.engine
        name = "" if engine is None else f"{_('，')}{engine.title}"
        rows.append(Line("转写程序", _(TOLD_ZH[transcriber.told]) + name, transcriber.failing))
    rows.append(Line("等待转写", str(figures.waiting)))
    rows.append(Line("正在转写", str(figures.running)))
    rows.append(Line("转写失败", str(figures.failed), figures.failed > 0))
    return rows


def models(settings: Settings) -> Sequence[tuple[str, str, bool]]:
    """Name, title, and whether it is installed, of each model that there is."""
    here = {model.name for model in installed(models_folder(settings))}
    titles = MODEL_ZH if language() == FIRST else {}
    return [(model.name, titles.get(model.name, model.title), model.name in here) for model in KNOWN]


async def _count(session: AsyncSession, query: Select[Any]) -> str:
    number = (
        await session.scalar(select(func.count()).select_from(query.limit(MOST_COUNTED + 1).subquery())) or 0
    )
    return f"> {MOST_COUNTED}" if number > MOST_COUNTED else str(number)


async def storage_figures(session: AsyncSession, now: datetime) -> Sequence[Line]:
    """How many recordings there are, are held, are over, or are to go."""
    keys = select(Recording.id)
    there = Recording.gone_at.is_(None)
    # Both are said, for the index of what is still there holds the rest.
    kept = and_(there, Recording.gone_why.is_(None))
    asked = select(RecordingRemoval.id).where(RecordingRemoval.state == "requested")
    held = select(Recording.id).where(kept, Recording.keep_until <= now, holding.held(now))
    going = keys.where(there, Recording.gone_why.is_not(None))
    return [
        Line("在存录音", await _count(session, keys.where(kept))),
        Line("到期待清理", await _count(session, keys.where(kept, Recording.keep_until <= now))),
        Line("到期但被保留", await _count(session, held)),
        Line("正在删除", await _count(session, going)),
        Line("已删除", await _count(session, keys.where(Recording.gone_at.is_not(None)))),
        Line("待审批的删除申请", await _count(session, asked)),
    ]


def storage_places(settings: Settings) -> Sequence[Line]:
    """Where recordings lie, and what room there is."""
    encrypted = settings.recordings_key_file is not None or settings.recordings_key is not None
    where = str(archive_folder(settings).absolute()) if is_local(settings) else str(settings.recordings_url)
    rows = [Line("录音位置", where), Line("静态加密", _("已启用") if encrypted else _("未启用"))]
    manifest = settings.recordings_dir / MANIFEST
    rows.append(Line("清单", f"{manifest.stat().st_size // 1000} kB" if manifest.exists() else _("尚无")))
    for title, folder in recording_folders(settings).items():
        there = next((one for one in (folder, *folder.parents) if one.exists()), folder)
        try:
            room = shutil.disk_usage(there)
        except OSError:
            rows.append(Line(title, _("无法读取"), True))
            continue
        free = room.free // MB
        told = _("剩余 %(free)s，共 %(all)s") % {"free": _size(room.free), "all": _size(room.total)}
        rows.append(Line(title, told, free < settings.disk_alarm_mb))
    return rows


def _size(room: int) -> str:
    """Room in MB, as the settings have it, or in GB where that is easier to read."""
    return f"{room // MB} MB" if room < 10_000 * MB else f"{room / MB / 1000:.1f} GB"


def retention_by_code(settings: Settings) -> Sequence[tuple[str, int]]:
    """Name of the code and days, of those that are kept for another time."""
    return [(_code_zh(code), days) for code, days in sorted(settings.retention_days_by_code.items())]


def _code_zh(code: str) -> str:
    for known in (CODES, PROPOSALS):
        info: Any = dict(known).get(code)  # type: ignore[call-overload]
        if info is not None:
            return str(info.zh)
    return code
