"""Notices: what is wrong becomes one notice a kind; messages are sent once, tried again, given up, and name nobody."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select

from app import clock
from app.accounts.permissions import Permission, Role, carried_by
from app.accounts.principal import Principal
from app.checks import alarms
from app.database import Database
from app.notices import mail, service, webhook
from app.notices.errors import DeliveryError
from app.notices.models import KINDS, Delivery, Notice
from app.notices.sending import NoticeKeeper, link_of
from app.notices.wording import Message, message
from app.settings import Settings, TrunkSettings
from app.trunks import service as trunks
from app.trunks.service import Said, Standing
from tests.web.hook_server import hook_server
from tests.web.mail_server import mail_server

NOON = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
SECRET = "a secret of sixteen signs and more"


class Watch:
    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at

    def on(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    kept = Watch()
    monkeypatch.setattr(clock, "now", kept)
    return kept


class Box:
    """A way of sending that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.failure = ""

    async def __call__(self, _: Settings, told: Message) -> str:
        await asyncio.sleep(0)
        if self.failure:
            raise DeliveryError(self.failure)
        self.sent.append(told)
        return ""


def with_mail(settings: Settings, **more: Any) -> Settings:
    given = {"smtp_host": "127.0.0.1", "smtp_security": "none", "notice_mail_to": ("office@example.org",)}
    return settings.model_copy(update=given | more)


async def alarm(
    database: Database, kind: str, subject: str = "", detail: str = "", *, over: bool = False
) -> None:
    async with database.unit_of_work() as session:
        if over:
            await alarms.clear_alarm(session, kind, subject)
        else:
            await alarms.raise_alarm(session, kind, subject, detail)


async def log_of(database: Database) -> list[tuple[str, str, str, int]]:
    async with database.reading() as session:
        rows = (await session.scalars(select(Delivery).order_by(Delivery.id))).all()
        return [(row.channel, row.event, row.state, row.tries) for row in rows]


async def test_one_notice_a_kind_is_told_after_a_while_and_told_over(
    either: Database, either_settings: Settings, watch: Watch
) -> None:
    settings, box = with_mail(either_settings), Box()
    keeper = NoticeKeeper(either, settings, ways={"mail": box})
    await alarm(either, "disk_low", detail="数据目录剩余约 50 MB")
    assert await keeper.look() == 0
    async with either.reading() as session:
        assert [(n.kind, n.count, n.told_at) for n in await session.scalars(select(Notice))] == [
            ("disk", 1, None)
        ]
    watch.on(seconds=61)
    await alarm(either, "disk_full")
    assert await keeper.look() == 1
    assert [(m.kind, m.event, m.count, m.at) for m in box.sent] == [("disk", "raised", 2, NOON)]
    watch.on(minutes=5)
    assert await keeper.look() == 0, "what stands is told once"
    for kind in ("disk_low", "disk_full"):
        await alarm(either, kind, over=True)
    assert await keeper.look() == 1
    assert (box.sent[1].event, box.sent[1].title_zh[:4]) == ("over", "已恢复：")
    assert await log_of(either) == [("mail", "raised", "sent", 1), ("mail", "over", "sent", 1)]
    await alarm(either, "disk_low")
    await keeper.look()
    watch.on(seconds=61)
    assert await keeper.look() == 1, "another time is another notice"
    assert len({m.id for m in box.sent}) == 3


async def test_what_is_over_at_once_is_not_told(database: Database, settings: Settings, watch: Watch) -> None:
    box = Box()
    keeper = NoticeKeeper(database, with_mail(settings), ways={"mail": box})
    await alarm(database, "coverage_short", "plan:1")
    await keeper.look()
    watch.on(seconds=30)
    await alarm(database, "coverage_short", "plan:1", over=True)
    watch.on(seconds=60)
    await keeper.look()
    assert (box.sent, await log_of(database)) == ([], [])


async def test_a_failed_message_is_tried_with_growing_pauses_then_given_up(
    either: Database, either_settings: Settings, watch: Watch
) -> None:
    settings, box = with_mail(either_settings, notice_after_s=0.0), Box()
    box.failure = "mail server: Connection refused"
    keeper = NoticeKeeper(either, settings, ways={"mail": box})
    await alarm(either, "calendar_ending")
    await keeper.look()
    for number, pause_s in enumerate(service.PAUSES_S, 1):
        assert await log_of(either) == [("mail", "raised", "waiting", number)]
        watch.on(seconds=pause_s - 1)
        await keeper.look()
        assert (await log_of(either))[0][3] == number, "not before its time"
        watch.on(seconds=2)
        await keeper.look()
    assert await log_of(either) == [("mail", "raised", "given_up", service.MOST_TRIES)]
    async with either.unit_of_work() as session:
        row = await session.scalar(select(Delivery))
        assert row is not None
        assert row.error == "mail server: Connection refused"
        await service.again(session, row.id)
    box.failure = ""
    # Whoever comes after a restart goes on with the log.
    assert await NoticeKeeper(either, settings, ways={"mail": box}).look() == 0, (
        "the lease of the first still holds"
    )
    watch.on(minutes=3)
    assert await NoticeKeeper(either, settings, ways={"mail": box}).look() == 1
    assert await log_of(either) == [("mail", "raised", "sent", 1)]


async def test_what_is_over_before_it_was_sent_is_withdrawn(
    database: Database, settings: Settings, watch: Watch
) -> None:
    box = Box()
    box.failure = "down"
    keeper = NoticeKeeper(database, with_mail(settings, notice_after_s=0.0), ways={"mail": box})
    await alarm(database, "calendar_ending")
    await keeper.look()
    await alarm(database, "calendar_ending", over=True)
    box.failure = ""
    watch.on(hours=1)
    await keeper.look()
    assert (box.sent, await log_of(database)) == ([], [("mail", "raised", "withdrawn", 1)])


async def test_of_many_processes_one_sends(either: Database, either_settings: Settings) -> None:
    settings, box = with_mail(either_settings, notice_after_s=0.0), Box()
    for kind in ("calendar_ending", "disk_low", "coverage_short", "clock_off"):
        await alarm(either, kind)
    others = [Database(either_settings.url) for _ in range(4)]
    try:
        keepers = [NoticeKeeper(each, settings, ways={"mail": box}) for each in (either, *others)]
        for _ in range(3):
            await asyncio.gather(*(keeper.look() for keeper in keepers))
    finally:
        for each in others:
            await each.close()
    assert sorted(m.kind for m in box.sent) == ["calendar_ending", "coverage_short", "disk", "other_alarms"]


async def test_a_way_that_is_no_longer_set_up_keeps_nothing_waiting(
    database: Database, settings: Settings, watch: Watch
) -> None:
    box = Box()
    box.failure = "down"
    keeper = NoticeKeeper(database, with_mail(settings, notice_after_s=0.0), ways={"mail": box})
    await alarm(database, "disk_low")
    await keeper.look()
    watch.on(hours=1)
    await NoticeKeeper(database, settings, ways={"mail": box}).look()
    assert await log_of(database) == [("mail", "raised", "withdrawn", 1)]


UNIT, NUMBER = "云溪县应急管理局", "09173262000"


async def test_no_name_and_no_number_of_the_records_gets_into_any_message(
    either: Database, either_settings: Settings, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    for kind in alarms.KINDS:
        await alarm(either, kind, f"{UNIT} {NUMBER}", f"{UNIT}，{NUMBER} 未接听")
    async with either.unit_of_work() as session:
        standing = (Standing("trunk_unreachable", NOON, f"{NUMBER} {UNIT}"),)
        await trunks.observe(session, Said(UNIT, "down", clock.now(), None, 1, standing, NUMBER))
    async with mail_server() as post, hook_server() as hook:
        settings = with_mail(
            either_settings,
            smtp_port=post.port,
            notice_webhook_url=hook.url,
            notice_webhook_secret_file=secret,
            notice_after_s=0.0,
            trunks={UNIT: TrunkSettings(host="192.0.2.1")},
        )
        keeper = NoticeKeeper(either, settings, lambda: True)
        assert await keeper.look() == 12
        texts = [str(m["Subject"]) + m.get_body().get_content() for m in post.taken]  # type: ignore[union-attr]
        texts += [json.dumps(headers) + body.decode() for _, headers, body in hook.taken]
    assert len(texts) == 12
    kinds = {json.loads(body)["kind"] for _, _, body in hook.taken}
    assert kinds == {*KINDS} - {"reviews_waiting", "test"}
    for text in texts:
        assert UNIT not in text
        assert NUMBER not in text
        assert "/system/notices" in text


@given(
    kind=st.sampled_from(KINDS),
    event=st.sampled_from(("raised", "over")),
    count=st.integers(0, 10**6),
    at=st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),
)
def test_a_message_says_its_count_its_moment_and_its_link_and_no_other_figure(
    kind: str, event: str, count: int, at: datetime
) -> None:
    told = message(
        "0" * 32, kind, event, count, at, "https://duty.example/system/notices", ZoneInfo("Asia/Shanghai")
    )
    moment = at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%d %H:%M:%S %z")
    assert told.text.count(moment) == 2
    left = told.text.replace(moment, "").replace(told.link, "")
    figures = "".join(sign if sign.isdigit() else " " for sign in left).split()
    assert set(figures) <= {str(count)}
    assert set(json.loads(webhook.content(told))) == {
        "schema", "id", "kind", "event", "count", "at", "title_zh", "title_en", "link",
    }  # fmt: skip


MESSAGE = message(
    "abc123", "disk", "raised", 2, NOON, "https://duty.example/system/notices", ZoneInfo("Asia/Shanghai")
)


async def test_a_mail_is_whole_and_taken_once_whatever_comes_after_it(settings: Settings) -> None:
    async with mail_server() as post:
        to = ("a@example.org", "b@example.org")
        given = with_mail(
            settings, smtp_port=post.port, notice_mail_to=to, notice_mail_from="duty@example.org"
        )
        assert await mail.send(given, MESSAGE) == ""
        post.drop_after_data = True
        assert await mail.send(given, MESSAGE) == "", "it was taken, however the connection ended"
        post.drop_after_data, post.refused = False, ("b@example.org",)
        assert await mail.send(given, MESSAGE) == "1 of 2 addresses were refused"
        post.refused = to
        with pytest.raises(DeliveryError, match="every address was refused"):
            await mail.send(given, MESSAGE)
        post.refuse = "451 later a@example.org"
        with pytest.raises(DeliveryError, match=r"^mail server: refused, status 451$"):
            await mail.send(given, MESSAGE)
    first, second, third = post.taken
    assert first["Message-ID"] == second["Message-ID"] == "<abc123@example.org>"
    assert (first["From"], first["To"]) == ("duty@example.org", "a@example.org, b@example.org")
    assert first["Subject"] == "[值班电话抽查 DutyRing] 磁盘空间不足（告警 2 项）"
    assert "12:00:00 +0800" in first.get_content()
    assert post.envelopes == [[*to], [*to], ["a@example.org"]]
    assert third["Auto-Submitted"] == "auto-generated"


async def test_no_mail_leaves_unencrypted_unless_the_settings_say_so(settings: Settings) -> None:
    async with mail_server() as post:
        given = with_mail(settings, smtp_port=post.port, smtp_security="starttls")
        with pytest.raises(DeliveryError, match="no STARTTLS"):
            await mail.send(given, MESSAGE)
        assert post.taken == []
    with pytest.raises(DeliveryError, match=r"^mail server: Connection refused$"):
        await mail.send(given, MESSAGE)


async def test_a_posted_notice_is_signed_and_no_redirect_is_followed(
    settings: Settings, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    async with hook_server() as hook, hook_server() as elsewhere:
        given = settings.model_copy(
            update={"notice_webhook_url": hook.url, "notice_webhook_secret_file": secret}
        )
        await webhook.send(given, MESSAGE)
        path, headers, body = hook.taken[0]
        assert path == "/hook"
        stamp = headers["x-dutyring-timestamp"]
        expected = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        assert headers["x-dutyring-signature"] == f"v1={expected}"
        assert headers["x-dutyring-id"] == json.loads(body)["id"] == "abc123"
        hook.answer, hook.headers = "302 Found", f"Location: {elsewhere.url}\r\n"
        with pytest.raises(DeliveryError, match="status 302"):
            await webhook.send(given, MESSAGE)
        assert elsewhere.taken == []
        secret.write_text("short")
        with pytest.raises(DeliveryError, match="less than 16"):
            await webhook.send(given, MESSAGE)
        secret.unlink()
        with pytest.raises(DeliveryError, match="a file of the settings: No such file"):
            await webhook.send(given, MESSAGE)
    secret.write_text(SECRET)
    with pytest.raises(DeliveryError, match="not reached"):
        await webhook.send(given, MESSAGE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"notice_webhook_url": "file:///etc/passwd", "notice_webhook_secret_file": "s"},
        {"notice_webhook_url": "gopher://x/", "notice_webhook_secret_file": "s"},
        {"notice_webhook_url": "https://user:word@x/", "notice_webhook_secret_file": "s"},
        {"notice_webhook_url": "https://x/\nX: y", "notice_webhook_secret_file": "s"},
        {"notice_webhook_url": "https://x/"},
        {"notice_mail_to": ["a@b.example\r\nBcc: c@d.example"]},
        {"notice_mail_to": ["nobody"]},
        {"notice_mail_from": "A <a@b.example>"},
        {"smtp_host": "mail.example"},
        {"smtp_host": "m.example", "notice_mail_to": ["a@b.example"], "smtp_user": "u"},
        {"public_url": "javascript:alert(1)"},
    ],
)
def test_ways_that_cannot_be_right_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**wrong)


def test_the_link_leads_to_the_page(settings: Settings) -> None:
    assert link_of(settings) == "http://127.0.0.1:8000/system/notices"
    assert link_of(settings.model_copy(update={"host": "::1"})) == "http://[::1]:8000/system/notices"
    public = settings.model_copy(update={"public_url": "https://duty.example/"})
    assert link_of(public) == "https://duty.example/system/notices"


async def test_each_role_sees_what_it_can_see_to(database: Database, settings: Settings) -> None:
    found = dict.fromkeys((*service.SEEN_BY,), 1)
    async with database.unit_of_work() as session:
        await service.keep(session, settings, found, NOON)
    seen = {}
    async with database.reading() as session:
        for role in Role:
            who = Principal(1, role, role, frozenset({role}), carried_by([role]))
            seen[role] = {each.kind for each in await service.standing_for(session, settings, who)}
    assert seen[Role.AUDITOR] == seen[Role.SECURITY] == seen[Role.INSPECTOR] == set()
    assert seen[Role.SUPERVISOR] >= {"reviews_waiting", "coverage_short"}
    assert seen[Role.ADMINISTRATOR] == {"phone_down", "trunk_down", "calendar_ending", "disk", "other_alarms"}
    everything = Principal(1, "x", "x", frozenset(), frozenset(Permission))
    async with database.reading() as session:
        all_of_it = await service.standing_for(session, settings, replace(everything))
    assert {each.kind for each in all_of_it} == {*service.SEEN_BY}
